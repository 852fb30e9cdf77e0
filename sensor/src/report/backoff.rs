//! How long to wait before the next try: twice as long each time, and each sensor a little differently.
//! It waits for nothing itself.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::time::Duration;

/// The first wait. A broker that restarts takes about as long.
const FIRST: Duration = Duration::from_secs(1);

/// Grows with each failure.
#[derive(Debug, Clone)]
pub(super) struct Backoff {
    next: Duration,
    max: Duration,
}

impl Backoff {
    /// Waits from a second up to `max`.
    pub(super) fn new(max: Duration) -> Self {
        Self {
            next: FIRST.min(max),
            max,
        }
    }

    /// How long to wait now: between half of the wait and all of it.
    pub(super) fn wait(&mut self) -> Duration {
        let whole = self.next;
        self.next = (whole * 2).min(self.max);
        whole.mul_f64(0.5 + jitter() / 2.0)
    }

    /// It has worked: the next wait is the shortest again.
    pub(super) fn reset(&mut self) {
        self.next = FIRST.min(self.max);
    }
}

/// A number from 0 to 1, another one each time. Nobody gains by guessing it.
fn jitter() -> f64 {
    let bits = RandomState::new().build_hasher().finish();
    f64::from(u32::try_from(bits >> 32).unwrap_or(u32::MAX)) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest_and_begin_anew_after_a_success() {
        let mut backoff = Backoff::new(Duration::from_secs(300));
        for whole in [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300] {
            let wait = backoff.wait();
            let whole = Duration::from_secs(whole);
            assert!(whole / 2 <= wait && wait <= whole, "{wait:?} of {whole:?}");
        }
        backoff.reset();
        assert!(backoff.wait() <= FIRST);
    }

    #[test]
    fn two_sensors_do_not_wait_alike() {
        let waits: Vec<Duration> = (0..8).map(|_| Backoff::new(FIRST).wait()).collect();
        assert!(waits.windows(2).any(|pair| pair[0] != pair[1]), "{waits:?}");
    }
}
