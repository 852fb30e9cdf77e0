//! Who is blocked or paused, and until when: no evidence is heard against them meanwhile.
//! It does not decide, and it is bounded like everything else.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;

use ipnet::IpNet;

use contract::address::is_host;
use contract::class::Class;

/// Prefixes held at once. The firewall takes fewer, so nobody is let go early.
const MAX_NETWORKS: usize = 4_096;

/// Addresses held, in the order of their release.
#[derive(Debug)]
pub(super) struct Paused {
    held: HashMap<(IpAddr, Matter), Term>,
    /// In the order of their release; apart, so that the next pause to be forgotten is found at once.
    blocked: BTreeSet<Place>,
    paused: BTreeSet<Place>,
    cap: usize,
    /// Prefixes that are blocked, and until when; few, so they are looked through.
    networks: Vec<(IpNet, Term)>,
}

/// From when until when, monotonic microseconds.
#[derive(Clone, Copy, Debug)]
struct Term {
    since: u64,
    until: u64,
}

/// What an address is held for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Matter {
    Blocked,
    Paused(Class),
}

/// When somebody is released, who, and from what.
type Place = (u64, IpAddr, Matter);

impl Term {
    /// This term, begun with the one before where that had not run out yet.
    fn after(self, before: Self) -> Self {
        let since = if before.until > self.since {
            before.since
        } else {
            self.since
        };
        Self { since, ..self }
    }
}

impl Paused {
    /// Nobody held, and at most `cap` at once.
    pub(super) fn new(cap: usize) -> Self {
        Self {
            held: HashMap::new(),
            blocked: BTreeSet::new(),
            paused: BTreeSet::new(),
            cap: cap.max(1),
            networks: Vec::new(),
        }
    }

    /// Holds a blocked address, or everybody in a blocked prefix, from `now` until `until`.
    pub(super) fn block(&mut self, target: IpNet, now: u64, until: u64) {
        let mut term = Term { since: now, until };
        if is_host(&target) {
            return self.hold((target.addr(), Matter::Blocked), term);
        }
        if let Some(at) = self.networks.iter().position(|(net, _)| *net == target) {
            term = term.after(self.networks.swap_remove(at).1);
        }
        if self.networks.len() < MAX_NETWORKS {
            self.networks.push((target, term));
        }
    }

    /// Lets go of a blocked address or prefix.
    pub(super) fn release(&mut self, target: IpNet) {
        if is_host(&target) {
            let matter = (target.addr(), Matter::Blocked);
            if let Some(term) = self.held.remove(&matter) {
                self.blocked.remove(&(term.until, matter.0, matter.1));
            }
        } else {
            self.networks.retain(|(net, _)| *net != target);
        }
    }

    /// Pauses one matter against an address from `now` until `until`.
    pub(super) fn pause(&mut self, (address, class): (IpAddr, Class), now: u64, until: u64) {
        let term = Term { since: now, until };
        self.hold((address, Matter::Paused(class)), term);
    }

    /// Whether an address is blocked. One that is paused goes on gathering evidence: a review is no shelter.
    pub(super) fn holds(&self, address: IpAddr, now: u64) -> bool {
        self.held_since(address, now).is_some()
    }

    /// Since when an address has been blocked.
    pub(super) fn held_since(&self, address: IpAddr, now: u64) -> Option<u64> {
        let alone = self.held.get(&(address, Matter::Blocked));
        let inside = self
            .networks
            .iter()
            .filter(|(net, _)| net.contains(&address));
        let terms = alone.into_iter().chain(inside.map(|(_, term)| term));
        let current = terms.filter(|term| term.until > now);
        current.map(|term| term.since).min()
    }

    /// Whether this matter against an address is paused.
    pub(super) fn is_paused(&self, address: IpAddr, class: Class, now: u64) -> bool {
        let term = self.held.get(&(address, Matter::Paused(class)));
        term.is_some_and(|term| term.until > now)
    }

    /// The next address or prefix whose time is over at `now`, and whether it was blocked.
    pub(super) fn next_released(&mut self, now: u64) -> Option<(IpNet, bool)> {
        if let Some(over) = self.networks.iter().position(|(_, term)| term.until <= now) {
            return Some((self.networks.swap_remove(over).0, true));
        }
        let firsts = [self.blocked.first(), self.paused.first()];
        let &(until, address, matter) = firsts.into_iter().flatten().min()?;
        if until > now {
            return None;
        }
        self.queue(matter).pop_first();
        self.held.remove(&(address, matter));
        Some((address.into(), matter == Matter::Blocked))
    }

    fn hold(&mut self, (address, matter): (IpAddr, Matter), mut term: Term) {
        if let Some(before) = self.held.get(&(address, matter)) {
            term = term.after(*before);
            let place = (before.until, address, matter);
            self.queue(matter).remove(&place);
        }
        self.held.insert((address, matter), term);
        self.queue(matter).insert((term.until, address, matter));
        // A pause forgotten early costs a repeated incident, a block forgotten early an offender that is judged unheard.
        if self.held.len() > self.cap {
            let dropped = self.paused.pop_first();
            let dropped = dropped.or_else(|| self.blocked.pop_first());
            if let Some((_, address, matter)) = dropped {
                self.held.remove(&(address, matter));
            }
        }
    }

    fn queue(&mut self, matter: Matter) -> &mut BTreeSet<Place> {
        match matter {
            Matter::Blocked => &mut self.blocked,
            Matter::Paused(_) => &mut self.paused,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    fn host(last: u8) -> IpNet {
        address(last).into()
    }

    #[test]
    fn releases_in_order_and_once() {
        let mut paused = Paused::new(8);
        paused.block(host(1), 0, 20);
        paused.pause((address(2), Class::Scan), 0, 10);
        paused.block(host(1), 5, 30);
        assert!(paused.holds(address(1), 29) && !paused.holds(address(2), 9));
        assert!(paused.is_paused(address(2), Class::Scan, 9));
        assert_eq!(paused.held_since(address(1), 9), Some(0), "a renewal");
        assert_eq!(paused.next_released(10), Some((host(2), false)));
        assert_eq!(paused.next_released(29), None);
        assert_eq!(paused.next_released(30), Some((host(1), true)));
        assert!(!paused.holds(address(1), 30));
    }

    #[test]
    fn a_prefix_holds_everybody_in_it_until_it_is_released() {
        let mut paused = Paused::new(8);
        let net: IpNet = "192.0.2.0/28".parse().unwrap();
        paused.block(net, 0, 20);
        assert!(paused.holds(address(3), 19) && !paused.holds(address(16), 19));
        assert_eq!(paused.next_released(20), Some((net, true)));
        paused.block(net, 0, 50);
        paused.block(host(3), 0, 50);
        paused.release(net);
        assert!(paused.holds(address(3), 40) && !paused.holds(address(4), 40));
        paused.release(host(3));
        assert!(!paused.holds(address(3), 40));
        assert_eq!(paused.next_released(99), None);
    }

    #[test]
    fn an_alert_does_not_shield_from_other_evidence() {
        let mut paused = Paused::new(8);
        paused.pause((address(1), Class::Tunnel), 0, 100);
        assert!(!paused.holds(address(1), 1));
        assert!(paused.is_paused(address(1), Class::Tunnel, 1));
    }

    #[test]
    fn never_holds_more_than_its_cap() {
        let mut paused = Paused::new(2);
        for last in 1..=3 {
            paused.block(host(last), 0, u64::from(last));
        }
        assert!(!paused.holds(address(1), 0) && paused.holds(address(3), 0));
    }
}
