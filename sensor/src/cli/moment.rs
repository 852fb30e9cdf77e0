//! Times and durations as people write and read them at the command line.
//! Everything is said in UTC, so that two people mean the same.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use contract::action::{LONGEST, Lifetime};
use contract::timestamp::Timestamp;
pub use contract::timestamp::clock;

/// Now, by the wall clock.
pub fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let micros = since.map_or(0, |since| {
        i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
    });
    Timestamp::from_micros(micros)
}

/// Reads a duration such as `4h` or `90s`.
pub fn span(text: &str) -> Result<Duration, String> {
    let span = humantime::parse_duration(text).ok();
    let span = span.filter(|span| (Duration::from_secs(1)..=LONGEST).contains(span));
    // What is asked of the daemon counts in seconds.
    span.map(|span| Duration::from_secs(span.as_secs()))
        .ok_or_else(|| "allowed is a duration such as 90s, 4h or 7days, of 1s to 10 years".into())
}

/// Reads a duration, or `permanent`.
pub fn lifetime(text: &str) -> Result<Lifetime, String> {
    match text {
        "permanent" => Ok(Lifetime::Permanent),
        text => span(text)
            .map(Lifetime::For)
            .map_err(|allowed| format!("{allowed}, or permanent")),
    }
}

/// Reads how long ago, or a moment as RFC 3339 writes it.
pub fn past(text: &str) -> Result<Timestamp, String> {
    if let Ok(moment) = text.parse() {
        return Ok(moment);
    }
    let span = span(text)
        .map_err(|_| "allowed is how long ago, such as 2h, or a time such as 2026-01-31T12:00:00Z");
    let micros = i64::try_from(span?.as_micros()).unwrap_or(i64::MAX);
    Ok(Timestamp::from_micros(
        now().micros().saturating_sub(micros),
    ))
}

/// A duration in its two largest units: `3h 12m`.
pub fn rough(span: Duration) -> String {
    let exact = humantime::format_duration(Duration::from_secs(span.as_secs())).to_string();
    exact.split(' ').take(2).collect::<Vec<_>>().join(" ")
}

/// What is left until `expires`: `3h 12m`, `permanent`, or `over`.
pub fn remaining(expires: Option<Timestamp>) -> String {
    match expires.map(|expires| expires.since(now())) {
        None => "permanent".to_owned(),
        Some(Duration::ZERO) => "over".to_owned(),
        Some(left) => rough(left),
    }
}

/// Until when, as the end of a sentence: `until 2026-01-31 12:00:00Z (3h 12m left)`, or `permanently`.
pub fn until(expires: Option<Timestamp>) -> String {
    match expires {
        None => "permanently".to_owned(),
        Some(moment) if moment <= now() => format!("until {} (over)", clock(moment)),
        Some(moment) => format!("until {} ({} left)", clock(moment), remaining(expires)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_write_is_read() {
        let hours = |n: u64| Ok(Duration::from_secs(n * 3600));
        assert_eq!(span("4h"), hours(4));
        assert_eq!(span("7days"), hours(7 * 24));
        assert_eq!(lifetime("permanent"), Ok(Lifetime::Permanent));
        assert_eq!(lifetime("1day 6h"), hours(30).map(Lifetime::For));
        for wrong in ["", "0s", "300ms", "4", "forever", "11y"] {
            assert!(
                lifetime(wrong).unwrap_err().contains("permanent"),
                "{wrong}"
            );
        }
        let moment = Timestamp::from_micros(1_700_000_000_000_000);
        assert_eq!(past("2023-11-14T22:13:20Z"), Ok(moment));
        assert!(past("2h").unwrap() < now() && past("yesterday").is_err());
    }

    #[test]
    fn what_is_left_is_said_in_two_units() {
        assert_eq!(rough(Duration::from_secs(11_525)), "3h 12m");
        assert_eq!(rough(Duration::from_secs(59)), "59s");
        assert_eq!(remaining(None), "permanent");
        assert_eq!(remaining(Some(Timestamp::from_micros(0))), "over");
        let moment = Timestamp::from_micros(1_700_000_000_123_456);
        assert_eq!(clock(moment), "2023-11-14 22:13:20Z");
    }
}
