//! Where frames come from: one shape for a capture file and for a live interface.
//! It does not look inside a frame; [`crate::decode`] does.

pub mod file;
pub mod kernel;
pub mod live;
mod pcapng_block;

#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::time::Duration;
use std::{io, path::PathBuf};

use ebpf::host::HostKey;
use ebpf::packet::Address;
use ebpf::snapshot::Snapshot;

use detection::decode::TunnelEnds;
use detection::frame::Frame;
use detection::meter::Occupancy;

use crate::local_network::network::NetworkError;

/// Something that hands out frames one at a time.
pub trait Source {
    /// Returns the next frame, or `None` when there is none now: a file is then at its end,
    /// a live interface has nothing waiting.
    fn next_frame(&mut self) -> Result<Option<Frame<'_>>, CaptureError>;
}

/// A meter at work on live interfaces: packets are counted behind it, snapshots come out. Links are interface indices.
pub trait LiveSource: Send {
    /// Waits for up to `patience` until something happens, then appends the snapshots that are due to `into`. Returns
    /// how far it has seen: microseconds of the boot clock, never less than before.
    ///
    /// An interface that goes away is no error: it is watched for, and said to be missing in [`LiveSource::statistics`].
    fn listen(&mut self, patience: Duration, into: &mut Vec<Snapshot>)
    -> Result<u64, CaptureError>;

    /// Takes more snapshots of a host under suspicion, or no longer.
    fn suspect(&mut self, host: HostKey, suspected: bool);

    /// Forgets what these addresses did, on every interface.
    fn forget(&mut self, addresses: &[Address]);

    /// The tunnel that last carried a packet of this inner sender.
    fn tunnel(&self, sender: &HostKey) -> Option<TunnelEnds>;

    /// The name of an interface by its index.
    fn interface(&self, link: u32) -> Option<&str>;

    /// What has been counted so far.
    fn statistics(&mut self) -> Statistics;

    /// The last headers kept of an address under suspicion as a pcap file; nothing where the meter keeps none.
    fn headers(&self, address: IpAddr) -> Option<Vec<u8>>;
}

/// What a tap has counted since it began.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Statistics {
    /// `ebpf` or `pcap`.
    pub mode: &'static str,
    /// Each interface.
    pub interfaces: Vec<InterfaceStatistics>,
    /// Frames and packets that could not be metered as they should, by cause, the kernel's drops among them.
    pub losses: Vec<(&'static str, u64)>,
    /// How full the tables are.
    pub tables: [Occupancy; 3],
    /// Kernel memory the tables take, bytes; 0 where they are in user space.
    pub kernel_memory: u64,
}

/// What one interface has seen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InterfaceStatistics {
    /// Its name.
    pub name: String,
    /// Packets seen.
    pub packets: u64,
    /// When the last one was seen, microseconds of the boot clock; 0 where none was.
    pub last_packet: u64,
    /// Why nothing is seen of it now; nothing where all is well.
    pub missing: Option<String>,
}

/// Why a capture cannot be read, or not to its end.
#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    /// The file is missing or not ours to read.
    #[error("cannot open capture {}", path.display())]
    Open {
        /// The file named by the user.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The file opens but does not yield its first bytes.
    #[error("cannot read capture {}", path.display())]
    Read {
        /// The file named by the user.
        path: PathBuf,
        /// What the system, or the decompressor, said.
        #[source]
        source: io::Error,
    },
    /// No byte at all.
    #[error("capture {} is empty", path.display())]
    Empty {
        /// The file named by the user.
        path: PathBuf,
    },
    /// Neither of the two formats, compressed or not.
    #[error("{} is not a capture: neither pcap nor pcapng", path.display())]
    NotCapture {
        /// The file named by the user.
        path: PathBuf,
    },
    /// A format, or a compression, that is not read here.
    #[error("{} is {what}, which is not read here: convert it with `{tool}` first", path.display())]
    Foreign {
        /// The file named by the user.
        path: PathBuf,
        /// What it is.
        what: &'static str,
        /// The command that makes a capture of it.
        tool: &'static str,
    },
    /// Copies of somebody else's traffic are to be looked into where that cannot be done.
    #[error(
        "capture.mode is ebpf, but the kernel's meter does not look into what capture.mirrors send: set it to auto or pcap"
    )]
    Mirrors,
    /// No interface of the capture has a link type that leads to IP.
    #[error("capture {} has link type {number}{}, from which no IP packet can be read", path.display(), link_name(*number))]
    LinkType {
        /// The file named by the user.
        path: PathBuf,
        /// The LINKTYPE number.
        number: u32,
    },
    /// The file ends inside a record; the frames before it were good.
    #[error("capture {} is cut in the middle; {frames} frames before the cut were used", path.display())]
    Truncated {
        /// The file named by the user.
        path: PathBuf,
        /// Complete frames before the cut.
        frames: u64,
    },
    /// A record makes no sense; the frames before it were good.
    #[error("capture {} is damaged; {frames} frames before the damage were used", path.display())]
    Damaged {
        /// The file named by the user.
        path: PathBuf,
        /// Complete frames before the damage.
        frames: u64,
    },
    /// There is nothing to watch.
    #[error("there is no default route; name the interfaces to watch in capture.interfaces")]
    NoInterface,
    /// The process may not capture.
    #[error("capturing frames needs the capability CAP_NET_RAW, which this process does not have")]
    NotPermitted,
    /// `capture.filter` is not in the language of filters.
    #[error("capture.filter {filter:?} is not a valid filter: {why}")]
    Filter {
        /// The filter as configured.
        filter: String,
        /// What the capture library says.
        why: String,
    },
    /// An interface cannot be captured on now.
    #[error("cannot capture on {interface}: {why}")]
    Interface {
        /// Its name.
        interface: String,
        /// What stands in the way.
        why: String,
    },
    /// The machine's interfaces cannot be listed, or not watched.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// The kernel refuses to wait for frames.
    #[error("cannot wait for frames")]
    Wait(#[source] io::Error),
    /// The kernel meter does not work.
    #[error(transparent)]
    Kernel(#[from] kernel::KernelError),
}

/// The common name of a refused link type, with its leading space, so that the message explains itself.
fn link_name(number: u32) -> &'static str {
    match number {
        187 | 201 | 251 | 254 | 255 | 256 => " (Bluetooth)",
        186 | 189 | 220 | 249 => " (USB)",
        195 | 215 | 230 | 283 => " (IEEE 802.15.4)",
        190 | 210 | 227 => " (vehicle bus)",
        _ => "",
    }
}
