//! How moments, spans and numbers are written. Everything that comes from outside is escaped by the templates; what is
//! marked as safe here is made of numbers alone.

use std::fmt;

use askama::filters::HtmlSafe;
use serde_json::Value;

use super::words::Words;
use crate::moment;

/// A moment: UTC, which the browser puts beside the reader's own time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct When(pub(super) i64);

impl HtmlSafe for When {}

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = moment::text(self.0);
        let (day, time) = text.split_once('T').unwrap_or((&text, ""));
        let time = time.get(..8).unwrap_or_default();
        write!(f, "<time datetime=\"{day}T{time}Z\">{day} {time}Z</time>")
    }
}

impl When {
    /// The moment a document writes.
    pub(super) fn of(value: &Value) -> Option<Self> {
        value.as_str().and_then(moment::read).map(Self)
    }
}

/// A moment as plain text.
pub(super) fn plain(at: i64) -> String {
    let text = moment::text(at);
    let (day, time) = text.split_once('T').unwrap_or((&text, ""));
    format!("{day} {}Z", time.get(..8).unwrap_or_default())
}

/// A span in the two largest units that say something.
pub(super) fn span(words: &Words, micros: i64) -> String {
    let millis = micros.max(0) / 1_000;
    let seconds = millis / 1_000;
    let two = |(large, name): (i64, &str), (small, other): (i64, &str)| match small {
        0 => format!("{large} {name}"),
        _ => format!("{large} {name} {small} {other}"),
    };
    match seconds {
        0 => format!("{millis} ms"),
        1..60 => format!("{seconds} s"),
        60..3_600 => two((seconds / 60, "min"), (seconds % 60, "s")),
        3_600..86_400 => two((seconds / 3_600, "h"), (seconds % 3_600 / 60, "min")),
        _ => two(
            (seconds / 86_400, words.days),
            (seconds % 86_400 / 3_600, "h"),
        ),
    }
}

/// A number with its thousands apart.
pub(super) fn number(value: i64) -> String {
    let digits = value.unsigned_abs().to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    if value < 0 {
        format!("−{text}")
    } else {
        text
    }
}

/// Bytes in the unit that fits.
pub(super) fn bytes(value: i64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "it is rounded anyway")]
    let mut size = value as f64;
    for unit in ["B", "kB", "MB", "GB"] {
        if size < 1_000.0 {
            return if unit == "B" {
                format!("{size:.0} B")
            } else {
                format!("{size:.1} {unit}")
            };
        }
        size /= 1_000.0;
    }
    format!("{size:.1} TB")
}

/// A text as it stands in the path or the query of an address.
pub(super) fn in_query(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                safe.push(char::from(byte))
            }
            _ => safe.push_str(&format!("%{byte:02X}")),
        }
    }
    safe
}

/// A name for an element that is the same as long as `text` is.
pub(super) fn mark(prefix: &str, text: &str) -> String {
    let digest = crate::access::digest(text);
    format!("{prefix}-{}", digest.get(..12).unwrap_or(&digest))
}

/// A text of a document.
pub(super) fn text(value: &Value, place: &str) -> String {
    match value.pointer(place) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) => number.to_string(),
        Some(Value::Bool(is)) => is.to_string(),
        _ => String::new(),
    }
}

/// An address without the length of its prefix where that says nothing.
pub(super) fn target(text: &str) -> String {
    let net = text.parse::<ipnet::IpNet>();
    net.map_or_else(|_| text.to_owned(), contract::address::shown)
}

/// A network's own address, for its page.
pub(super) fn address_of(text: &str) -> String {
    let net = text.parse::<ipnet::IpNet>();
    net.map_or_else(|_| text.to_owned(), |net| net.addr().to_string())
}

#[cfg(test)]
mod tests {
    use super::super::words::{Language, Words};
    use super::*;

    #[test]
    fn spans_and_numbers_read_well() {
        let words = Words::of(Language::English);
        for (micros, text) in [
            (0, "0 ms"),
            (250_000, "250 ms"),
            (59_000_000, "59 s"),
            (130_000_000, "2 min 10 s"),
            (7_200_000_000, "2 h"),
            (90_000_000_000, "1 d 1 h"),
        ] {
            assert_eq!(span(words, micros), text);
        }
        assert_eq!(number(1_234_567), "1\u{202f}234\u{202f}567");
        assert_eq!(
            (bytes(999), bytes(1_500)),
            ("999 B".to_owned(), "1.5 kB".to_owned())
        );
        assert_eq!(in_query("/a?b=ñ"), "%2Fa%3Fb%3D%C3%B1");
        assert_eq!(
            When(0).to_string(),
            "<time datetime=\"1970-01-01T00:00:00Z\">1970-01-01 00:00:00Z</time>"
        );
    }
}
