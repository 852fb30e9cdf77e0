//! Wall time as incidents write it.
//! It only labels: nothing is decided by it.

use std::fmt;

use serde::{Serialize, Serializer};
use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;

/// RFC 3339 in UTC, always with six digits of a second, so that text sorts as time does.
const RFC_3339: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:6]Z");

/// Microseconds since 1970 in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The moment `micros` after 1970 began.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Microseconds since 1970 began.
    pub const fn micros(self) -> i64 {
        self.0
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A capture may claim any year; one that RFC 3339 cannot write becomes 1970.
        let moment = OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.0) * 1000)
            .ok()
            .filter(|moment| (0..=9999).contains(&moment.year()))
            .unwrap_or(OffsetDateTime::UNIX_EPOCH);
        f.pad(&moment.format(RFC_3339).map_err(|_| fmt::Error)?)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn six_digits_always_and_no_panic_at_the_ends_of_time() {
        let text = |micros| Timestamp::from_micros(micros).to_string();
        assert_eq!(text(1_700_000_000_000_000), "2023-11-14T22:13:20.000000Z");
        assert_eq!(text(1_700_000_000_000_042), "2023-11-14T22:13:20.000042Z");
        assert_eq!(text(i64::MAX), "1970-01-01T00:00:00.000000Z");
        assert_eq!(text(i64::MIN), "1970-01-01T00:00:00.000000Z");
    }
}
