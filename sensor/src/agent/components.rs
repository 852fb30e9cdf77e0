//! Everything the daemon is made of, assembled and taken apart. What each part does is its own affair.

use std::sync::atomic::AtomicU64;
use std::sync::mpsc::{self, SyncSender};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use anyhow::{Context, Result};
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::{JoinSet, spawn_blocking};

use super::assembly::{engine, firewall, identity, observer, open_live, sweep_up};
use super::exit::{ThreadExits, watched};
use super::health::{self, HealthSource};
use super::lock;
use crate::blocklist::{Blocklist, BlocklistHandle, Message, Service, Tools};
use crate::clock::{self, Heartbeat, Moment};
use crate::condition::Conditions;
use crate::control::{self, ModelStatus};
use crate::firewall::{Firewall, Monitor, Stopper};
use crate::incident::IncidentLog;
use crate::local_network::{self, Sources};
use crate::pipeline::{Channels, Figures, Pipeline};
use crate::report::{self, BrokerStatus};
use crate::store::{Entry, Store};
use crate::telemetry::Metrics;
use contract::condition::Name;
use contract::incident::Identity;
use detection::model::Named;
use detection::policy::LocalNetwork;
use settings::{Config, FirewallMode};

/// Messages that wait for the blocklist, which takes one in microseconds: the burst of an import, and then some.
const MESSAGES: usize = 8_192;
/// The setting that stands while the program runs, and is found by the next one if it was killed.
pub(super) const RUNNING: &str = "running";

