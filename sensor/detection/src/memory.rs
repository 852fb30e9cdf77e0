//! What is remembered of addresses for hours: whom they met, where they tried to log in, how regularly they call.
//! It is fed with snapshots, so that both meters give it the same; it never decides, and each table has a cap.

mod beacons;
mod bits;
mod burst;
mod contacts;
mod logins;
mod question;
mod targets;
mod usage;

use ebpf::flow::state;
use ebpf::packet::{Address, protocol};
use ebpf::pair::PairKey;
use ebpf::snapshot::{Snapshot, reason};

pub(crate) use beacons::JITTER as CALL_JITTER;
pub use beacons::{Beacons, Regular};
pub(crate) use contacts::PORTS_PER_HOST;
pub use contacts::{Contacts, ScanFound, Source};
pub use logins::{Guessing, Logins};
pub(crate) use question::is_own;
pub use targets::{DISTRIBUTED_SOURCES, DistributedGuessing, Targets};
pub use usage::Usage;

/// The flow's initiator and the service it asks for, on whatever interface: a packet seen twice makes one conversation.
fn service_of(snapshot: &Snapshot) -> PairKey {
    let [(initiator, _), (responder, port)] = snapshot.ends();
    let key = &snapshot.key;
    PairKey::new(initiator, responder, 0, (port, key.protocol, key.icmp_type))
}

/// Whether the meter saw the flow begin, and knows by whom.
fn has_opener(snapshot: &Snapshot) -> bool {
    !snapshot.flow.is_unopened(snapshot.key.protocol) && !snapshot.flow.is(state::REVERSED)
}

/// Whether the flow ends with this snapshot. A closed flow is swept later, when its end is known already.
fn ends_here(snapshot: &Snapshot) -> bool {
    let closed = snapshot.reason & reason::CLOSED != 0;
    let idle = snapshot.reason & reason::IDLE != 0 && !snapshot.flow.is(state::CLOSED);
    closed || idle
}

/// Whether the flow was closed just now: a server refuses by closing, it does not fall silent.
fn closes(snapshot: &Snapshot) -> bool {
    snapshot.reason & reason::CLOSED != 0
}

/// Seconds between two moments in microseconds.
fn seconds(from: u64, to: u64) -> f64 {
    to.saturating_sub(from) as f64 / 1e6
}

/// The port that the initiator of a flow has, to know the same flow again.
fn initiator_port(snapshot: &Snapshot) -> u16 {
    let [(_, port), _] = snapshot.ends();
    port
}

/// The /64 an address of IPv6 is in: whoever has one of its addresses has them all (RFC 6177).
fn subnet(address: &Address) -> Option<Address> {
    (!address.is_v4()).then_some(Address {
        high: address.high,
        low: 0,
    })
}

fn is_icmp(number: u8) -> bool {
    matches!(number, protocol::ICMP | protocol::ICMPV6)
}
