//! Addresses that stay for a while after they were last seen.
//! It must not know what they are.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use tokio::time::Instant;

/// Addresses held at once; ten times the login sessions and broker addresses of the busiest machine. The one not seen
/// for longest goes first.
const MAX: usize = 4_096;

/// Addresses and when they were last seen.
#[derive(Debug)]
pub(super) struct RecentAddresses {
    grace: Duration,
    /// Those that were there when it was last looked.
    there: BTreeSet<IpAddr>,
    seen: BTreeMap<IpAddr, Instant>,
}

impl RecentAddresses {
    /// None yet; each stays for `grace`.
    pub(super) fn new(grace: Duration) -> Self {
        Self {
            grace,
            there: BTreeSet::new(),
            seen: BTreeMap::new(),
        }
    }

    /// These, and only these, are there at `now`. Those that were there the last time went just now.
    pub(super) fn look(&mut self, there: BTreeSet<IpAddr>, now: Instant) {
        for &address in self.there.iter().chain(&there) {
            self.seen.insert(address, now);
        }
        self.there = there;
        while self.seen.len() > MAX {
            let oldest = self.seen.iter().min_by_key(|(_, seen)| **seen);
            let Some(oldest) = oldest.map(|(address, _)| *address) else {
                break;
            };
            self.seen.remove(&oldest);
        }
    }

    /// Those there, or gone for no longer than their grace at `now`; the others are forgotten.
    pub(super) fn present(&mut self, now: Instant) -> BTreeSet<IpAddr> {
        let (there, grace) = (&self.there, self.grace);
        self.seen.retain(|address, seen| {
            there.contains(address) || now.saturating_duration_since(*seen) < grace
        });
        self.seen.keys().copied().collect()
    }

    /// When the next of those gone will be forgotten.
    pub(super) fn next_end(&self) -> Option<Instant> {
        let gone = self.seen.iter();
        let gone = gone.filter(|(address, _)| !self.there.contains(address));
        gone.map(|(_, seen)| *seen + self.grace).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u16) -> IpAddr {
        IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, last])
    }

    fn set(last: &[u16]) -> BTreeSet<IpAddr> {
        last.iter().copied().map(address).collect()
    }

    #[test]
    fn an_address_stays_for_its_grace_after_it_went() {
        let mut sessions = RecentAddresses::new(Duration::from_secs(600));
        let begun = Instant::now();
        let at = |seconds| begun + Duration::from_secs(seconds);
        sessions.look(set(&[1, 2]), at(0));
        assert_eq!(sessions.next_end(), None);
        // It went unnoticed until now.
        sessions.look(set(&[2]), at(5_000));
        assert_eq!(sessions.next_end(), Some(at(5_600)));
        assert_eq!(sessions.present(at(5_599)), set(&[1, 2]));
        assert_eq!(sessions.present(at(5_600)), set(&[2]));
        assert_eq!(sessions.present(at(90_000)), set(&[2]));
        // One that comes back starts anew.
        sessions.look(set(&[1]), at(90_000));
        sessions.look(set(&[]), at(90_001));
        sessions.look(set(&[1]), at(90_002));
        assert_eq!(sessions.present(at(99_999)), set(&[1]));
    }

    #[test]
    fn too_many_push_out_the_oldest() {
        let mut sessions = RecentAddresses::new(Duration::from_secs(600));
        let begun = Instant::now();
        for last in 0..=MAX as u16 {
            sessions.look(set(&[last]), begun + Duration::from_millis(last.into()));
        }
        let present = sessions.present(begun);
        assert_eq!(present.len(), MAX);
        assert!(!present.contains(&address(0)));
    }
}
