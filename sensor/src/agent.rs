//! The daemon: wires threads, tasks and channels, keeps an eye on them, and takes them down in order.
//! It decides nothing about traffic.

mod archive;
mod assembly;
mod components;
mod exit;
mod health;
mod reload;
mod timers;

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use sd_notify::NotifyState;
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::clock::Moment;
use crate::telemetry;
use contract::printable::printable;
use detection::features::SCHEMA;
use detection::model::Named;
use settings::Config;

use components::Components;

/// How long tasks may take to end once they are told to.
const GRACE: Duration = Duration::from_secs(5);

/// What ends the daemon, or has it do something.
enum Call {
    Stop,
    Reload,
    /// A thread that should run for good has ended; why, in a sentence.
    Ended(String),
}

/// Runs until it is told to stop.
pub fn run(file: Option<&Path>) -> Result<()> {
    let config = Config::load(file)?;
    let model = Named::load(None, &config.model, &SCHEMA)?;
    telemetry::init();
    tracing::info!("garita {} starts", env!("CARGO_PKG_VERSION"));
    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("the runtime does not start")?;
    let components = Components::assemble(config, model, runtime.handle())?;
    let outcome = runtime.block_on(serve(&components, file));
    take_down(components, runtime, outcome.is_ok());
    outcome
}

async fn serve(components: &Components, file: Option<&Path>) -> Result<()> {
    let mut stops = [
        listen(SignalKind::terminate())?,
        listen(SignalKind::interrupt())?,
    ];
    let mut reload = listen(SignalKind::hangup())?;
    let mut timers = timers::Timers::new(components);
    tell(&[NotifyState::Ready, NotifyState::Status("watching")]);
    tracing::info!("{}", components.health.introduction());
    loop {
        let [terminate, interrupt] = &mut stops;
        let call = tokio::select! {
            _ = terminate.recv() => Call::Stop,
            _ = interrupt.recv() => Call::Stop,
            _ = reload.recv() => Call::Reload,
            why = components.ended() => Call::Ended(why),
            () = timers.turn() => continue,
        };
        match call {
            Call::Stop => return Ok(()),
            Call::Reload => {
                let now = Moment::now();
                let micros = i128::from(monotonic_micros());
                tell(&[NotifyState::Reloading, NotifyState::MonotonicUsec(micros)]);
                reload::reload(components, file, now);
                tell(&[NotifyState::Ready]);
            }
            Call::Ended(why) => bail!("{}", printable(&why)),
        }
    }
}

/// In the order in which what one does is needed by the next: no more packets, no more decisions, everything written.
fn take_down(components: Components, runtime: Runtime, told: bool) {
    tell(&[NotifyState::Stopping]);
    tracing::info!("stopping; blocks stay in the kernel until they expire");
    components.stop(runtime.handle(), told);
    runtime.shutdown_timeout(GRACE);
    tracing::info!("garita has stopped");
}

fn listen(kind: SignalKind) -> Result<Signal> {
    signal(kind).context("signals cannot be waited for")
}

/// systemd measures a reload by `CLOCK_MONOTONIC`.
fn monotonic_micros() -> i64 {
    nix::time::clock_gettime(nix::time::ClockId::CLOCK_MONOTONIC)
        .map_or(0, |time| time.tv_sec() * 1_000_000 + time.tv_nsec() / 1_000)
}

/// Tells systemd, if it started us.
fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!("systemd was not told: {error}");
    }
}

/// What a thread left behind that failed is as good as any.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
