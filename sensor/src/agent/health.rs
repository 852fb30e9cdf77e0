//! How the daemon is doing, for whoever asks at the control socket. It asks the parts, and judges nothing.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::watch;

use super::lock;
use crate::blocklist::BlocklistHandle;
use crate::clock::Moment;
use crate::condition::Conditions;
use crate::control::{
    Agent, AgentHealth, CaptureStatus, DroppedStatus, InterfaceStatus, ModelStatus, ReportStatus,
    StoreStatus, TableStatus,
};
use crate::firewall::Counter;
use crate::pipeline::Figures;
use crate::report::BrokerStatus;
use crate::store::{State, Store};
use crate::telemetry::{Metrics, SensorState};
use contract::incident::Identity;
use settings::{Config, Setting};

/// Everything that is asked; clones share it.
#[derive(Clone)]
pub(super) struct HealthSource(Arc<Sources>);

/// Where what is known of its health comes from.
pub(super) struct Sources {
    pub(super) identity: Identity,
    /// When the daemon began.
    pub(super) began: Moment,
    pub(super) figures: watch::Receiver<Figures>,
    /// Why the packets come from where they do.
    pub(super) why: String,
    pub(super) config: Mutex<Config>,
    pub(super) model: Mutex<ModelStatus>,
    pub(super) conditions: Conditions,
    pub(super) store: Store,
    pub(super) blocklist: BlocklistHandle,
    pub(super) runtime: Handle,
    pub(super) metrics: Metrics,
    /// How reporting is doing.
    pub(super) broker_status: watch::Receiver<BrokerStatus>,
    /// Messages that wait for the broker.
    pub(super) queued: AtomicU64,
    /// Settings that were changed and wait for a restart.
    pub(super) restart: Mutex<Vec<String>>,
}

impl HealthSource {
    /// The health that these sources tell of.
    pub(super) fn new(sources: Sources) -> Self {
        Self(Arc::new(sources))
    }

    /// What the pipeline has counted by now.
    pub(super) fn figures(&self) -> Figures {
        self.0.figures.borrow().clone()
    }

    /// The configuration in force.
    pub(super) fn config(&self) -> Config {
        lock(&self.0.config).clone()
    }

    /// Another configuration and model are in force; returns whether the model is another.
    pub(super) fn replace(&self, config: Config, model: ModelStatus) -> bool {
        *lock(&self.0.config) = config;
        let before = std::mem::replace(&mut *lock(&self.0.model), model.clone());
        before.sha256 != model.sha256
    }

    /// These settings were changed, and wait for a restart.
    pub(super) fn await_restart(&self, settings: &[&str]) {
        *lock(&self.0.restart) = settings.iter().map(|&name| name.to_owned()).collect();
    }

    /// Asks the store how many messages wait for the broker. It waits for the disk.
    pub(super) fn count_queued(&self) {
        let reader = self.0.store.reader();
        if let Ok(extent) = reader.and_then(|reader| reader.outbox_extent()) {
            self.0.queued.store(extent.pending, Ordering::Relaxed);
            self.0
                .metrics
                .set_outbox(i64::try_from(extent.pending).unwrap_or(i64::MAX));
        }
    }

    /// How reporting is doing.
    pub(super) fn report(&self) -> ReportStatus {
        let broker = self.0.broker_status.borrow().clone();
        ReportStatus {
            broker: self.config().report.url.get().map(Setting::write),
            connected: broker.connected,
            why: broker.why,
            queued: self.0.queued.load(Ordering::Relaxed),
        }
    }

    /// What the metrics tell of the parts.
    pub(super) fn state(&self) -> SensorState {
        let report = self.report();
        let store = self.0.store.health();
        SensorState {
            conditions: self.0.conditions.standing().into_iter().fold(
                BTreeMap::new(),
                |mut counts, condition| {
                    *counts.entry(condition.name).or_default() += 1;
                    counts
                },
            ),
            connected: report.broker.map(|_| report.connected),
            store_failing: store.state != State::Ok,
            store_waiting: store.waiting as u64,
            store_lost: store.lost.values().sum(),
            store_bytes: store.file_bytes,
        }
    }

