//! What one setting may hold: every value is read from text and can say what is allowed.
//! It must not know which keys exist or where a value came from.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::ops::Deref;
use std::time::Duration;

use ipnet::IpNet;
use serde::de::{self, Deserialize, Deserializer, SeqAccess, Visitor};

use contract::address::canonical;

/// A value of the configuration. Files write numbers as numbers and the environment writes everything
/// as text, so reading goes through text for both.
pub trait Setting: Sized {
    /// The value, or `None` when the text is not allowed.
    fn read(text: &str) -> Option<Self>;
    /// The value of a list in a file; most settings hold a single value.
    fn read_list(_items: &[String]) -> Option<Self> {
        None
    }
    /// The text that `read` takes back.
    fn write(&self) -> String;
    /// What is allowed, to follow the words "allowed is".
    fn allowed() -> String;
}

/// A whole number from `MIN` to `MAX`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count<const MIN: u32, const MAX: u32>(u32);

impl<const MIN: u32, const MAX: u32> Count<MIN, MAX> {
    /// The number, moved into the range; for defaults, which a test keeps inside it.
    pub const fn clamped(count: u32) -> Self {
        match count {
            low if low < MIN => Self(MIN),
            high if high > MAX => Self(MAX),
            inside => Self(inside),
        }
    }

    /// The number.
    pub const fn get(self) -> u32 {
        self.0
    }

    /// The number as a table size.
    pub const fn size(self) -> usize {
        self.0 as usize
    }
}

impl<const MIN: u32, const MAX: u32> Setting for Count<MIN, MAX> {
    fn read(text: &str) -> Option<Self> {
        let count = text.parse().ok()?;
        (MIN..=MAX).contains(&count).then_some(Self(count))
    }

    fn write(&self) -> String {
        self.0.to_string()
    }

    fn allowed() -> String {
        format!("a whole number from {MIN} to {MAX}")
    }
}

/// A duration from `MIN` to `MAX` seconds, written like `90s`, `10m` or `1day 6h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span<const MIN: u64, const MAX: u64>(Duration);

impl<const MIN: u64, const MAX: u64> Span<MIN, MAX> {
    /// So many seconds, moved into the range; for defaults, which a test keeps inside it.
    pub const fn clamped(seconds: u64) -> Self {
        match seconds {
            low if low < MIN => Self(Duration::from_secs(MIN)),
            high if high > MAX => Self(Duration::from_secs(MAX)),
            inside => Self(Duration::from_secs(inside)),
        }
    }

    /// The duration.
    pub const fn get(self) -> Duration {
        self.0
    }

    /// The duration in microseconds, the unit of the sensor's time.
    pub const fn micros(self) -> u64 {
        self.0.as_secs() * 1_000_000 + self.0.subsec_micros() as u64
    }
}

impl<const MIN: u64, const MAX: u64> Setting for Span<MIN, MAX> {
    fn read(text: &str) -> Option<Self> {
        let span = humantime::parse_duration(text).ok()?;
        (Duration::from_secs(MIN)..=Duration::from_secs(MAX))
            .contains(&span)
            .then_some(Self(span))
    }

    fn write(&self) -> String {
        humantime::format_duration(self.0).to_string()
    }

    fn allowed() -> String {
        let words = |seconds| humantime::format_duration(Duration::from_secs(seconds));
        format!(
            "a duration with its unit, from {} to {}",
            words(MIN),
            words(MAX)
        )
    }
}

/// Several values: a list in a file, separated by commas in the environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct List<T>(pub Vec<T>);

impl<T> Default for List<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Deref for List<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<T: Setting> Setting for List<T> {
    fn read(text: &str) -> Option<Self> {
        let items = text
            .split(',')
            .map(str::trim)
            .filter(|item| !item.is_empty());
        items.map(T::read).collect::<Option<_>>().map(Self)
    }

    fn read_list(items: &[String]) -> Option<Self> {
        let items = items.iter().map(|item| T::read(item));
        items.collect::<Option<_>>().map(Self)
    }

