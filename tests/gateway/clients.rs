//! What people and attackers do over TCP and UDP, each from an address of its own.
//! Everything here is done by the kernel's own stack; what is invented stands in `forged`.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream, UdpSocket};
use std::ops::Range;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, SockaddrStorage, bind, connect, socket};

use super::testbed::{ECHO, WEB};
use crate::lines::PATIENCE;
use crate::netns::Namespace;

/// Between two bytes of an idle conversation.
const PACE: Duration = Duration::from_millis(300);
/// A conversation without an answer for so long has stopped: several bytes, and their repetitions, were lost.
const STOPPED: Duration = Duration::from_millis(2_000);

/// Connects from an address.
pub(crate) fn dial(from: IpAddr, to: SocketAddr) -> io::Result<TcpStream> {
    let socket = bound(from, SockFlag::empty())?;
    connect(socket.as_raw_fd(), &SockaddrStorage::from(to))?;
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(stream)
}

/// The same, for as long as a packet takes through the stage and not for longer.
pub(crate) fn dial_shortly(from: IpAddr, to: SocketAddr) -> io::Result<TcpStream> {
    let socket = bound(from, SockFlag::empty())?;
    // connect(2) waits no longer than one may send.
    let stream = TcpStream::from(socket);
    stream.set_write_timeout(Some(STOPPED))?;
    connect(stream.as_raw_fd(), &SockaddrStorage::from(to))?;
    Ok(stream)
}

/// Knocks at every port, as fast as a port scanner without manners: the kernel finishes what is answered. The
/// connections live until they are dropped.
pub(crate) fn scan(from: IpAddr, to: IpAddr, ports: Range<u16>) -> Vec<OwnedFd> {
    let knock = |port| {
        let socket = bound(from, SockFlag::SOCK_NONBLOCK).expect("the outside has this address");
        match connect(
            socket.as_raw_fd(),
            &SockaddrStorage::from(SocketAddr::new(to, port)),
        ) {
            Ok(()) | Err(Errno::EINPROGRESS) => socket,
            Err(error) => panic!("{from} cannot knock at {to} port {port}: {error}"),
        }
    };
    ports.map(knock).collect()
}

fn bound(from: IpAddr, flags: SockFlag) -> io::Result<OwnedFd> {
    let family = match from {
        IpAddr::V4(_) => AddressFamily::Inet,
        IpAddr::V6(_) => AddressFamily::Inet6,
    };
    let flags = flags | SockFlag::SOCK_CLOEXEC;
    let socket = socket(family, SockType::Stream, flags, None)?;
    bind(
        socket.as_raw_fd(),
        &SockaddrStorage::from(SocketAddr::new(from, 0)),
    )?;
    Ok(socket)
}

/// Asks a web server for a page, and returns how many bytes came.
pub(crate) fn visit(from: IpAddr, server: IpAddr, page: &str) -> io::Result<usize> {
    let mut talk = dial(from, SocketAddr::new(server, WEB))?;
    talk.write_all(format!("GET {page} HTTP/1.0\r\nHost: server\r\n\r\n").as_bytes())?;
    let mut answer = Vec::new();
    talk.read_to_end(&mut answer)?;
    match answer.starts_with(b"HTTP/1.0 200") {
        true => Ok(answer.len()),
        false => Err(ErrorKind::InvalidData.into()),
    }
}

/// Asks a question in one datagram, and returns how many bytes the answer has.
pub(crate) fn ask(from: IpAddr, server: IpAddr) -> io::Result<usize> {
    let socket = UdpSocket::bind(SocketAddr::new(from, 0))?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.send_to(
        b"what is the address of server.example?",
        SocketAddr::new(server, 53),
    )?;
    socket.recv(&mut [0; 512])
}

/// Whether a byte sent now is echoed.
pub(crate) fn is_echoed(stream: &mut TcpStream) -> bool {
    stream
        .set_read_timeout(Some(STOPPED))
        .expect("it is more than nothing");
    let echoed = stream.write_all(b"x");
    echoed.and_then(|()| stream.read_exact(&mut [0])).is_ok()
}

/// A long conversation: a byte now and then, and its echo.
pub(crate) struct Talk {
    echoes: Receiver<()>,
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Talk {
    /// Opens it, from a namespace and an address of it; fails the test where there is no connection.
    pub(crate) fn open(namespace: &Namespace, from: IpAddr, to: IpAddr) -> Self {
        let (stop, stopped) = mpsc::channel();
        let (heard, echoes) = mpsc::channel();
        let stream = namespace.run(|| dial(from, SocketAddr::new(to, ECHO)));
        let mut stream = stream.unwrap_or_else(|error| panic!("{from} reaches {to}: {error}"));
        let thread = thread::spawn(move || {
            while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(PACE) {
                // Without an answer there is nothing to tell; the kernel goes on repeating the byte.
                if is_echoed(&mut stream) && heard.send(()).is_err() {
                    return;
                }
            }
        });
        let talk = Self {
            echoes,
            stop: Some(stop),
            thread: Some(thread),
        };
        assert!(
            talk.flows(),
            "a conversation between {from} and {to} begins"
        );
        talk
    }

    /// Whether an answer comes now.
    pub(crate) fn flows(&self) -> bool {
        while self.echoes.try_recv().is_ok() {}
        self.echoes.recv_timeout(STOPPED).is_ok()
    }

    /// Waits until no answer comes any more.
    pub(crate) fn assert_stops(&self) {
        let end = Instant::now() + PATIENCE;
        while self.echoes.recv_timeout(STOPPED).is_ok() {
            assert!(Instant::now() < end, "the conversation goes on");
        }
    }
}

impl Drop for Talk {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // What it had to say, it has said.
            let _ = thread.join();
        }
    }
}
