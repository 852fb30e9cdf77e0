//! Everything the daemon is made of, assembled and taken apart. What each part does is its own affair.

use std::sync::atomic::AtomicU64;
use std::sync::mpsc::{self, SyncSender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use anyhow::{Context, Result};
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::{JoinSet, spawn_blocking};

use super::assembly::{engine, firewall, identity, observer, open_tap, sweep_up};
use super::ending::{Ending, watched};
use super::vitals::{self, Vital};
use crate::clock::{self, Heartbeat, Moment};
use crate::condition::Conditions;
use crate::control::{self, ModelStatus};
use crate::firewall::{Firewall, Monitor, Stopper};
use crate::incident::Book;
use crate::report::{self, Contact};
use crate::store::{Entry, Store};
use crate::surroundings::{self, Sources};
use crate::telemetry::Metrics;
use crate::warden::{Desk, Message, Service, Tools, Warden};
use crate::watch::{Figures, Lines, Watch};
use contract::condition::Name;
use contract::incident::Identity;
use detection::model::Named;
use detection::policy::Surroundings;
use settings::{Config, FirewallMode};

/// Messages that wait for the warden, which takes one in microseconds: the burst of an import, and then some.
const MESSAGES: usize = 8_192;
/// The setting that stands while the program runs, and is found by the next one if it was killed.
pub(super) const RUNNING: &str = "running";

/// The daemon's parts.
pub(super) struct Parts {
    /// With what everything began that cannot change while running.
    pub(super) started: Config,
    pub(super) desk: Desk,
    pub(super) messages: SyncSender<Message>,
    pub(super) conditions: Conditions,
    pub(super) store: Store,
    pub(super) metrics: Metrics,
    pub(super) vital: Vital,
    pub(super) beats: [(&'static str, Heartbeat); 2],
    threads: Mutex<Vec<JoinHandle<()>>>,
    /// What ends the watching of the firewall now in use.
    monitor: Mutex<Option<Stopper>>,
    tasks: Mutex<JoinSet<()>>,
    stop: watch::Sender<bool>,
    ended: Arc<Ending>,
}

impl Parts {
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
        let around = surroundings::now(&sources)
            .context("the machine's addresses and routes are unknown")?;
        let (messages, inbox) = mpsc::sync_channel(MESSAGES);
        let (engine_notices, notices) = mpsc::channel();
        let desk = Desk::new(messages.clone());
        let metrics = Metrics::new();
        let ended = Arc::new(Ending::default());
        let (stop, stopped) = watch::channel(false);

        let (tap, why) = open_tap(&config)?;
        let (figures, seen) = watch::channel(Figures::default());
        let beats = [
            ("watch", Heartbeat::default()),
            ("warden", Heartbeat::default()),
        ];
        let [(_, watch_beat), (_, warden_beat)] = beats.clone();
        let lines = Lines {
            warden: messages.clone(),
            notices,
            figures,
            heartbeat: watch_beat,
        };
        let watch = Watch::new(tap, engine(&config, &model, &around), lines);

        let firewall = firewall(config.firewall.mode)?;
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
        let book = Book::new(&config.incident, observer(&config, &model, now));
        let mut warden = Warden::new(&config, around.clone(), (book, tools));
        warden.begin(recovered, now);
        let service = Service {
            warden,
            messages: inbox,
            metrics: metrics.clone(),
            heartbeat: warden_beat,
        };

        let (contact, contacted) = watch::channel(Contact::default());
        let told = identity.clone();
        let started = config.clone();
        let vital = Vital::new(vitals::Sources {
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
            desk: desk.clone(),
            runtime: runtime.clone(),
            metrics: metrics.clone(),
            contact: contacted,
            queued: AtomicU64::new(0),
        });
        let parts = Self {
            started,
            desk,
            messages,
            conditions,
            store,
            metrics,
            vital,
            beats,
            threads: Mutex::default(),
            monitor: Mutex::default(),
            tasks: Mutex::new(JoinSet::new()),
            stop,
            ended,
        };
        parts.thread("warden", move || {
            service.run();
            Ok(())
        })?;
        parts.thread("watch", move || Ok(watch.run()?))?;
        parts.watch_firewall(monitor)?;
        parts.answer(socket, stopped.clone(), runtime)?;
        parts.report((told, commands), contact, stopped);
        parts.follow_surroundings(sources, around, runtime)?;
        parts.note_running("yes");
        Ok(parts)
    }

    /// Waits until a thread that should run for good has ended, and says why.
    pub(super) async fn ended(&self) -> String {
        self.ended.told().await
    }

    /// Ends everything, in order; `told` says whether somebody wanted it to.
    pub(super) fn stop(self, runtime: &Handle, told: bool) {
        let _ = self.stop.send(true);
        // The warden lets go of the engine's notices when it ends, and the watch ends when nobody sends any.
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
        let ending = self.ended.clone();
        let run = move || watched(ending, name, work);
        let thread = thread::Builder::new().name(name.to_owned()).spawn(run);
        let thread = thread.with_context(|| format!("the thread {name} does not start"))?;
        lock(&self.threads).push(thread);
        Ok(())
    }

    /// The firewall for another mode, and its monitor in place of the one before; nothing where the mode is the same.
    pub(super) fn change_firewall(&self, config: &Config) -> Result<Option<Box<dyn Firewall>>> {
        if config.firewall.mode == self.vital.config().firewall.mode {
            return Ok(None);
        }
        let firewall = firewall(config.firewall.mode)?;
        self.watch_firewall(firewall.monitor()?)?;
        Ok(Some(firewall))
    }

    /// Tells the warden when somebody else changes the firewall's table.
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
            while let Some(meddling) = monitor.wait()? {
                if messages.send(Message::Meddled(meddling)).is_err() {
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
        let config = self.vital.config();
        let shared = control::Shared::new(
            self.desk.clone(),
            Arc::new(self.store.clone()),
            Arc::new(self.vital.clone()),
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

    /// The way to the operations centre, and back; `commands` are those it has sent lately.
    fn report(
        &self,
        (identity, commands): (Identity, Option<String>),
        contact: watch::Sender<Contact>,
        stopped: watch::Receiver<bool>,
    ) {
        let vital = self.vital.clone();
        let setup = report::Setup {
            config: self.vital.config(),
            identity,
            store: self.store.clone(),
            desk: self.desk.clone(),
            conditions: self.conditions.clone(),
            figures: Box::new(move || vital.telemetry()),
            seen: commands,
            contact,
        };
        self.spawn(report::serve(setup, stopped));
    }

    fn follow_surroundings(
        &self,
        sources: Sources,
        around: Surroundings,
        runtime: &Handle,
    ) -> Result<()> {
        let _context = runtime.enter();
        let mut watch = surroundings::Watch::new(sources, around)?;
        let messages = self.messages.clone();
        let mut stopped = self.stop.subscribe();
        self.spawn(async move {
            loop {
                let around = tokio::select! {
                    _ = stopped.wait_for(|stop| *stop) => return,
                    around = watch.changed() => around,
                };
                tracing::info!("the machine's addresses, routes or logins have changed");
                // Who has logged in must not stay unprotected because the warden is busy: it is waited for.
                let messages = messages.clone();
                let tell = move || messages.send(Message::Surroundings(around));
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

    /// Tells the warden something. If it has gone, the program ends, and says why.
    pub(super) fn tell(&self, message: Message) {
        let _ = self.messages.send(message);
    }
}

/// What a thread left behind that failed is as good as any.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
