//! Who is blocked or paused, and until when: no evidence is heard against them meanwhile.
//! It does not decide, and it is bounded like everything else.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;

use crate::class::Class;

/// Addresses held, in the order of their release.
#[derive(Debug)]
pub(super) struct Custody {
    held: HashMap<(IpAddr, Matter), u64>,
    queue: BTreeSet<(u64, IpAddr, Matter)>,
    cap: usize,
}

/// What an address is held for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Matter {
    Blocked,
    Paused(Class),
}

impl Custody {
    /// Nobody held, and at most `cap` at once.
    pub(super) fn new(cap: usize) -> Self {
        Self {
            held: HashMap::new(),
            queue: BTreeSet::new(),
            cap: cap.max(1),
        }
    }

    /// Holds a blocked address until `until`.
    pub(super) fn block(&mut self, address: IpAddr, until: u64) {
        self.hold(address, Matter::Blocked, until);
    }

    /// Pauses one matter against an address until `until`.
    pub(super) fn pause(&mut self, address: IpAddr, class: Class, until: u64) {
        self.hold(address, Matter::Paused(class), until);
    }

    /// Whether an address is blocked. One that is paused goes on gathering evidence: a review is no shelter.
    pub(super) fn holds(&self, address: IpAddr, now: u64) -> bool {
        self.is_held(address, Matter::Blocked, now)
    }

    /// Whether this matter against an address is paused.
    pub(super) fn is_paused(&self, address: IpAddr, class: Class, now: u64) -> bool {
        self.is_held(address, Matter::Paused(class), now)
    }

    /// The next address whose time is over at `now`, and whether it was blocked.
    pub(super) fn next_released(&mut self, now: u64) -> Option<(IpAddr, bool)> {
        let &(until, address, matter) = self.queue.first()?;
        if until > now {
            return None;
        }
        self.queue.pop_first();
        self.held.remove(&(address, matter));
        Some((address, matter == Matter::Blocked))
    }

    fn is_held(&self, address: IpAddr, matter: Matter, now: u64) -> bool {
        self.held
            .get(&(address, matter))
            .is_some_and(|&until| until > now)
    }

    fn hold(&mut self, address: IpAddr, matter: Matter, until: u64) {
        if let Some(before) = self.held.insert((address, matter), until) {
            self.queue.remove(&(before, address, matter));
        }
        self.queue.insert((until, address, matter));
        if self.queue.len() > self.cap
            && let Some((_, address, matter)) = self.queue.pop_first()
        {
            self.held.remove(&(address, matter));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    #[test]
    fn releases_in_order_and_once() {
        let mut custody = Custody::new(8);
        custody.block(address(1), 20);
        custody.pause(address(2), Class::Scan, 10);
        custody.block(address(1), 30);
        assert!(custody.holds(address(1), 29) && !custody.holds(address(2), 9));
        assert!(custody.is_paused(address(2), Class::Scan, 9));
        assert_eq!(custody.next_released(10), Some((address(2), false)));
        assert_eq!(custody.next_released(29), None);
        assert_eq!(custody.next_released(30), Some((address(1), true)));
        assert!(!custody.holds(address(1), 30));
    }

    #[test]
    fn an_alert_does_not_shield_from_other_evidence() {
        let mut custody = Custody::new(8);
        custody.pause(address(1), Class::Tunnel, 100);
        assert!(!custody.holds(address(1), 1));
        assert!(custody.is_paused(address(1), Class::Tunnel, 1));
    }

    #[test]
    fn never_holds_more_than_its_cap() {
        let mut custody = Custody::new(2);
        for last in 1..=3 {
            custody.block(address(last), u64::from(last));
        }
        assert!(!custody.holds(address(1), 0) && custody.holds(address(3), 0));
    }
}
