//! Wall time: microseconds since 1970 in UTC, as the store keeps it, and as RFC 3339 for everybody else.
//! What decides gets it as an argument.

use std::time::{SystemTime, UNIX_EPOCH};

use contract::timestamp::Timestamp;

/// A second.
pub const SECOND: i64 = 1_000_000;

/// The moment now.
pub fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
    })
}

/// A moment as RFC 3339 writes it; one it cannot write becomes 1970.
pub fn text(micros: i64) -> String {
    Timestamp::from_micros(micros).to_string()
}

/// Reads RFC 3339.
pub fn read(text: &str) -> Option<i64> {
    text.parse::<Timestamp>().ok().map(Timestamp::micros)
}