/// The daemon's parts.
pub(super) struct Components {
    /// With what everything began that cannot change while running.
    pub(super) started: Config,
    pub(super) blocklist: BlocklistHandle,
    pub(super) messages: SyncSender<Message>,
    pub(super) conditions: Conditions,
    pub(super) store: Store,
    pub(super) metrics: Metrics,
    pub(super) health: HealthSource,
    pub(super) beats: [(&'static str, Heartbeat); 2],
    threads: Mutex<Vec<JoinHandle<()>>>,
    /// What ends the watching of the firewall now in use.
    monitor: Mutex<Option<Stopper>>,
    tasks: Mutex<JoinSet<()>>,
    stop: watch::Sender<bool>,
    ended: Arc<ThreadExits>,
}

impl Components {
    /// Starts everything: first what remembers, then what enforces, then what watches, and last what answers.
    pub(super) fn assemble(config: Config, model: Named, runtime: &Handle) -> Result<Self> {
        let _context = runtime.enter();
        // First, as it tells whether another sensor is at work, whose records and rules are not to be touched.
        let socket = runtime.block_on(control::Socket::bind(&config.control))?;
        let (store, recovered) = Store::open(&config, clock::wall);
        let identity = identity(&config);
        let conditions = Conditions::new(identity.clone(), store.clone());
        let now = Moment::now();
        if recovered
            .settings
            .get(RUNNING)
            .is_some_and(|running| running == "yes")
        {
            let words = "the last run ended without being told to; its blocks were taken over";
            conditions.happen(Name::UncleanStop, ("", words), now.wall);
        }
        let commands = recovered.settings.get(report::SEEN_COMMANDS).cloned();

        let sources = Sources::new(&config);
        let around = local_network::now(&sources)
            .context("the machine's addresses and routes are unknown")?;
        let (messages, inbox) = mpsc::sync_channel(MESSAGES);
        let (engine_notices, notices) = mpsc::channel();
        let blocklist = BlocklistHandle::new(messages.clone());
        let metrics = Metrics::new();
        let ended = Arc::new(ThreadExits::default());
        let (stop, stopped) = watch::channel(false);

        let (tap, why) = open_live(&config)?;
        let (figures, seen) = watch::channel(Figures::default());
        let beats = [
            ("pipeline", Heartbeat::default()),
            ("blocklist", Heartbeat::default()),
        ];
        let [(_, pipeline_beat), (_, blocklist_beat)] = beats.clone();
        let channels = Channels {
            blocklist: messages.clone(),
            notices,
            figures,
            heartbeat: pipeline_beat,
        };
        let pipeline = Pipeline::new(tap, engine(&config, &model, &around), channels);

        let firewall = firewall(&config.firewall)?;
        let monitor = firewall.monitor()?;
        let tools = Tools {
            firewall,
            store: store.clone(),
            conditions: conditions.clone(),
            engine: engine_notices,
        };
        if config.firewall.mode == FirewallMode::Observe {
            sweep_up();
        }
        let log = IncidentLog::new(&config.incident, observer(&config, &model, now));
        let mut list = Blocklist::new(&config, around.clone(), (log, tools));
        list.begin(recovered, now);
        let service = Service {
            blocklist: list,
            messages: inbox,
            metrics: metrics.clone(),
            heartbeat: blocklist_beat,
        };

        let (broker_status, contacted) = watch::channel(BrokerStatus::default());
        let told = identity.clone();
        let started = config.clone();
        let health = HealthSource::new(health::Sources {
            identity,
            began: now,
            figures: seen,
            why,
            config: Mutex::new(config),
            model: Mutex::new(ModelStatus {
                name: model.name.clone(),
                sha256: model.model.sha256().to_owned(),
            }),
            conditions: conditions.clone(),
            store: store.clone(),
            blocklist: blocklist.clone(),
            runtime: runtime.clone(),
            metrics: metrics.clone(),
            broker_status: contacted,
            queued: AtomicU64::new(0),
            restart: Mutex::default(),
        });
        let components = Self {
            started,
            blocklist,
            messages,
            conditions,
            store,
            metrics,
            health,
            beats,
            threads: Mutex::default(),
            monitor: Mutex::default(),
            tasks: Mutex::new(JoinSet::new()),
            stop,
            ended,
        };
        components.thread("blocklist", move || {
            service.run();
            Ok(())
        })?;
        components.thread("pipeline", move || Ok(pipeline.run()?))?;
        components.watch_firewall(monitor)?;
        components.answer(socket, stopped.clone(), runtime)?;
        components.report((told, commands), broker_status, stopped);
        components.follow_local_network(sources, around, runtime)?;
        components.note_running("yes");
        Ok(components)
    }

    /// Waits until a thread that should run for good has ended, and says why.
    pub(super) async fn ended(&self) -> String {
        self.ended.told().await
    }

    /// Ends everything, in order; `told` says whether somebody wanted it to.
    pub(super) fn stop(self, runtime: &Handle, told: bool) {
        let _ = self.stop.send(true);
        // The blocklist lets go of the engine's notices when it ends, and the pipeline ends when nobody sends any.
        let _ = self.messages.send(Message::Stop);
        if let Some(monitor) = lock(&self.monitor).take() {
            monitor.stop();
        }
        for thread in std::mem::take(&mut *lock(&self.threads)) {
            if thread.join().is_err() {
                tracing::error!("a thread has failed");
            }
        }
        let mut tasks = std::mem::take(&mut *lock(&self.tasks));
        runtime.block_on(async {
            let _ = tokio::time::timeout(super::GRACE, async {
                while tasks.join_next().await.is_some() {}
            })
            .await;
        });
        if told {
            self.note_running("no");
        }
        self.store.close();
    }

    fn note_running(&self, value: &str) {
        self.store.record(Entry::Setting {
            key: RUNNING,
            value: value.to_owned(),
        });
    }

    fn thread(
        &self,
        name: &'static str,
        work: impl FnOnce() -> Result<()> + Send + 'static,
    ) -> Result<()> {
        let exits = self.ended.clone();
        let run = move || watched(exits, name, work);
        let thread = thread::Builder::new().name(name.to_owned()).spawn(run);
        let thread = thread.with_context(|| format!("the thread {name} does not start"))?;
        lock(&self.threads).push(thread);
        Ok(())
    }

    /// The firewall for another mode, and its monitor in place of the one before; nothing where the mode is the same.
    pub(super) fn change_firewall(&self, config: &Config) -> Result<Option<Box<dyn Firewall>>> {
        if config.firewall == self.health.config().firewall {
            return Ok(None);
        }
        let firewall = firewall(&config.firewall)?;
        self.watch_firewall(firewall.monitor()?)?;
        Ok(Some(firewall))
    }

    /// Tells the blocklist when somebody else changes the firewall's table.
    fn watch_firewall(&self, monitor: Option<Monitor>) -> Result<()> {
        let stopper = monitor.as_ref().map(Monitor::stopper);
        if let Some(before) = std::mem::replace(&mut *lock(&self.monitor), stopper) {
            before.stop();
        }
        let Some(mut monitor) = monitor else {
            return Ok(());
        };
        let messages = self.messages.clone();
        self.thread("monitor", move || {
            while let Some(tampering) = monitor.wait()? {
                if messages.send(Message::Tampered(tampering)).is_err() {
                    break;
                }
            }
            Ok(())
        })
    }

    /// The control socket and the metrics.
    fn answer(
        &self,
        socket: control::Socket,
        stopped: watch::Receiver<bool>,
        runtime: &Handle,
    ) -> Result<()> {
        let config = self.health.config();
        let shared = control::Shared::new(
            self.blocklist.clone(),
            Arc::new(self.store.clone()),
            Arc::new(self.health.clone()),
            &config.control,
        );
        self.spawn(control::serve(socket, shared, stopped.clone()));
        if let Some(&address) = config.metrics.listen.get() {
            let listener = runtime.block_on(TcpListener::bind(address));
            let listener =
                listener.with_context(|| format!("metrics.listen: cannot listen on {address}"))?;
            self.spawn(control::serve_metrics(
                listener,
                self.metrics.clone(),
                stopped,
            ));
        }
        Ok(())
    }

    /// The way to the coordinator, and back; `commands` are those it has sent lately.
    fn report(
        &self,
        (identity, commands): (Identity, Option<String>),
        broker_status: watch::Sender<BrokerStatus>,
        stopped: watch::Receiver<bool>,
    ) {
        let health = self.health.clone();
        let setup = report::Setup {
            config: self.health.config(),
            identity,
            store: self.store.clone(),
            blocklist: self.blocklist.clone(),
            conditions: self.conditions.clone(),
            figures: Box::new(move || health.telemetry()),
            seen: commands,
            broker_status,
        };
        self.spawn(report::serve(setup, stopped));
    }

    fn follow_local_network(
        &self,
        sources: Sources,
        around: LocalNetwork,
        runtime: &Handle,
    ) -> Result<()> {
        let _context = runtime.enter();
        let mut watch = local_network::Watch::new(sources, around)?;
        let messages = self.messages.clone();
        let mut stopped = self.stop.subscribe();
        self.spawn(async move {
            loop {
                let around = tokio::select! {
                    _ = stopped.wait_for(|stop| *stop) => return,
                    around = watch.changed() => around,
                };
                tracing::info!("addresses, routes or login sessions of this machine have changed");
                // Who has logged in must not stay unprotected because the blocklist is busy: it is waited for.
                let messages = messages.clone();
                let tell = move || messages.send(Message::LocalNetwork(around));
                if !matches!(spawn_blocking(tell).await, Ok(Ok(()))) {
                    return;
                }
            }
        });
        Ok(())
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut tasks = lock(&self.tasks);
        tasks.spawn(task);
    }

    /// Tells the blocklist something. If it has gone, the program ends, and says why.
    pub(super) fn tell(&self, message: Message) {
        let _ = self.messages.send(message);
    }
}
