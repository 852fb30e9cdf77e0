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
pub(super) struct Lingering {
    grace: Duration,
    seen: BTreeMap<IpAddr, Instant>,
}

impl Lingering {
    /// None yet; each stays for `grace`.
    pub(super) fn new(grace: Duration) -> Self {
        Self {
            grace,
            seen: BTreeMap::new(),
        }
    }

    /// An address is there at `now`.
    pub(super) fn seen(&mut self, address: IpAddr, now: Instant) {
        if self.seen.len() >= MAX && !self.seen.contains_key(&address) {
            let oldest = self.seen.iter().min_by_key(|(_, seen)| **seen);
            if let Some(oldest) = oldest.map(|(address, _)| *address) {
                self.seen.remove(&oldest);
            }
        }
        self.seen.insert(address, now);
    }

    /// Those seen at `now`, or not longer ago than their grace; the others are forgotten.
    pub(super) fn present(&mut self, now: Instant) -> BTreeSet<IpAddr> {
        self.seen
            .retain(|_, seen| now.saturating_duration_since(*seen) <= self.grace);
        self.seen.keys().copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u16) -> IpAddr {
        IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, last])
    }

    #[test]
    fn an_address_stays_for_its_grace() {
        let mut sessions = Lingering::new(Duration::from_secs(600));
        let begun = Instant::now();
        sessions.seen(address(1), begun);
        sessions.seen(address(2), begun + Duration::from_secs(100));
        let present = sessions.present(begun + Duration::from_secs(600));
        assert_eq!(present, BTreeSet::from([address(1), address(2)]));
        let present = sessions.present(begun + Duration::from_secs(601));
        assert_eq!(present, BTreeSet::from([address(2)]));
        sessions.seen(address(2), begun + Duration::from_secs(650));
        let present = sessions.present(begun + Duration::from_secs(1_250));
        assert_eq!(present, BTreeSet::from([address(2)]));
    }

    #[test]
    fn too_many_push_out_the_oldest() {
        let mut sessions = Lingering::new(Duration::from_secs(600));
        let begun = Instant::now();
        for last in 0..=MAX as u16 {
            sessions.seen(address(last), begun + Duration::from_millis(last.into()));
        }
        let present = sessions.present(begun);
        assert_eq!(present.len(), MAX);
        assert!(!present.contains(&address(0)));
    }
}