    fn write(&self) -> String {
        let items: Vec<String> = self.iter().map(T::write).collect();
        items.join(",")
    }

    fn allowed() -> String {
        format!("a list, each item {}", T::allowed())
    }
}

/// A value that may be absent, which is written as empty text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Maybe<T>(pub Option<T>);

impl<T> Default for Maybe<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T> Maybe<T> {
    /// The value where there is one.
    pub const fn get(&self) -> Option<&T> {
        self.0.as_ref()
    }
}

impl<T: Setting> Setting for Maybe<T> {
    fn read(text: &str) -> Option<Self> {
        match text {
            "" => Some(Self(None)),
            text => T::read(text).map(|value| Self(Some(value))),
        }
    }

    fn write(&self) -> String {
        self.0.as_ref().map(T::write).unwrap_or_default()
    }

    fn allowed() -> String {
        format!("{}, or nothing", T::allowed())
    }
}

impl Setting for SocketAddr {
    fn read(text: &str) -> Option<Self> {
        text.parse().ok()
    }

    fn write(&self) -> String {
        self.to_string()
    }

    fn allowed() -> String {
        "an address with a port such as 127.0.0.1:9760".to_owned()
    }
}

/// A single address stands for itself; host bits are cleared, and a v4-mapped prefix becomes the IPv4 one.
impl Setting for IpNet {
    fn read(text: &str) -> Option<Self> {
        let net = text
            .parse::<Self>()
            .or_else(|_| text.parse::<IpAddr>().map(Self::from))
            .ok()?;
        Some(canonical(net))
    }

    fn write(&self) -> String {
        self.to_string()
    }

    fn allowed() -> String {
        "an address or a prefix such as 192.0.2.0/24".to_owned()
    }
}

impl Setting for u16 {
    fn read(text: &str) -> Option<Self> {
        text.parse().ok().filter(|port| *port > 0)
    }

    fn write(&self) -> String {
        self.to_string()
    }

    fn allowed() -> String {
        "a port from 1 to 65535".to_owned()
    }
}

/// Implements serde for settings by way of their text.
macro_rules! serde_as_text {
    ($([$($generics:tt)*] $type:ty;)*) => {$(
        impl<$($generics)*> serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&$crate::setting::Setting::write(self))
            }
        }

        impl<'de, $($generics)*> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                $crate::setting::deserialize(deserializer)
            }
        }
    )*};
}
pub(super) use serde_as_text;

serde_as_text! {
    [const MIN: u32, const MAX: u32] Count<MIN, MAX>;
    [const MIN: u64, const MAX: u64] Span<MIN, MAX>;
    [T: Setting] List<T>;
    [T: Setting] Maybe<T>;
}

/// Reads a setting from the scalar, or the list of scalars, that stands there.
pub(super) fn deserialize<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Setting,
{
    match deserializer.deserialize_any(AsText)? {
        Text::One(text) => T::read(&text),
        Text::Many(items) => T::read_list(&items),
    }
    .ok_or_else(|| de::Error::custom(T::allowed()))
}

enum Text {
    One(String),
    Many(Vec<String>),
}

/// Turns scalars into text; what is neither a scalar nor a list of them has no text.
struct AsText;

impl<'de> Visitor<'de> for AsText {
    type Value = Text;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a value or a list of values")
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Text, E> {
        Ok(Text::One(value.to_string()))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Text, E> {
        Ok(Text::One(value.to_string()))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Text, E> {
        Ok(Text::One(value.to_string()))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Text, E> {
        Ok(Text::One(value.to_string()))
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Text, E> {
        Ok(Text::One(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Text, A::Error> {
        let mut texts = Vec::new();
        while let Some(Item(text)) = items.next_element()? {
            texts.push(text);
        }
        Ok(Text::Many(texts))
    }
}

/// One scalar of a list; lists do not nest.
struct Item(String);

impl<'de> Deserialize<'de> for Item {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match deserializer.deserialize_any(AsText)? {
            Text::One(text) => Ok(Self(text)),
            Text::Many(_) => Err(de::Error::custom("a list that holds no other list")),
        }
    }
}
