//! So many messages a second, evenly: what has piled up must not fill the line.
//! It sends nothing, and time is an argument.

use std::time::Duration;

use tokio::time::Instant;

/// Unused messages of so long a time may go at once, which keeps timers coarse.
const BURST: Duration = Duration::from_millis(100);

/// Hands out leave to send.
#[derive(Debug)]
pub(super) struct RateLimit {
    gap: Duration,
    /// When the next one may go, if no burst were allowed.
    due: Instant,
}

impl RateLimit {
    /// `rate` messages a second.
    pub(super) fn new(rate: u32, now: Instant) -> Self {
        Self {
            gap: Duration::from_secs(1) / rate.max(1),
            due: now,
        }
    }

    /// Whether one may go now; if not, when.
    pub(super) fn take(&mut self, now: Instant) -> Result<(), Instant> {
        let earliest = now.checked_sub(BURST).unwrap_or(now);
        let due = self.due.max(earliest);
        if due > now {
            return Err(now + self.gap.max(BURST / 2));
        }
        self.due = due + self.gap;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_than_the_rate_goes_in_any_second() {
        let start = Instant::now();
        let mut rate = RateLimit::new(500, start);
        let mut now = start;
        let mut sent = 0;
        while now < start + Duration::from_secs(2) {
            match rate.take(now) {
                Ok(()) => sent += 1,
                Err(later) => now = later,
            }
        }
        assert!((900..=1_060).contains(&sent), "{sent}");
    }

    #[test]
    fn a_slow_rate_still_lets_one_go() {
        let start = Instant::now();
        let mut rate = RateLimit::new(1, start);
        assert_eq!(rate.take(start), Ok(()));
        assert!(rate.take(start).is_err_and(|later| later > start));
        assert_eq!(rate.take(start + Duration::from_secs(1)), Ok(()));
    }
}
