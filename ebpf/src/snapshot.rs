//! Snapshots: what leaves the meter, and when.
//! A snapshot is plain integers; what they mean is decided in user space.

use crate::flow::{FlowKey, FlowStats, Side, state};
use crate::host::{HostKey, InitiatorSums, ResponderSums};
use crate::packet::Address;
use crate::pair::{PairKey, PairStats};

/// Why a snapshot was taken; bits.
pub mod reason {
    /// The flow's packets reached a power of two.
    pub const PACKETS: u32 = 1;
    /// The flow closed.
    pub const CLOSED: u32 = 1 << 1;
    /// The flow ended by silence.
    pub const IDLE: u32 = 1 << 2;
    /// The initiator's flows in the minute reached a power of two.
    pub const FLOWS: u32 = 1 << 3;
    /// The initiator's unanswered flows in the minute reached a power of two.
    pub const UNANSWERED: u32 = 1 << 4;
    /// The attempts at this service reached a power of two.
    pub const ATTEMPTS: u32 = 1 << 5;
    /// The responder's distinct initiators reached a power of two.
    pub const INITIATORS: u32 = 1 << 6;
    /// The initiator is under suspicion.
    pub const SUSPECT: u32 = 1 << 7;
    /// Three seconds without an answer.
    pub const SILENT: u32 = 1 << 8;
}

/// Flow, initiator, responder and pair at one moment.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// When it was taken, microseconds.
    pub time: u64,
    /// Why, see [`reason`].
    pub reason: u32,
    /// Always 0.
    pub reserved: u32,
    /// The flow's name.
    pub key: FlowKey,
    /// The flow.
    pub flow: FlowStats,
    /// The charged initiator, see [`Snapshot::charged`]; all 0 where the flood guard refused it an entry.
    pub initiator: InitiatorSums,
    /// The other end.
    pub responder: ResponderSums,
    /// The pair, all 0 before the first answer.
    pub pair: PairStats,
}

const _: () = assert!(size_of::<Snapshot>() <= 512);

impl Snapshot {
    /// Address and port of the flow's initiator, then of its responder.
    pub fn ends(&self) -> [(Address, u16); 2] {
        let low = (self.key.low, self.key.low_port);
        let high = (self.key.high, self.key.high_port);
        match self.flow.initiator() {
            Side::Low => [low, high],
            Side::High => [high, low],
        }
    }

    /// The end whose doings [`Snapshot::initiator`] tells, then the other: the initiator's, or, while only the
    /// responder of a flow met late has spoken, the responder's.
    pub fn charged(&self) -> [(Address, u16); 2] {
        let [initiator, responder] = self.ends();
        if self.flow.is(state::REVERSED) {
            [responder, initiator]
        } else {
            [initiator, responder]
        }
    }

    /// The charged initiator, the other host and their pair, as the tables name them.
    pub fn parties(&self) -> (HostKey, HostKey, PairKey) {
        let [initiator, responder] = self.charged();
        let link = self.key.link;
        let host = |address| HostKey {
            address,
            link,
            reserved: 0,
        };
        let service = (responder.1, self.key.protocol, self.key.icmp_type);
        let pair = PairKey::new(initiator.0, responder.0, link, service);
        (host(initiator.0), host(responder.0), pair)
    }
}
