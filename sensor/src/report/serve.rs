//! Keeps the broker connected, and says once when it is lost and once when it is back.
//! It sends no message itself; nothing else waits for it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use super::backoff::Backoff;
use super::broker::Broker;
use super::connection::Connection;
use super::error::BrokerError;
use super::execute::CommandExecutor;
use super::figures::TelemetryTask;
use super::loss;
use super::outbox::Outbox;
use super::rate::RateLimit;
use super::received::ReceivedCommands;
use super::resync::Resync;
use super::session::{End, Session};
use super::status;
use super::verify::CommandVerifier;
use super::{BrokerStatus, Setup};
use crate::clock;
use crate::store::Store;
use contract::digest::Digest;
use contract::incident::Identity;
use contract::status::{State, Status};
use contract::telemetry::ModelFigures;
use contract::timestamp::Timestamp;
use contract::topics::Topics;

/// Commands and answers that wait, each of them at once.
const WAITING: usize = 64;
/// A connection that lasted for less was none: the next wait is longer again.
const STABLE: Duration = Duration::from_secs(10);
/// Who made this boot of the machine.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// Reports until `stop` says so. Returns at once where no broker is configured.
pub async fn serve(setup: Setup, mut stop: watch::Receiver<bool>) {
    let topics = Topics::new(setup.config.sensor.site.as_str(), &setup.identity.name);
    let Some(broker) = Broker::new(&setup.config.report, &topics) else {
        return;
    };
    let broker_status = setup.broker_status.clone();
    let mut watchman = ConnectionLog::new((&setup.identity, &setup.store), broker_status);
    let mut backoff = Backoff::new(setup.config.report.max_backoff.get());
    // The tasks end with this set.
    let (mut session, _tasks) = assemble(setup, topics, stop.clone());
    loop {
        let will = status::will(&(session.status)(State::Offline), &session.topics);
        let opened = tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return,
            opened = Connection::open(&broker, (will, session.topics.commands())) => opened,
        };
        let trouble = match opened {
            Ok(link) => {
                watchman.back(&broker.place().at).await;
                let began = Instant::now();
                let end = session.run(link).await;
                if began.elapsed() >= STABLE {
                    backoff.reset();
                }
                match end {
                    End::Stopped => return,
                    End::Lost(trouble) => trouble,
                }
            }
            Err(trouble) => trouble,
        };
        watchman.lost(&trouble);
        if timeout(backoff.wait(), stop.wait_for(|stop| *stop))
            .await
            .is_ok()
        {
            return;
        }
    }
}

fn assemble(setup: Setup, topics: Topics, stop: watch::Receiver<bool>) -> (Session, JoinSet<()>) {
    let settings = setup.config.report.clone();
    let figures = Arc::new(setup.figures);
    let (commands, inbox) = mpsc::channel(WAITING);
    let (answering, answers) = mpsc::channel(WAITING);
    let (wanting, wanted) = mpsc::channel(WAITING);
    let (telling, digest) = watch::channel(None);
    let mut tasks = JoinSet::new();
    let executor = CommandExecutor {
        verifier: CommandVerifier::new(
            &setup.config,
            topics.clone(),
            ReceivedCommands::read(setup.seen.as_deref()),
        ),
        topics: topics.clone(),
        blocklist: setup.blocklist.clone(),
        store: setup.store.clone(),
        answers: answering,
        wanted: wanting,
    };
    tasks.spawn(executor.serve(inbox));
    let counting = Arc::clone(&figures);
    let telemetry_task = TelemetryTask {
        topics: topics.clone(),
        store: setup.store.clone(),
        blocklist: setup.blocklist,
        conditions: setup.conditions.clone(),
        figures: Box::new(move || counting()),
        every: settings.telemetry_interval.get(),
        digest: telling,
    };
    tasks.spawn(telemetry_task.serve());
    let committed = setup.store.outbox_changed();
    let self_portrait = StatusTemplate {
        topics: topics.clone(),
        version: setup.identity.version.to_owned(),
        boot_id: boot_id(),
        started: clock::wall(),
        store: setup.store.clone(),
        committed: committed.clone(),
        digest: digest.clone(),
    };
    let session = Session {
        topics,
        identity: setup.identity,
        outbox: Outbox::new(setup.store.clone(), settings.max_backoff.get()),
        store: setup.store,
        conditions: setup.conditions,
        status: Box::new(move |state| self_portrait.status(state, figures().model)),
        resync: Resync::default(),
        rate: RateLimit::new(settings.drain_rate.get(), Instant::now()),
        worth: settings.outbox_max_age.get(),
        commands,
        answers,
        wanted,
        digest,
        committed,
        stop,
        troubled: BTreeSet::new(),
    };
    (session, tasks)
}

/// What a status says that does not change, and where the rest comes from.
struct StatusTemplate {
    topics: Topics,
    version: String,
    boot_id: String,
    started: Timestamp,
    store: Store,
    committed: watch::Receiver<u64>,
    digest: watch::Receiver<Option<Digest>>,
}

impl StatusTemplate {
    fn status(&self, state: State, model: ModelFigures) -> Status {
        Status {
            state,
            at: clock::wall(),
            site: self.topics.site().to_owned(),
            sensor: self.topics.sensor().to_owned(),
            version: self.version.clone(),
            boot_id: self.boot_id.clone(),
            started: self.started,
            model,
            epoch: self.store.epoch(),
            seq: *self.committed.borrow(),
            blocks: self.digest.borrow().clone(),
        }
    }
}

fn boot_id() -> String {
    let read = std::fs::read_to_string(BOOT_ID);
    read.map(|id| id.trim().to_owned()).unwrap_or_default()
}

/// Says what becomes of the connection, each thing once.
struct ConnectionLog {
    identity: Identity,
    store: Store,
    broker_status: watch::Sender<BrokerStatus>,
    /// Since when there is no connection; nothing before the first trouble.
    since: Option<Timestamp>,
    tries: u64,
    /// What has been said since the connection was lost.
    said: BTreeSet<String>,
}

impl ConnectionLog {
    fn new(
        (identity, store): (&Identity, &Store),
        broker_status: watch::Sender<BrokerStatus>,
    ) -> Self {
        Self {
            identity: identity.clone(),
            store: store.clone(),
            broker_status,
            since: None,
            tries: 0,
            said: BTreeSet::new(),
        }
    }

    fn lost(&mut self, trouble: &BrokerError) {
        let now = clock::wall();
        let since = *self.since.get_or_insert(now);
        self.tries += 1;
        let why = trouble.to_string();
        if self.said.insert(why.clone()) {
            tracing::warn!("{why}; messages are kept, and sent when the broker is back");
        }
        self.broker_status.send_replace(BrokerStatus {
            connected: false,
            since: Some(since),
            why,
        });
    }

    async fn back(&mut self, at: &str) {
        let now = clock::wall();
        self.broker_status.send_replace(BrokerStatus {
            connected: true,
            since: Some(now),
            why: String::new(),
        });
        self.said.clear();
        let tries = std::mem::take(&mut self.tries);
        let Some(from) = self.since.take() else {
            tracing::info!("reporting to the broker at {at}");
            return;
        };
        tracing::info!("reporting to the broker at {at} again, after {tries} tries");
        let (identity, store) = (self.identity.clone(), self.store.clone());
        let tell = move || loss::tell_outage((&identity, &store), (from, now));
        if let Ok(Err(error)) = tokio::task::spawn_blocking(tell).await {
            tracing::debug!("{error}");
        }
    }
}
