//! One interface that is listened on: its handle while it is there, and its counters, which outlive the handle.
//! It must not give up on an interface that is away.

use std::os::fd::{AsFd, BorrowedFd};

use nix::errno::Errno;
use nix::net::if_::if_nametoindex;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};
use pcap::{Active, Capture, Linktype, Packet, Precision};

use crate::capture::{CaptureError, InterfaceStatistics};
use crate::local_network::network::Link;
use detection::frame::LinkType;

/// The kernel hands over what it has after this long, milliseconds, however little; a deciding packet waits no longer.
pub(super) const BUFFER_TIMEOUT: i32 = 5;

/// A frame as it lies in the kernel's buffer.
pub(super) struct Raw<'a> {
    /// When the kernel saw it, nanoseconds since 1970 as the wall clock stood.
    pub(super) wall: i64,
    /// Its length on the wire.
    pub(super) wire_len: u32,
    /// What was captured of it.
    pub(super) bytes: &'a [u8],
}

/// A handle on an interface that is there.
struct Open {
    capture: Capture<Active>,
    index: u32,
    link_type: LinkType,
    /// What this handle has said of drops: by the buffer, by the interface. Its counters wrap and die with it.
    drops: [u32; 2],
}

/// An interface by name.
pub(super) struct Port {
    open: Option<Open>,
    /// What is told of it; its `missing` says why it is not open.
    pub(super) seen: InterfaceStatistics,
    /// Frames that the kernel had no room for.
    pub(super) overrun: u64,
    /// Frames that the interface or its driver dropped.
    pub(super) undelivered: u64,
}

impl Port {
    /// An interface that was not looked for yet.
    pub(super) fn new(name: &str) -> Self {
        Self {
            open: None,
            seen: InterfaceStatistics {
                name: name.to_owned(),
                missing: Some("it was not opened yet".to_owned()),
                ..InterfaceStatistics::default()
            },
            overrun: 0,
            undelivered: 0,
        }
    }

    /// What waits to be readable; nothing while the interface is away.
    pub(super) fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.open.as_ref().map(|open| open.capture.as_fd())
    }

    /// The interface's index, while it is there.
    pub(super) fn index(&self) -> Option<u32> {
        self.open.as_ref().map(|open| open.index)
    }

    /// Opens, reopens or closes it, as the link it is now demands.
    pub(super) fn follow(&mut self, link: Option<&Link>, settings: &settings::Capture) {
        if let Some(link) = link
            && link.up
            && self.index() == Some(link.index)
        {
            return;
        }
        self.close();
        match open(&self.seen.name, link, settings) {
            Ok(open) => {
                tracing::info!(interface = self.seen.name, index = open.index, "listening");
                self.open = Some(open);
                self.seen.missing = None;
            }
            Err(CaptureError::Interface { why, .. }) => self.lose(why),
            Err(error) => self.lose(error.to_string()),
        }
    }

    /// Hands up to `most` frames to `take` with the interface's index and how they begin, and returns how many they
    /// were. A handle that fails is closed.
    pub(super) fn read(
        &mut self,
        most: usize,
        mut take: impl FnMut(Raw<'_>, (u32, LinkType), &mut InterfaceStatistics),
    ) -> usize {
        let Some(open) = &mut self.open else {
            return 0;
        };
        let at = (open.index, open.link_type);
        let seen = &mut self.seen;
        let read = open.capture.dispatch(Some(most), |packet: Packet<'_>| {
            let stamp = packet.header.ts;
            let raw = Raw {
                // Nanoseconds were asked for, and stand where microseconds usually do.
                wall: stamp.tv_sec * 1_000_000_000 + stamp.tv_usec,
                wire_len: packet.header.len,
                bytes: packet.data,
            };
            take(raw, at, seen);
        });
        match read {
            Ok(frames) => frames,
            Err(error) => {
                self.lose(words(&error));
                0
            }
        }
    }

    /// Asks the kernel what it dropped since it was asked before.
    pub(super) fn count_drops(&mut self) {
        let Some(open) = &mut self.open else {
            return;
        };
        if let Ok(stat) = open.capture.stats() {
            let [overrun, undelivered] = open.drops;
            self.overrun += u64::from(stat.dropped.wrapping_sub(overrun));
            self.undelivered += u64::from(stat.if_dropped.wrapping_sub(undelivered));
            open.drops = [stat.dropped, stat.if_dropped];
        }
    }

    fn lose(&mut self, why: String) {
        self.close();
        if self.seen.missing.as_ref() != Some(&why) {
            tracing::warn!(interface = self.seen.name, "not listening: {why}");
        }
        self.seen.missing = Some(why);
    }

    fn close(&mut self) {
        self.count_drops();
        self.open = None;
    }
}

