//! Every setting, its default and its range; `config/garita.toml` gives the reasons.
//! It must not act on a setting, nor look at the machine to complete one.

mod load;
mod name;
mod report;
mod setting;

use std::net::{Ipv4Addr, SocketAddr};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

pub use load::{DEFAULT_FILE, Error};
pub use name::{
    CaptureMode, Conntrack, FilePath, Filter, FirewallMode, GroupName, Home, Interface, Label,
    Tags, XdpMode,
};
pub use report::{BrokerUrl, PublicKey, Report, Scheme, UserName};
pub use setting::{Count, List, Maybe, Setting, Span};

const DAY: u64 = 86_400;

/// The whole configuration; `Default` is what the program does without a file.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Who this sensor is.
    pub sensor: Sensor,
    /// Where frames come from.
    pub capture: Capture,
    /// Where tunnels are looked for.
    pub carriers: Carriers,
    /// How large the meter's tables may grow.
    pub meter: Meter,
    /// Which model scores.
    pub model: Model,
    /// What is remembered against an address.
    pub evidence: Evidence,
    /// What is decided about an offender.
    pub policy: Policy,
    /// How a block is enforced.
    pub firewall: Firewall,
    /// How incidents are kept while they last.
    pub incident: Incident,
    /// Where records survive.
    pub store: Store,
    /// Where incidents are reported.
    pub report: Report,
    /// Where the command line finds the daemon.
    pub control: Control,
    /// Where metrics are read.
    pub metrics: Metrics,
}

/// `[sensor]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Sensor {
    /// The sensor's name in incidents and topics; unset it is the host name, and `replay` in a replay.
    pub name: Maybe<Label>,
    /// The site the sensor belongs to.
    pub site: Label,
}

/// `[capture]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Capture {
    /// Which of the two meters is used live.
    pub mode: CaptureMode,
    /// Interfaces to watch; none means those of the default routes.
    pub interfaces: List<Interface>,
    /// Bytes of the kernel's buffer of an interface, in pcap mode.
    pub buffer: Count<1_048_576, 1_073_741_824>,
    /// Bytes of a frame that are looked at, in pcap mode.
    pub snap_len: Count<128, 65_535>,
    /// Frames that are looked at, in pcap mode; unset it is all.
    pub filter: Maybe<Filter>,
    /// Addresses whose last headers are kept, in pcap mode.
    pub max_kept_addresses: Count<1, 65_536>,
    /// Headers kept of each.
    pub max_kept_headers: Count<1, 4_096>,
    /// An interface on which nothing is seen for this long is a condition.
    pub silence: Span<1, DAY>,
    /// Senders of copies of somebody else's traffic.
    pub mirrors: List<IpNet>,
}

/// `[carriers]`: UDP ports, for each kind of tunnel
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Carriers {
    /// VXLAN.
    pub vxlan: List<u16>,
    /// VXLAN with a next protocol.
    pub vxlan_gpe: List<u16>,
    /// Geneve.
    pub geneve: List<u16>,
    /// GTP-U.
    pub gtp: List<u16>,
    /// L2TP.
    pub l2tp: List<u16>,
    /// Teredo.
    pub teredo: List<u16>,
    /// CAPWAP's data channel.
    pub capwap: List<u16>,
    /// MikroTik's sniffer.
    pub tzsp: List<u16>,
    /// LISP's data.
    pub lisp: List<u16>,
    /// MPLS over UDP.
    pub mpls: List<u16>,
}

/// `[meter]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Meter {
    /// Flows that have been answered.
    pub max_flows: Count<64, 16_777_216>,
    /// Flows still waiting for their first answer.
    pub max_unanswered_flows: Count<64, 16_777_216>,
    /// New initiators a minute of flows to one responder that may be forged; above, only proven ones get an entry.
    pub flood_guard: Count<64, 1_000_000>,
    /// Addresses.
    pub max_hosts: Count<64, 4_194_304>,
    /// Initiator, responder and service together.
    pub max_pairs: Count<64, 8_388_608>,
    /// Whether the same addresses and ports in another VLAN or tunnel are another conversation.
    pub tags: Tags,
}

