//! Every setting of the coordinator, with its default. `config/coordinator.toml` gives the reasons; a test keeps both
//! equal. Nothing here opens a file that a setting names.

mod kinds;
mod load;
mod oidc;
#[cfg(test)]
mod tests;

use std::net::{Ipv4Addr, SocketAddr};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

pub use kinds::{BrokerUrl, FleetMode, Span, Tls};
pub use load::{DEFAULT_FILE, Error};
pub use oidc::Oidc;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// Everything that can be set.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// `[database]`
    pub database: Database,
    /// `[mqtt]`
    pub mqtt: Mqtt,
    /// `[intake]`
    pub intake: Intake,
    /// `[http]`
    pub http: Http,
    /// `[orders]`
    pub orders: Orders,
    /// `[fleet]`
    pub fleet: Fleet,
    /// `[correlate]`
    pub correlate: Correlate,
    /// `[desk]`
    pub desk: Desk,
    /// `[access]`
    pub access: Access,
    /// `[oidc]`
    pub oidc: Oidc,
    /// `[retention]`
    pub retention: Retention,
}

/// `[database]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Database {
    /// `sqlite://FILE` or `postgres://USER@HOST/NAME`.
    pub url: String,
    /// Connections held open at most.
    pub connections: u32,
}

/// `[mqtt]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Mqtt {
    /// The broker; empty hears nothing.
    pub url: BrokerUrl,
    /// The sites to hear; none hears all.
    pub sites: Vec<String>,
    /// Our name at the broker, the same for all coordinators of one database.
    pub client_id: String,
    /// The user at the broker.
    pub user: String,
    /// The file that holds the password.
    pub password_file: String,
    /// Whose signature the broker's certificate needs.
    pub ca_file: String,
    /// Our own certificate.
    pub client_certificate: String,
    /// Its key.
    pub client_key: String,
    /// How long the broker keeps messages for us.
    pub session_expiry: Span,
    /// Messages on their way to us at once.
    pub window: u16,
    /// The largest packet, KiB.
    pub max_packet_kib: u32,
}

/// `[intake]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Intake {
    /// Messages stored in one transaction at most.
    pub batch: u32,
    /// How long a gap may stay open before it is asked for.
    pub gap_after: Span,
    /// How often a gap is asked for before it is named as lost.
    pub gap_tries: u32,
    /// Open gaps that are followed per sensor.
    pub max_gaps: u32,
    /// Sensors that are followed.
    pub max_sensors: u32,
    /// Kinds of nonsense, by topic and reason, that are remembered.
    pub max_quarantine: u32,
}

/// `[http]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Http {
    /// Where the API listens.
    pub listen: SocketAddr,
    /// `off`, or certificate and key.
    pub tls: Tls,
    /// The largest body of a request, KiB.
    pub max_body_kib: u32,
    /// Requests a minute of one client.
    pub requests_per_minute: u32,
    /// Logins a minute of one client.
    pub logins_per_minute: u32,
    /// Event streams open at once.
    pub max_streams: u32,
}

/// `[orders]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Orders {
    /// The file of the ed25519 key that signs.
    pub key: String,
    /// The name sensors know the key by.
    pub kid: String,
    /// How long a signed command may be carried out.
    pub validity: Span,
    /// How long an answer may take.
    pub patience: Span,
    /// Orders that wait for their answer at most.
    pub max_open: u32,
}

/// `[fleet]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Fleet {
    /// Whether fleet blocks are sent.
    pub mode: FleetMode,
    /// Gates that must have proven an offender.
    pub min_sensors: u32,
    /// Sites where `enforce` counts; none means all.
    pub enforce_sites: Vec<String>,
    /// How long a sensor's proof counts.
    pub window: Span,
    /// The longest fleet block.
    pub max_ttl: Span,
    /// Networks that are never blocked.
    pub exempt: Vec<IpNet>,
    /// Fleet blocks a minute.
    pub max_per_minute: u32,
}

