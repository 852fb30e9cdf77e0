//! What `[report]` may hold: where the broker is, how it is spoken to, and whose commands count.
//! It must not open a file or a connection; a secret is never a setting, only the path of its file is.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::VerifyingKey;
use serde::{Deserialize, Serialize};

use super::DAY;
use super::name::FilePath;
use super::setting::{Count, List, Maybe, Setting, Span, serde_as_text};

/// The ports of MQTT and of MQTT over TLS (IANA).
const PLAIN_PORT: u16 = 1883;
const TLS_PORT: u16 = 8883;

/// `[report]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Report {
    /// The broker; unset nothing is reported.
    pub url: Maybe<BrokerUrl>,
    /// Whose signature the broker's certificate needs.
    pub ca_file: FilePath,
    /// Our own certificate for the broker.
    pub client_certificate: Maybe<FilePath>,
    /// Its key.
    pub client_key: Maybe<FilePath>,
    /// Our name at the broker.
    pub user: Maybe<UserName>,
    /// The file that holds our password.
    pub password_file: Maybe<FilePath>,
    /// How long the connection may be silent.
    pub keep_alive: Span<5, 3_600>,
    /// The longest wait between two tries to connect.
    pub max_backoff: Span<1, 3_600>,
    /// Messages on their way to the broker at once.
    pub inflight: Count<1, 1_000>,
    /// Messages a second of what has piled up or is asked for again.
    pub drain_rate: Count<1, 100_000>,
    /// The largest packet, KiB.
    pub max_packet_kib: Count<1, 16_384>,
    /// How often figures are sent.
    pub telemetry_interval: Span<5, 3_600>,
    /// Messages that are kept, to be sent or to be sent again.
    pub outbox_max_messages: Count<100, 10_000_000>,
    /// Bytes of these messages, MiB.
    pub outbox_max_mib: Count<1, 65_536>,
    /// How long a message is kept.
    pub outbox_max_age: Span<60, { 365 * DAY }>,
    /// The public keys whose commands are carried out.
    pub command_keys: List<PublicKey>,
    /// The longest time for which a command may be valid.
    pub command_max_age: Span<10, DAY>,
    /// How far the coordinator's clock may be ahead of ours.
    pub command_skew: Span<0, 3_600>,
    /// Commands that are remembered, so that none is carried out twice.
    pub command_memory: Count<16, 4_096>,
}

impl Default for Report {
    fn default() -> Self {
        Self {
            url: Maybe(None),
            ca_file: FilePath::new("/etc/ssl/certs/ca-certificates.crt"),
            client_certificate: Maybe(None),
            client_key: Maybe(None),
            user: Maybe(None),
            password_file: Maybe(None),
            keep_alive: Span::clamped(30),
            max_backoff: Span::clamped(300),
            inflight: Count::clamped(64),
            drain_rate: Count::clamped(500),
            max_packet_kib: Count::clamped(256),
            telemetry_interval: Span::clamped(60),
            outbox_max_messages: Count::clamped(50_000),
            outbox_max_mib: Count::clamped(128),
            outbox_max_age: Span::clamped(7 * DAY),
            command_keys: List::default(),
            command_max_age: Span::clamped(3_600),
            command_skew: Span::clamped(30),
            command_memory: Count::clamped(512),
        }
    }
}

/// Where the broker is: `mqtt://host[:port]`, or `mqtts://` for TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokerUrl {
    text: String,
    scheme: Scheme,
    host: String,
    port: u16,
}

/// How the broker is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// In the clear.
    Plain,
    /// Over TLS.
    Tls,
}

impl BrokerUrl {
    /// The URL.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// How the broker is spoken to.
    pub const fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// Its name or address; an IPv6 address stands in brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Its port.
    pub const fn port(&self) -> u16 {
        self.port
    }
}

