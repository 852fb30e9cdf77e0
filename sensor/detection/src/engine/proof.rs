//! What packets prove of who sent them, and of whether a block holds.
//! It decides nothing.

use ebpf::packet::TUNNELLED;
use ebpf::snapshot::Snapshot;

use super::{GRACE, PROOF};
use crate::memory;
use crate::policy::Proof;

/// Whether both ends of a flow have gone on after its initiator was blocked. One alone may: the initiator is heard before
/// the firewall drops its packets, and the responder repeats what was not acknowledged.
pub(super) fn converses(snapshot: &Snapshot, since: u64) -> bool {
    let late = since.saturating_add(GRACE);
    snapshot.flow.low.last > late && snapshot.flow.high.last > late
}

/// What the address proved apart from the traffic that speaks against it.
pub(super) fn earlier_proof(snapshot: &Snapshot) -> Proof {
    let proven = snapshot.initiator.proven;
    if proven == 0 || snapshot.time.saturating_sub(proven) >= PROOF {
        Proof::Unproven
    } else if memory::is_own(snapshot) {
        Proof::Own
    } else {
        Proof::ProvenBefore
    }
}

/// Whether the flow was seen inside somebody's tunnel.
pub(super) fn is_tunnelled(snapshot: &Snapshot) -> bool {
    snapshot.key.link & TUNNELLED != 0
}