/// `[correlate]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Correlate {
    /// How far back attacks belong together.
    pub window: Span,
    /// Sources that guess at one service, over two sensors, to be one search.
    pub guessing_sources: u32,
    /// Offenders of one network to be a campaign.
    pub network_offenders: u32,
    /// Offenders of one victim to be a campaign.
    pub victim_offenders: u32,
    /// Addresses that are followed.
    pub max_offenders: u32,
}

/// `[desk]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Desk {
    /// Whether what is wide needs two people.
    pub two_person: bool,
    /// When a review that nobody answered lapses.
    pub review_ttl: Span,
}

/// `[access]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Access {
    /// How long a login lasts.
    pub session: Span,
    /// Wrong passwords until a user is locked.
    pub lock_after: u32,
    /// For how long.
    pub lock_for: Span,
    /// How long the link that makes the first admin works.
    pub first_admin: Span,
}

/// `[retention]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Retention {
    /// Incidents and their revisions.
    pub incidents: Span,
    /// Telemetry.
    pub telemetry: Span,
    /// Everything else that is closed: orders, reviews, campaigns, conditions.
    pub closed: Span,
    /// The audit trail.
    pub audit: Span,
    /// Events for those who resume a stream.
    pub events: u32,
}

impl Default for Database {
    fn default() -> Self {
        Self {
            url: "sqlite:///var/lib/garita-coordinator/coordinator.db".to_owned(),
            connections: 8,
        }
    }
}

impl Default for Mqtt {
    fn default() -> Self {
        Self {
            url: BrokerUrl::default(),
            sites: Vec::new(),
            client_id: "garita-coordinator".to_owned(),
            user: String::new(),
            password_file: String::new(),
            ca_file: "/etc/ssl/certs/ca-certificates.crt".to_owned(),
            client_certificate: String::new(),
            client_key: String::new(),
            session_expiry: Span::seconds(7 * DAY),
            window: 1_000,
            max_packet_kib: 1_024,
        }
    }
}

impl Default for Intake {
    fn default() -> Self {
        Self {
            batch: 500,
            gap_after: Span::seconds(1),
            gap_tries: 5,
            max_gaps: 64,
            max_sensors: 10_000,
            max_quarantine: 1_000,
        }
    }
}

impl Default for Http {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8420)),
            tls: Tls::Off,
            max_body_kib: 64,
            requests_per_minute: 6_000,
            logins_per_minute: 10,
            max_streams: 200,
        }
    }
}

impl Default for Orders {
    fn default() -> Self {
        Self {
            key: String::new(),
            kid: String::new(),
            validity: Span::seconds(MINUTE),
            patience: Span::seconds(10),
            max_open: 100_000,
        }
    }
}

impl Default for Fleet {
    fn default() -> Self {
        Self {
            mode: FleetMode::Observe,
            min_sensors: 2,
            enforce_sites: Vec::new(),
            window: Span::seconds(DAY),
            max_ttl: Span::seconds(7 * DAY),
            exempt: Vec::new(),
            max_per_minute: 120,
        }
    }
}

impl Default for Correlate {
    fn default() -> Self {
        Self {
            window: Span::seconds(HOUR),
            guessing_sources: 6,
            network_offenders: 5,
            victim_offenders: 8,
            max_offenders: 65_536,
        }
    }
}

impl Default for Desk {
    fn default() -> Self {
        Self {
            two_person: false,
            review_ttl: Span::seconds(DAY),
        }
    }
}

impl Default for Access {
    fn default() -> Self {
        Self {
            session: Span::seconds(12 * HOUR),
            lock_after: 5,
            lock_for: Span::seconds(15 * MINUTE),
            first_admin: Span::seconds(DAY),
        }
    }
}

impl Default for Retention {
    fn default() -> Self {
        Self {
            incidents: Span::seconds(400 * DAY),
            telemetry: Span::seconds(90 * DAY),
            closed: Span::seconds(400 * DAY),
            audit: Span::seconds(3_650 * DAY),
            events: 100_000,
        }
    }
}
