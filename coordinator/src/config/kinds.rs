//! What a setting may hold beside numbers and words: spans of time, the broker's URL, TLS, the mode of the fleet.
//! They are checked when read, so nothing else has to check them again.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// The ports of MQTT and of MQTT over TLS (IANA).
const PLAIN_PORT: u16 = 1883;
const TLS_PORT: u16 = 8883;

/// A duration, written like `90s`, `10m` or `1day 6h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span(Duration);

impl Span {
    /// So many seconds.
    pub const fn seconds(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }

    /// The duration.
    pub const fn get(self) -> Duration {
        self.0
    }

    /// The duration in microseconds, the unit of the store's time.
    pub fn micros(self) -> i64 {
        i64::try_from(self.0.as_micros()).unwrap_or(i64::MAX)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let span = humantime::parse_duration(&text)
            .ok()
            .filter(|span| !span.is_zero());
        let allowed = "a duration with its unit such as 90s, 10m or 7days";
        span.map(Self)
            .ok_or_else(|| de::Error::custom(format!("it is {text:?}; allowed is {allowed}")))
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&humantime::format_duration(self.0))
    }
}

/// Where the broker is: `mqtt://host[:port]`, or `mqtts://` for TLS; or nowhere.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BrokerUrl(Option<Place>);

/// A broker's place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The URL as it was written.
    pub text: String,
    /// Whether TLS is spoken.
    pub tls: bool,
    /// Name or address, without brackets.
    pub host: String,
    /// Port.
    pub port: u16,
}

impl BrokerUrl {
    /// Where it is; nothing where none is set.
    pub const fn get(&self) -> Option<&Place> {
        self.0.as_ref()
    }

    fn read(text: &str) -> Option<Self> {
        if text.is_empty() {
            return Some(Self(None));
        }
        let (tls, rest, default) = match text.split_once("://")? {
            ("mqtt", rest) => (false, rest, PLAIN_PORT),
            ("mqtts", rest) => (true, rest, TLS_PORT),
            _ => return None,
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let bracket = rest.rfind(']').unwrap_or(0);
        let (host, port) = match rest.get(bracket..)?.rfind(':') {
            Some(at) => {
                let (host, port) = rest.split_at(bracket + at);
                (host, port.get(1..)?.parse().ok()?)
            }
            None => (rest, default),
        };
        let named = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
        let address = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'));
        let usable = match address {
            Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
            None => !host.is_empty() && host.bytes().all(named),
        };
        (usable && port > 0).then(|| {
            Self(Some(Place {
                text: text.to_owned(),
                tls,
                host: address.unwrap_or(host).to_owned(),
                port,
            }))
        })
    }
}

impl<'de> Deserialize<'de> for BrokerUrl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let allowed = "a URL that starts with mqtt:// or mqtts:// and names a host and, if need be, a port, or nothing";
        Self::read(&text)
            .ok_or_else(|| de::Error::custom(format!("it is {text:?}; allowed is {allowed}")))
    }
}

impl Serialize for BrokerUrl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.as_ref().map_or("", |place| &place.text))
    }
}

/// Whether the API speaks TLS, and with what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tls {
    /// It does not.
    Off,
    /// With the certificate chain and the private key in these PEM files.
    Files(PathBuf, PathBuf),
}

impl<'de> Deserialize<'de> for Tls {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Switch(bool),
            Word(String),
            Files([String; 2]),
            Named { certificate: String, key: String },
        }
        let wrong = || {
            de::Error::custom(
                "allowed is \"off\", or the certificate's and the key's PEM file as \"CERTIFICATE,KEY\"",
            )
        };
        match Written::deserialize(deserializer).map_err(|_| wrong())? {
            Written::Switch(false) => Ok(Self::Off),
            Written::Word(word) if matches!(word.as_str(), "" | "off" | "false") => Ok(Self::Off),
            Written::Word(word) => match word.split_once(',') {
                Some((certificate, key)) => {
                    Ok(Self::Files(certificate.trim().into(), key.trim().into()))
                }
                None => Err(wrong()),
            },
            Written::Files([certificate, key]) | Written::Named { certificate, key } => {
                Ok(Self::Files(certificate.into(), key.into()))
            }
            Written::Switch(true) => Err(wrong()),
        }
    }
}

impl Serialize for Tls {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Off => serializer.serialize_str("off"),
            Self::Files(certificate, key) => {
                serializer.collect_str(&format!("{},{}", certificate.display(), key.display()))
            }
        }
    }
}

/// Whether fleet blocks are sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FleetMode {
    /// They are concluded and shown.
    #[default]
    Observe,
    /// They are sent.
    Enforce,
}

impl<'de> Deserialize<'de> for FleetMode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match String::deserialize(deserializer)?.as_str() {
            "observe" => Ok(Self::Observe),
            "enforce" => Ok(Self::Enforce),
            other => {
                let allowed = "allowed is \"observe\" or \"enforce\"";
                Err(de::Error::custom(format!("it is {other:?}; {allowed}")))
            }
        }
    }
}
