//! The socket to the kernel's nf_tables: changes go in, lists and events come out.
//! It knows nothing of what they mean.

use std::io::{self, IoSlice};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use mnl::NlMessages;
use nftnl::nftnl_sys::libc;
use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, getsockname,
    recv, sendmsg, setsockopt, socket, sockopt,
};

use super::netlink::Changes;

/// Room for what the kernel sends at once; it packs at most 32 KiB into a message of a list.
const READ: usize = 64 * 1024;
/// Room in the socket beside the batch itself, for the kernel's own bookkeeping.
const SPARE: usize = 64 * 1024;

/// A socket to the kernel's netfilter. Nothing waits on it: the kernel answers before a send returns.
/// (`mnl::Socket` would do, but cannot be moved into a thread.)
#[derive(Debug)]
pub(super) struct Link {
    socket: OwnedFd,
    port: u32,
}

impl Link {
    /// Opens one, joined to these multicast groups (bit n − 1 for group n).
    pub(super) fn open(groups: u32) -> io::Result<Self> {
        let socket = socket(
            AddressFamily::Netlink,
            SockType::Raw,
            SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK,
            SockProtocol::NetlinkNetFilter,
        )?;
        bind(socket.as_raw_fd(), &NetlinkAddr::new(0, groups))?;
        let port = getsockname::<NetlinkAddr>(socket.as_raw_fd())?.pid();
        Ok(Self { socket, port })
    }

    /// What marks the messages that this socket caused.
    pub(super) fn port(&self) -> u32 {
        self.port
    }

    /// Holds this many bytes of unread messages.
    pub(super) fn hold(&self, bytes: usize) -> io::Result<()> {
        Ok(setsockopt(self, sockopt::RcvBufForce, &bytes)?)
    }

    /// Makes all the changes, or none.
    pub(super) fn commit(&self, changes: Changes) -> io::Result<()> {
        let mut refused = self.try_all(changes)?.into_iter();
        refused.next().map_or(Ok(()), Err)
    }

    /// Hands over changes of which the kernel must refuse at least one, and so makes none; returns how many it refuses.
    pub(super) fn refusals(&self, changes: Changes) -> io::Result<usize> {
        Ok(self.try_all(changes)?.len())
    }

    /// Makes all the changes, or none and says what was wrong with which.
    fn try_all(&self, changes: Changes) -> io::Result<Vec<io::Error>> {
        let batch = changes.finish();
        let pages: Vec<IoSlice<'_>> = batch.iter().map(IoSlice::new).collect();
        self.send(&pages)?;
        let mut refused = Vec::new();
        self.drain(|message| {
            refused.extend(Reply::of(message).and_then(Reply::error));
        })?;
        Ok(refused)
    }

    /// Asks for a list; `each` gets every message of it. Tells whether the list is of one moment.
    pub(super) fn list(&self, request: &[u8], mut each: impl FnMut(&[u8])) -> io::Result<Whole> {
        self.send(&[IoSlice::new(request)])?;
        let mut end = Err(io::Error::from(io::ErrorKind::UnexpectedEof));
        let mut whole = Whole::Yes;
        self.drain(|message| {
            let flags = message.get(6..).and_then(|rest| rest.first_chunk());
            let flags = flags.map_or(0, |flags| i32::from(u16::from_ne_bytes(*flags)));
            if flags & libc::NLM_F_DUMP_INTR != 0 {
                whole = Whole::No;
            }
            match Reply::of(message) {
                Some(reply) => end = reply.error().map_or(Ok(()), Err),
                None => each(message),
            }
        })?;
        end.map(|()| whole)
    }

    /// The kernel takes a message only in one piece.
    fn send(&self, pieces: &[IoSlice<'_>]) -> io::Result<()> {
        let length: usize = pieces.iter().map(|piece| piece.len()).sum();
        if length > SPARE {
            setsockopt(self, sockopt::SndBufForce, &(length + SPARE))?;
        }
        let kernel = NetlinkAddr::new(0, 0);
        let (socket, flags) = (self.socket.as_raw_fd(), MsgFlags::empty());
        match sendmsg(socket, pieces, &[], flags, Some(&kernel))? {
            sent if sent == length => Ok(()),
            _ => Err(io::Error::from(io::ErrorKind::WriteZero)),
        }
    }

    /// Throws away every message that is there.
    pub(super) fn discard(&self) -> io::Result<()> {
        loop {
            match self.drain(|_| {}) {
                Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => {}
                other => return other,
            }
        }
    }

    /// Hands over every message that is there; [`Errno::ENOBUFS`] where the kernel had to drop some.
    pub(super) fn drain(&self, mut each: impl FnMut(&[u8])) -> io::Result<()> {
        let mut buffer = vec![0; READ];
        loop {
            match recv(self.socket.as_raw_fd(), &mut buffer, MsgFlags::empty()) {
                Ok(length) => {
                    for message in NlMessages::new(&buffer[..length]) {
                        each(message?);
                    }
                }
                Err(Errno::EAGAIN) => return Ok(()),
                Err(Errno::EINTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

impl AsFd for Link {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Whether a list is of one moment, or something changed while it was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whole {
    Yes,
    No,
}

/// What ends an exchange: the negative `errno` after the header, 0 for success.
struct Reply(i32);

impl Reply {
    fn of(message: &[u8]) -> Option<Self> {
        let kind = i32::from(u16::from_ne_bytes(*message.get(4..)?.first_chunk()?));
        let ends = kind == libc::NLMSG_ERROR || kind == libc::NLMSG_DONE;
        let code = message.get(16..).and_then(|rest| rest.first_chunk());
        ends.then(|| Self(code.map_or(0, |code| i32::from_ne_bytes(*code))))
    }

    fn error(self) -> Option<io::Error> {
        (self.0 < 0).then(|| Errno::from_raw(-self.0).into())
    }
}
