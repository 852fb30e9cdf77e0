//! The minute's blocks of addresses that prove nothing, shared out: whoever writes names on packets can use up the share of
//! one victim and of one way to arrive, and there is more for those who come back. It knows no block.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;

use super::history::MINUTE;

/// The part of the minute's blocks that addresses of one victim, or of one way to arrive, may take: a quarter.
const SHARE: usize = 4;
/// The part that is left to those who come back, once they have been let go: a quarter.
const RESERVE: usize = 4;

/// Whom a block is about: the victim, and how the packets arrived.
type Mark = (IpAddr, u32);

/// How many blocks may begin in any minute, and for whom.
#[derive(Debug)]
pub(super) struct Shares {
    begun: VecDeque<(u64, Mark)>,
    victims: HashMap<IpAddr, usize>,
    arrivals: HashMap<u32, usize>,
    per_minute: usize,
}

impl Shares {
    pub(super) fn new(per_minute: usize) -> Self {
        Self {
            begun: VecDeque::new(),
            victims: HashMap::new(),
            arrivals: HashMap::new(),
            per_minute,
        }
    }

    /// Another number of blocks a minute from now on.
    pub(super) fn resize(&mut self, per_minute: usize) {
        self.per_minute = per_minute;
    }

    /// Takes one block, unless there is none left for such a one: who comes `again` has a reserve.
    pub(super) fn take(&mut self, now: u64, mark: Mark, again: bool) -> bool {
        while let Some(&(begun, mark)) = self.begun.front()
            && now.saturating_sub(begun) >= MINUTE
        {
            self.begun.pop_front();
            lessen(&mut self.victims, &mark.0);
            lessen(&mut self.arrivals, &mark.1);
        }
        let used = self.begun.len();
        let share = self.per_minute.div_ceil(SHARE);
        let fresh = self.per_minute - self.per_minute / RESERVE;
        let of = |count: Option<&usize>| count.copied().unwrap_or(0) < share;
        let fair = of(self.victims.get(&mark.0)) || of(self.arrivals.get(&mark.1));
        let left = used < self.per_minute && (again || used < fresh && fair);
        if left {
            self.begun.push_back((now, mark));
            *self.victims.entry(mark.0).or_default() += 1;
            *self.arrivals.entry(mark.1).or_default() += 1;
        }
        left
    }
}

fn lessen<K: std::hash::Hash + Eq>(counts: &mut HashMap<K, usize>, key: &K) {
    if let Some(count) = counts.get_mut(key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000;

    fn victim(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    #[test]
    fn forged_names_at_one_victim_leave_their_share_to_everybody_else() {
        let mut shares = Shares::new(100);
        let forged = (0..1_000)
            .filter(|_| shares.take(0, (victim(1), 7), false))
            .count();
        assert_eq!(forged, 25);
        assert!(
            shares.take(0, (victim(1), 8), false),
            "it arrives otherwise"
        );
        assert!(shares.take(0, (victim(2), 7), false), "another victim");
        assert!(shares.take(0, (victim(1), 7), true), "it comes back");
        assert!(shares.take(60 * SECOND, (victim(1), 7), false));
    }

    #[test]
    fn names_that_arrive_in_every_way_leave_the_reserve_and_no_count_is_left_behind() {
        let mut shares = Shares::new(100);
        let forged = (0..1_000)
            .filter(|number| shares.take(0, (victim(*number as u8), *number), false))
            .count();
        assert_eq!(forged, 75);
        let again = (0..1_000)
            .filter(|_| shares.take(0, (victim(1), 7), true))
            .count();
        assert_eq!(again, 25);
        assert!(shares.take(90 * SECOND, (victim(1), 7), false));
        assert_eq!((shares.victims.len(), shares.arrivals.len()), (1, 1));
    }
}
