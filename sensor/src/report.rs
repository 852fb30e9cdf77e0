//! What the coordinator is told over MQTT 5, and what it may ask: the outbox is emptied in order, and signed
//! commands are passed to the blocklist. Nothing here waits for the disk, and nobody waits for what is here.
//!
//! ```text
//!  store ─ outbox ▶ session ─ link ▶ broker ▶ subscribers
//!                     ▲  │
//!           replies ──┘  └─ commands ▶ verify ▶ execute ▶ blocklist
//! ```
//!
//! A message leaves the outbox when the broker has acknowledged it with a reason below 0x80, and not before.

mod backoff;
mod broker;
mod connection;
mod dialect;
mod envelope;
mod error;
mod execute;
mod figures;
mod loss;
mod outbox;
mod rate;
mod received;
mod reduce;
mod reply;
mod resync;
mod serve;
mod session;
mod status;
mod verify;

use std::fmt;

use tokio::sync::watch;

use crate::blocklist::BlocklistHandle;
use crate::condition::Conditions;
use crate::store::Store;
use contract::incident::Identity;
use contract::timestamp::Timestamp;
use settings::Config;

use contract::telemetry::Figures;
pub use received::SEEN_COMMANDS;
pub use serve::serve;

/// What reporting works with.
pub struct Setup {
    /// The configuration; `[sensor]`, `[policy]` and `[report]` are read.
    pub config: Config,
    /// Who reports.
    pub identity: Identity,
    /// Where the messages wait, and what was done is kept.
    pub store: Store,
    /// The way to the blocklist, for commands.
    pub blocklist: BlocklistHandle,
    /// Where it says what is wrong.
    pub conditions: Conditions,
    /// The sensor's figures, whenever they are asked for.
    pub figures: Box<dyn Fn() -> Figures + Send + Sync>,
    /// The setting [`SEEN_COMMANDS`] as the store has recovered it.
    pub seen: Option<String>,
    /// Where it says how it is doing.
    pub broker_status: watch::Sender<BrokerStatus>,
}

impl fmt::Debug for Setup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Setup({})", self.identity.name)
    }
}

/// How reporting is doing, for `garita status`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BrokerStatus {
    /// Whether the broker is connected.
    pub connected: bool,
    /// Since when it is, or is not; nothing before the first try.
    pub since: Option<Timestamp>,
    /// Why it is not, in a sentence.
    pub why: String,
}

/// Whether `[report]` can be used as far as this machine knows: its certificates and password can be read.
///
/// # Errors
/// What is wrong, in a sentence.
pub fn check(config: &Config) -> Result<(), String> {
    let topics = contract::topics::Topics::new(config.sensor.site.as_str(), "check");
    let broker = broker::Broker::new(&config.report, &topics);
    let checked = broker.map_or(Ok(()), |broker| broker.check());
    checked.map_err(|trouble| trouble.to_string())
}

/// Whether the broker lets us in now: connects under a name of its own, and goes again.
///
/// # Errors
/// What stands in the way, in a sentence; nothing of it keeps the sensor from starting.
pub fn reach(config: &Config) -> Result<(), String> {
    let topics = contract::topics::Topics::new(config.sensor.site.as_str(), "check");
    let Some(broker) = broker::Broker::new(&config.report, &topics) else {
        return Ok(());
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("the broker cannot be tried: {error}"))?;
    let tried = runtime.block_on(connection::Connection::<()>::try_out(&broker));
    tried.map_err(|trouble| trouble.to_string())
}
