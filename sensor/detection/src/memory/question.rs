//! A question to a service: how it ended, and whether that says anything of who asked.
//! It remembers nothing; [`super::contacts`] does.

use ebpf::flow::state;
use ebpf::packet::{ARRIVAL_TTL, protocol};
use ebpf::snapshot::{Snapshot, reason};

/// Ports a traceroute counts up from (its manual, "-p"), and how far.
const TRACEROUTE: std::ops::Range<u16> = 33_434..33_534;

/// How a question ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Answered,
    Refused,
    Silent,
}

/// Whether the flow arrived as the conversations do that its initiator has proven to be its own.
pub(crate) fn is_own(snapshot: &Snapshot) -> bool {
    let arrival = snapshot.flow.arrival;
    let shape = snapshot.key.protocol == protocol::TCP;
    let alike = |own: u32| {
        own != 0
            && arrival != 0
            && if shape {
                own == arrival
            } else {
                own & ARRIVAL_TTL == arrival & ARRIVAL_TTL
            }
    };
    snapshot.initiator.arrivals.into_iter().any(alike)
}

/// Questions whose fate says nothing of who asks.
pub(super) fn is_excused(snapshot: &Snapshot) -> bool {
    let [_, (_, port)] = snapshot.ends();
    let flow = &snapshot.flow;
    let datagram = snapshot.key.protocol == protocol::UDP;
    let one_sided = {
        let (forward, _) = flow.halves();
        let sums = &snapshot.initiator;
        let goes_on =
            forward.payload > 0 || forward.fin > 0 || forward.packets > u32::from(forward.syn);
        snapshot.key.protocol == protocol::TCP
            && flow.is_silent()
            && goes_on
            && sums.minute.packets_in == 0
            && sums.habits.answered == 0
    };
    flow.is(state::EXPIRED) || (datagram && TRACEROUTE.contains(&port)) || one_sided
}

/// How the flow's question ended, said once for each flow that failed.
pub(super) fn outcome(snapshot: &Snapshot) -> Option<Outcome> {
    let flow = &snapshot.flow;
    let told = |reasons| snapshot.reason & reasons != 0;
    if flow.is(state::REFUSED) {
        return told(reason::CLOSED).then_some(Outcome::Refused);
    }
    if flow.is(state::ANSWERED) {
        return Some(Outcome::Answered);
    }
    told(reason::SILENT).then_some(if flow.is(state::UNREACHABLE) {
        Outcome::Refused
    } else {
        Outcome::Silent
    })
}

/// Whether a flow that failed may be one of a program that means well: a datagram to a peer, or a connection that
/// its system tried again, to a port no service of the network itself has.
pub(super) fn is_loose(snapshot: &Snapshot) -> bool {
    let [_, (_, port)] = snapshot.ends();
    let (forward, _) = snapshot.flow.halves();
    match snapshot.key.protocol {
        protocol::UDP => true,
        protocol::TCP => port >= 1024 && forward.syn > 1,
        _ => false,
    }
}