/// `[model]`
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Model {
    /// The model file; unset it is the one inside the program.
    pub path: Maybe<FilePath>,
    /// Whose signature a model file needs; nobody's if there are none.
    pub keys: List<PublicKey>,
}

/// `[evidence]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Evidence {
    /// Addresses with evidence against them that are remembered at once.
    pub max_addresses: Count<64, 4_194_304>,
    /// Ports where logins happen, beside the well known ones.
    pub auth_ports: List<u16>,
}

/// `[policy]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Policy {
    /// Networks whose hosts are reviewed, never blocked.
    pub home: Home,
    /// Networks that are never blocked.
    pub exempt: List<IpNet>,
    /// How long a first block lasts.
    pub block_ttl: Span<1, { 30 * DAY }>,
    /// What each further offence multiplies the duration by.
    pub block_factor: Count<1, 100>,
    /// The longest block.
    pub max_block_ttl: Span<1, { 365 * DAY }>,
    /// The longest block of an address that may be spoofed.
    pub unproven_ttl: Span<1, 600>,
    /// Blocks of proven addresses in any minute.
    pub max_blocks_per_minute: Count<1, 100_000>,
    /// Blocks of unproven addresses in any minute.
    pub max_unproven_blocks_per_minute: Count<1, 100_000>,
    /// How long an offence counts against an address.
    pub offence_memory: Span<60, { 365 * DAY }>,
    /// Offenders that are remembered at once.
    pub max_offenders: Count<64, 4_194_304>,
    /// Proven offenders of one IPv6 /64 that have all of it blocked.
    pub subnet_offenders: Count<2, 10_000>,
    /// Prefixes that are blocked at once.
    pub max_prefixes: Count<1, 4_096>,
    /// Blocks in force at once.
    pub max_blocks: Count<64, 4_194_304>,
    /// Networks on the allow list at once.
    pub max_allowances: Count<16, 65_536>,
    /// How long a review waits for a person.
    pub review_ttl: Span<60, { 30 * DAY }>,
    /// Reviews that wait at once.
    pub max_reviews: Count<16, 1_048_576>,
    /// How long an address stays allowed whose review was dismissed.
    pub dismiss_ttl: Span<60, { 365 * DAY }>,
    /// Outer ends of tunnels whose inner addresses may be blocked.
    pub trusted_tunnels: List<IpNet>,
    /// How long an address stays protected after its login session ended.
    pub session_grace: Span<0, DAY>,
}

/// `[firewall]`
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Firewall {
    /// Whether blocks are enforced or only shown.
    pub mode: FirewallMode,
    /// Whether the kernel is to track connections for it.
    pub conntrack: Conntrack,
    /// Whether drops may happen in the driver.
    pub xdp: XdpMode,
}

/// `[incident]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Incident {
    /// An incident ends when its offender has been quiet for this long.
    pub quiet: Span<1, { 7 * DAY }>,
    /// Incidents that are open at once.
    pub max_open: Count<16, 1_048_576>,
}

/// `[store]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Store {
    /// The database file.
    pub path: FilePath,
    /// How long incidents, ended blocks and answered reviews are kept.
    pub retention: Span<{ DAY }, { 3_650 * DAY }>,
    /// Revisions of incidents that are kept.
    pub max_revisions: Count<1_000, 10_000_000>,
    /// Blocks that are kept, those that have ended included.
    pub max_blocks: Count<1_000, 2_000_000>,
    /// How long the audit trail is kept.
    pub audit_retention: Span<{ DAY }, { 3_650 * DAY }>,
    /// Entries of the audit trail that are kept.
    pub max_audit: Count<1_000, 10_000_000>,
    /// Memory for what waits to be written, MiB.
    pub max_waiting_mib: Count<1, 4_096>,
}

