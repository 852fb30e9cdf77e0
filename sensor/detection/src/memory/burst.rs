//! Many questions at once, before their answers are due: what the meter's minute says of them.
//! It remembers nothing; who has time is judged by [`super::contacts`].

use ebpf::host::Bitmap;
use ebpf::packet::protocol;
use ebpf::snapshot::Snapshot;

use super::contacts::{PEER_PORTS, PORTS_PER_HOST, SOUGHT, ScanFound, Source};
use super::question::is_own;
use crate::features::distinct;
use crate::service::Service;

/// A burst whose answers are not due yet: distinct services in a minute of few hosts, and answered at most a quarter.
const BURST_PORTS: f64 = 16.0;
/// Distinct hosts in a minute whose answer is overdue by a second or two.
const BURST_HOSTS: f64 = 32.0;
/// The same for a service that is often searched for, none of whom has answered yet.
const BURST_SOUGHT: f64 = 48.0;
/// Share of the openings in a minute that are answered, above which datagrams without an answer are nobody's fault.
pub(super) const UDP_ANSWERED: f64 = 0.5;

/// A burst of questions by `source`, which converses with others meanwhile if `shared`.
pub(super) fn burst(
    snapshot: &Snapshot,
    (source, shared): (Source, bool),
    sought: bool,
) -> Option<ScanFound> {
    if snapshot.key.protocol == protocol::UDP && answered_share(snapshot) > UDP_ANSWERED {
        return None;
    }
    let [_, (_, port)] = snapshot.ends();
    let sums = &snapshot.initiator;
    let minute = &sums.minute;
    let set = |ones| distinct(ones, Bitmap::<8>::BITS);
    let (hosts, ports, services) = (set(sums.peers), set(sums.ports), set(sums.services));
    let accepted = f64::from(minute.answered.saturating_sub(minute.refused));
    let unanswered = f64::from(minute.opened.saturating_sub(minute.answered));
    let overdue = (unanswered - f64::from(sums.second.opened)).max(0.0);
    let failed = (services - accepted).max(0.0);
    let many_ports = services >= BURST_PORTS
        && ports >= PORTS_PER_HOST * hosts
        && 4.0 * accepted <= services
        && (snapshot.key.protocol != protocol::UDP || ports >= PEER_PORTS * hosts);
    let alike = Service::of(port, snapshot.key.protocol) != Service::Other || port < 1024;
    let least = if sought { SOUGHT } else { BURST_HOSTS };
    let late = overdue >= least || sought && unanswered >= BURST_SOUGHT && accepted == 0.0;
    let many_hosts = hosts >= least
        && ports * PEER_PORTS <= hosts.max(2.0 * PEER_PORTS)
        && late
        && 4.0 * accepted <= hosts
        && alike;
    let threshold = match (many_ports, many_hosts) {
        (true, _) => BURST_PORTS,
        (false, true) => least,
        _ => return None,
    };
    let span = u64::from(minute.gap_sum);
    Some(ScanFound {
        source,
        score: failed,
        threshold,
        failed: failed as u32,
        refused: minute.refused,
        hosts: hosts as u32,
        ports: ports as u32,
        first: snapshot.time.saturating_sub(span),
        own_arrival: is_own(snapshot),
        shared,
        proven: sums.proven,
    })
}

/// Share of the minute's openings that were answered.
pub(super) fn answered_share(snapshot: &Snapshot) -> f64 {
    let minute = &snapshot.initiator.minute;
    f64::from(minute.answered) / f64::from(minute.opened.max(1))
}