    /// What telemetry tells subscribers.
    pub(super) fn telemetry(&self) -> contract::telemetry::Figures {
        let figures = self.figures();
        let model = lock(&self.0.model).clone();
        let began = self.0.began.micros;
        let interfaces = figures.tap.interfaces.into_iter();
        let losses = figures.tap.losses.into_iter();
        let tables = figures.tap.tables.into_iter();
        contract::telemetry::Figures {
            model: contract::telemetry::ModelFigures {
                name: model.name,
                sha256: model.sha256,
            },
            uptime: Moment::now().micros.saturating_sub(began) / 1_000_000,
            packets: interfaces
                .map(|interface| (interface.name, interface.packets))
                .collect(),
            losses: losses
                .map(|(cause, count)| (cause.to_owned(), count))
                .collect(),
            snapshots: figures.snapshots,
            decisions: self.0.metrics.decisions(),
            tables: tables
                .map(|table| (table.table.to_owned(), table.entries as u64))
                .collect(),
        }
    }

    /// What the daemon does, in one line.
    pub(super) fn introduction(&self) -> String {
        let config = self.config();
        let why = &self.0.why;
        let capture = match why.is_empty() {
            true => config.capture.mode.write(),
            false => why.clone(),
        };
        let mode = config.firewall.mode.write();
        let model = lock(&self.0.model).name.clone();
        format!("watching by {capture}; model {model}; firewall.mode is {mode}")
    }
}

fn dropped(counter: Counter) -> DroppedStatus {
    DroppedStatus {
        rule: counter.name,
        packets: counter.packets,
        bytes: counter.bytes,
    }
}

impl Agent for HealthSource {
    fn health(&self) -> AgentHealth {
        let sources = &self.0;
        let config = self.config();
        let figures = self.figures();
        let health = sources.store.health();
        let interfaces = figures.tap.interfaces.into_iter();
        let losses = figures.tap.losses.iter().filter(|(_, count)| *count > 0);
        let seconds = |micros: u64| Duration::from_micros(micros).as_secs();
        AgentHealth {
            sensor: sources.identity.name.clone(),
            site: config.sensor.site.to_string(),
            version: sources.identity.version.to_owned(),
            pid: std::process::id(),
            since: sources.began.wall,
            uptime: seconds(Moment::now().micros.saturating_sub(sources.began.micros)),
            capture: CaptureStatus {
                mode: figures.tap.mode.to_owned(),
                why: sources.why.clone(),
                interfaces: interfaces
                    .map(|interface| InterfaceStatus {
                        name: interface.name,
                        packets: interface.packets,
                        missing: interface.missing,
                    })
                    .collect(),
            },
            model: lock(&sources.model).clone(),
            firewall: config.firewall.mode.write(),
            conditions: sources.conditions.standing(),
            store: StoreStatus {
                path: config.store.path.write(),
                failing: match health.state {
                    State::Ok => None,
                    State::Failing { why, .. } => Some(why),
                },
                waiting: health.waiting as u64,
                lost: health.lost.values().sum(),
                bytes: health.file_bytes,
            },
            report: self.report(),
            tables: figures
                .tap
                .tables
                .iter()
                .map(|table| TableStatus {
                    table: table.table.to_owned(),
                    entries: table.entries as u64,
                    evictions: table.evictions,
                })
                .collect(),
            losses: losses
                .map(|(cause, count)| ((*cause).to_owned(), *count))
                .collect(),
            kernel_memory: figures.tap.kernel_memory,
            dropped: sources.metrics.dropped().into_iter().map(dropped).collect(),
            restart: lock(&sources.restart).clone(),
        }
    }

    fn headers(&self, address: IpAddr) -> Option<Vec<u8>> {
        self.0.runtime.block_on(self.0.blocklist.headers(address))
    }
}