/// Says whether frames may be captured at all; pcap's own words for it differ from version to version.
pub(super) fn permitted() -> Result<(), CaptureError> {
    let raw = socket(
        AddressFamily::Packet,
        SockType::Raw,
        SockFlag::SOCK_CLOEXEC,
        None,
    );
    match raw {
        Err(Errno::EPERM | Errno::EACCES) => Err(CaptureError::NotPermitted),
        _ => Ok(()),
    }
}

/// Says whether the filter is one, for Ethernet; an interface of another kind may still refuse it.
pub(super) fn check_filter(settings: &settings::Capture) -> Result<(), CaptureError> {
    let Some(filter) = settings.filter.get() else {
        return Ok(());
    };
    let compiled = Capture::dead(Linktype::ETHERNET)
        .and_then(|ethernet| ethernet.compile(filter.as_str(), true));
    match compiled {
        Ok(_) => Ok(()),
        Err(error) => Err(CaptureError::Filter {
            filter: filter.as_str().to_owned(),
            why: words(&error),
        }),
    }
}

/// Opens a handle as the settings say, if the interface is there.
///
/// Promiscuous mode stays off: what this machine forwards or receives is addressed to it, and a mirror port is made
/// promiscuous with `ip link`, once, by who set up the mirror.
fn open(
    name: &str,
    link: Option<&Link>,
    settings: &settings::Capture,
) -> Result<Open, CaptureError> {
    let because = |why: &str| CaptureError::Interface {
        interface: name.to_owned(),
        why: why.to_owned(),
    };
    let refused = |error: pcap::Error| because(&words(&error));
    let link = link.ok_or_else(|| because("there is no such interface"))?;
    if !link.up {
        return Err(because("it is down"));
    }
    permitted()?;
    let mut capture = Capture::from_device(name)
        .map_err(refused)?
        .promisc(false)
        .timeout(BUFFER_TIMEOUT)
        .precision(Precision::Nano)
        .buffer_size(settings.buffer.get().cast_signed())
        .snaplen(settings.snap_len.get().cast_signed())
        .open()
        .and_then(Capture::setnonblock)
        .map_err(refused)?;
    if let Some(filter) = settings.filter.get() {
        capture.filter(filter.as_str(), true).map_err(refused)?;
    }
    let link_type = LinkType::from_number(capture.get_datalink().0.cast_unsigned());
    if !link_type.is_supported() {
        return Err(because("no IP packet can be read from its link type"));
    }
    // pcap opens by name; another interface may have taken it meanwhile.
    if if_nametoindex(name) != Ok(link.index) {
        return Err(because("it changed while it was opened"));
    }
    Ok(Open {
        capture,
        index: link.index,
        link_type,
        drops: [0; 2],
    })
}

/// Opens an interface, to see whether that is possible, and closes it again.
pub(super) fn probe(
    name: &str,
    link: Option<&Link>,
    settings: &settings::Capture,
) -> Result<(), CaptureError> {
    open(name, link, settings).map(drop)
}

/// What pcap says, without its name before it.
fn words(error: &pcap::Error) -> String {
    let text = match error {
        pcap::Error::PcapError(text) => text.clone(),
        other => other.to_string(),
    };
    contract::printable::printable(&text).into_owned()
}