impl Setting for BrokerUrl {
    fn read(text: &str) -> Option<Self> {
        let (scheme, rest, default) = match text.split_once("://")? {
            ("mqtt", rest) => (Scheme::Plain, rest, PLAIN_PORT),
            ("mqtts", rest) => (Scheme::Tls, rest, TLS_PORT),
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
        (usable && port > 0).then(|| Self {
            text: text.to_owned(),
            scheme,
            host: host.to_owned(),
            port,
        })
    }

    fn write(&self) -> String {
        self.text.clone()
    }

    fn allowed() -> String {
        "a URL that starts with mqtt:// or mqtts:// and names a host and, if need be, a port"
            .to_owned()
    }
}

/// Our name at the broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserName(String);

impl UserName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Setting for UserName {
    fn read(text: &str) -> Option<Self> {
        let usable = (1..=256).contains(&text.len()) && !text.contains(char::is_control);
        usable.then(|| Self(text.to_owned()))
    }

    fn write(&self) -> String {
        self.0.clone()
    }

    fn allowed() -> String {
        "a user name of at most 256 bytes".to_owned()
    }
}

/// A public key whose signature makes a command count, and the name it goes by.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey {
    kid: String,
    key: VerifyingKey,
}

impl PublicKey {
    /// The name by which commands and the audit trail refer to it.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The key.
    pub const fn key(&self) -> &VerifyingKey {
        &self.key
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", self.write())
    }
}

impl Setting for PublicKey {
    fn read(text: &str) -> Option<Self> {
        let (kid, key) = text.split_once(':')?;
        let plain = |byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
        if !(1..=63).contains(&kid.len()) || !kid.bytes().all(plain) {
            return None;
        }
        let bytes = STANDARD.decode(key).ok()?;
        let key = VerifyingKey::from_bytes(bytes.as_slice().try_into().ok()?).ok()?;
        // Whatever is signed by a weak key is signed by everybody.
        (!key.is_weak()).then(|| Self {
            kid: kid.to_owned(),
            key,
        })
    }

    fn write(&self) -> String {
        format!("{}:{}", self.kid, STANDARD.encode(self.key.as_bytes()))
    }

    fn allowed() -> String {
        "a name (1 to 63 of a-z, 0-9 and -), a colon, and an ed25519 public key in base64"
            .to_owned()
    }
}

serde_as_text! {
    [] BrokerUrl;
    [] UserName;
    [] PublicKey;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broker_is_a_name_or_an_address_with_the_usual_port() {
        let read = |text| BrokerUrl::read(text).map(|url| (url.scheme, url.host, url.port));
        let host = |name: &str| name.to_owned();
        let known = [
            ("mqtt://soc.example", Scheme::Plain, "soc.example", 1883),
            ("mqtts://soc.example", Scheme::Tls, "soc.example", 8883),
            ("mqtts://192.0.2.1:443/", Scheme::Tls, "192.0.2.1", 443),
            ("mqtt://[2001:db8::1]", Scheme::Plain, "[2001:db8::1]", 1883),
            ("mqtt://[2001:db8::1]:9", Scheme::Plain, "[2001:db8::1]", 9),
        ];
        for (text, scheme, name, port) in known {
            assert_eq!(read(text), Some((scheme, host(name), port)), "{text}");
        }
        for text in [
            "soc.example",
            "http://soc.example",
            "mqtt://",
            "mqtt://:1883",
            "mqtt://user:secret@soc.example",
            "mqtt://soc.example/topic",
            "mqtt://soc.example:0",
            "mqtt://soc.example:70000",
            "mqtt://2001:db8::1",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn a_key_is_a_name_and_a_point_of_the_curve_that_is_not_weak() {
        let text = "ops-1:11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
        let key = PublicKey::read(text).unwrap();
        assert_eq!((key.kid(), key.write().as_str()), ("ops-1", text));
        let weak = format!("ops-1:{}", STANDARD.encode([0; 32]));
        for text in [
            "ops-1",
            "ops-1:",
            "OPS:11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=",
            &weak,
        ] {
            assert!(PublicKey::read(text).is_none(), "{text}");
        }
    }
}
