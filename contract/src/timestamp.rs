//! Wall time as incidents and records write it.
//! It only labels: nothing is decided by it.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;

/// RFC 3339 in UTC, always with six digits of a second, so that text sorts as time does.
const RFC_3339: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:6]Z");

/// Microseconds since 1970 in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp(i64);

/// A moment as people read it, to the second: `2026-11-27 19:14:55Z`.
pub fn clock(moment: Timestamp) -> String {
    format!("{moment:.19}Z").replacen('T', " ", 1)
}

impl Timestamp {
    /// The moment `micros` after 1970 began.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Microseconds since 1970 began.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// The moment `span` later.
    pub fn after(self, span: Duration) -> Self {
        Self(
            self.0
                .saturating_add(i64::try_from(span.as_micros()).unwrap_or(i64::MAX)),
        )
    }

    /// How much later this is than `earlier`; nothing where it is not.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

/// The text is not a moment as RFC 3339 writes it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a time such as 2026-01-31T12:00:00Z")]
pub struct NotATime(String);

impl FromStr for Timestamp {
    type Err = NotATime;

    fn from_str(text: &str) -> Result<Self, NotATime> {
        let moment = OffsetDateTime::parse(text, &Rfc3339);
        let micros = moment.map(|moment| moment.unix_timestamp_nanos() / 1_000);
        let micros = micros.ok().and_then(|micros| i64::try_from(micros).ok());
        micros.map(Self).ok_or_else(|| NotATime(text.to_owned()))
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

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

impl JsonSchema for Timestamp {
    fn schema_name() -> Cow<'static, str> {
        "Timestamp".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "format": "date-time"})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_can_be_read_again() {
        let moment = Timestamp::from_micros(1_700_000_000_000_042);
        assert_eq!(moment.to_string().parse(), Ok(moment));
        assert_eq!("2023-11-14T23:13:20.000042+01:00".parse(), Ok(moment));
        assert!("yesterday".parse::<Timestamp>().is_err());
        let later = moment.after(Duration::from_secs(2));
        assert_eq!(
            (later.since(moment), moment.since(later)),
            (Duration::from_secs(2), Duration::ZERO)
        );
    }

    #[test]
    fn six_digits_always_and_no_panic_at_the_ends_of_time() {
        let text = |micros| Timestamp::from_micros(micros).to_string();
        assert_eq!(text(1_700_000_000_000_000), "2023-11-14T22:13:20.000000Z");
        assert_eq!(text(1_700_000_000_000_042), "2023-11-14T22:13:20.000042Z");
        assert_eq!(text(i64::MAX), "1970-01-01T00:00:00.000000Z");
        assert_eq!(text(i64::MIN), "1970-01-01T00:00:00.000000Z");
    }
}
