//! The commands that were received, kept until they expire, so that none is carried out twice, over restarts too.
//! It judges no command but by its id and its time.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use contract::timestamp::Timestamp;

/// The setting of the store in which they survive.
pub const SEEN_COMMANDS: &str = "report.commands";

/// What was received.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ReceivedCommands {
    /// The latest time at which one was accepted: the clock has shown it, so it must not show less.
    latest: Option<Timestamp>,
    /// When each id expires.
    expiries: BTreeMap<String, Timestamp>,
}

/// Why a command cannot be entered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NotEntered {
    /// It was entered before.
    Repeated,
    /// There is no room.
    Overrun,
}

impl ReceivedCommands {
    /// What the store has kept. What cannot be read is as if nothing had been received.
    pub(super) fn read(kept: Option<&str>) -> Self {
        let Some(kept) = kept else {
            return Self::default();
        };
        serde_json::from_str(kept).unwrap_or_else(|error| {
            tracing::error!("commands received before the restart are unknown: {error}");
            Self::default()
        })
    }

    /// What the store is to keep.
    pub(super) fn write(&self) -> Option<String> {
        serde_json::to_string(self).ok()
    }

    /// Whether the clock shows less than it has shown before, by more than `skew`.
    pub(super) fn clock_went_back(&self, now: Timestamp, skew: Duration) -> bool {
        self.latest.is_some_and(|latest| now.after(skew) < latest)
    }

    /// Enters a command that expires at `expiry`, with at most `cap` remembered.
    pub(super) fn enter(
        &mut self,
        (id, expiry): (&str, Timestamp),
        now: Timestamp,
        (cap, skew): (usize, Duration),
    ) -> Result<(), NotEntered> {
        // One that is forgotten would be refused as expired even if the clock went back by `skew`.
        self.expiries.retain(|_, expiry| expiry.after(skew) >= now);
        if self.expiries.contains_key(id) {
            return Err(NotEntered::Repeated);
        }
        if self.expiries.len() >= cap {
            return Err(NotEntered::Overrun);
        }
        self.expiries.insert(id.to_owned(), expiry);
        self.latest = self.latest.max(Some(now));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SKEW: Duration = Duration::from_secs(30);

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000)
    }

    #[test]
    fn an_id_is_known_until_it_has_expired_over_a_restart_too() {
        let mut seen = ReceivedCommands::default();
        assert_eq!(seen.enter(("a", at(100)), at(50), (2, SKEW)), Ok(()));
        let mut seen = ReceivedCommands::read(seen.write().as_deref());
        assert_eq!(
            seen.enter(("a", at(100)), at(60), (2, SKEW)),
            Err(NotEntered::Repeated)
        );
        assert_eq!(
            seen.enter(("a", at(100)), at(130), (2, SKEW)),
            Err(NotEntered::Repeated)
        );
        assert_eq!(seen.enter(("a", at(200)), at(131), (2, SKEW)), Ok(()));
    }

    #[test]
    fn a_full_memory_refuses_rather_than_forgets() {
        let mut seen = ReceivedCommands::default();
        seen.enter(("a", at(100)), at(0), (1, SKEW)).unwrap();
        assert_eq!(
            seen.enter(("b", at(100)), at(0), (1, SKEW)),
            Err(NotEntered::Overrun)
        );
        assert_eq!(
            seen.enter(("a", at(100)), at(1), (1, SKEW)),
            Err(NotEntered::Repeated)
        );
    }

    #[test]
    fn a_clock_that_goes_back_is_noticed() {
        let mut seen = ReceivedCommands::default();
        assert!(!seen.clock_went_back(at(0), SKEW));
        seen.enter(("a", at(1_000)), at(500), (8, SKEW)).unwrap();
        assert!(!seen.clock_went_back(at(470), SKEW));
        assert!(seen.clock_went_back(at(469), SKEW));
    }
}