/// `[control]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Control {
    /// The socket the command line talks to.
    pub socket: FilePath,
    /// The group whose members may change things; unset only root may.
    pub admin_group: Maybe<GroupName>,
    /// Connections that are answered at once.
    pub max_connections: Count<1, 1_024>,
}

/// `[metrics]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Metrics {
    /// Address and port that serve the metrics; unset they are not served.
    pub listen: Maybe<SocketAddr>,
}

impl Default for Sensor {
    fn default() -> Self {
        Self {
            name: Maybe(None),
            site: Label::main(),
        }
    }
}

impl Default for Capture {
    fn default() -> Self {
        Self {
            mode: CaptureMode::Auto,
            interfaces: List::default(),
            buffer: Count::clamped(16 * 1024 * 1024),
            snap_len: Count::clamped(256),
            filter: Maybe(None),
            max_kept_addresses: Count::clamped(256),
            max_kept_headers: Count::clamped(64),
            silence: Span::clamped(600),
            mirrors: List::default(),
        }
    }
}

impl Default for Carriers {
    fn default() -> Self {
        Self {
            vxlan: List(vec![4_789, 8_472]),
            vxlan_gpe: List(vec![4_790]),
            geneve: List(vec![6_081]),
            gtp: List(vec![2_152]),
            l2tp: List(vec![1_701]),
            teredo: List(vec![3_544]),
            capwap: List(vec![5_247]),
            tzsp: List(vec![37_008]),
            lisp: List(vec![4_341]),
            mpls: List(vec![6_635]),
        }
    }
}

impl Default for Meter {
    fn default() -> Self {
        Self {
            max_flows: Count::clamped(65_536),
            max_unanswered_flows: Count::clamped(65_536),
            flood_guard: Count::clamped(4_096),
            max_hosts: Count::clamped(16_384),
            max_pairs: Count::clamped(32_768),
            tags: Tags::Join,
        }
    }
}

impl Default for Evidence {
    fn default() -> Self {
        Self {
            max_addresses: Count::clamped(65_536),
            auth_ports: List::default(),
        }
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            home: Home::Auto,
            exempt: List::default(),
            block_ttl: Span::clamped(600),
            block_factor: Count::clamped(4),
            max_block_ttl: Span::clamped(7 * DAY),
            unproven_ttl: Span::clamped(60),
            max_blocks_per_minute: Count::clamped(120),
            max_unproven_blocks_per_minute: Count::clamped(3_000),
            offence_memory: Span::clamped(30 * DAY),
            max_offenders: Count::clamped(65_536),
            subnet_offenders: Count::clamped(4),
            max_prefixes: Count::clamped(256),
            max_blocks: Count::clamped(262_144),
            max_allowances: Count::clamped(1_024),
            review_ttl: Span::clamped(DAY),
            max_reviews: Count::clamped(4_096),
            dismiss_ttl: Span::clamped(30 * DAY),
            trusted_tunnels: List::default(),
            session_grace: Span::clamped(600),
        }
    }
}

impl Default for Incident {
    fn default() -> Self {
        Self {
            quiet: Span::clamped(900),
            max_open: Count::clamped(4_096),
        }
    }
}

impl Default for Store {
    fn default() -> Self {
        Self {
            path: FilePath::new("/var/lib/garita/garita.db"),
            retention: Span::clamped(90 * DAY),
            max_revisions: Count::clamped(50_000),
            max_blocks: Count::clamped(200_000),
            audit_retention: Span::clamped(365 * DAY),
            max_audit: Count::clamped(200_000),
            max_waiting_mib: Count::clamped(64),
        }
    }
}

impl Default for Control {
    fn default() -> Self {
        Self {
            socket: FilePath::new("/run/garita/control.sock"),
            admin_group: Maybe::default(),
            max_connections: Count::clamped(32),
        }
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            listen: Maybe(Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 9760)))),
        }
    }
}

#[cfg(test)]
mod tests;
