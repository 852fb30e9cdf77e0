//! `serve`: intake, API, retention and the watch over other coordinators, until a signal ends it.

use std::time::Duration;

use anyhow::{Context, Result};
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::access::{digest, secret};
use crate::api::{App, Server};
use crate::config::Config;
use crate::intake::{self, Health};
use crate::moment;
use crate::orders::Key;
use crate::store::Store;
use crate::web;

/// How often old rows are let go of.
const SWEEP: Duration = Duration::from_secs(600);
/// How often reviews are looked through for those nobody answered, and clients are forgotten.
const TIDY: Duration = Duration::from_secs(30);
/// How often the audit trail is anchored.
const ANCHOR: Duration = Duration::from_secs(3_600);
/// Before the database is listened to again.
const AGAIN: Duration = Duration::from_secs(1);
/// How long the intake may take to finish its batch at the end.
const FAREWELL: Duration = Duration::from_secs(5);

/// Serves until SIGTERM or SIGINT.
///
/// # Errors
/// Something that it needs cannot be had.
pub async fn serve(config: Config) -> Result<()> {
    let key = Key::load(&config.orders)?;
    match &key {
        Some(key) => tracing::info!(
            "orders are signed; sensors obey with report.command_keys = [\"{}\"]",
            key.public()
        ),
        None => {
            tracing::warn!("orders.key is not set: nothing can be ordered, and no gap asked for")
        }
    }
    let store = Store::open(&config.database.url, config.database.connections).await?;
    store.prepare_months(moment::now()).await?;
    let (stop, stopped) = watch::channel(false);
    let (health, seen) = watch::channel(Health::default());
    let app = App::new(config.clone(), store.clone(), (seen, stopped.clone()))?;
    let server = Server::bind(&app, web::router(&app)).await?;
    invite(&config, &store).await?;
    tracing::info!("console and API listen at {}", config.http.listen);
    let setup = intake::Setup {
        config: config.clone(),
        store: store.clone(),
        key,
        health,
        stop: stopped.clone(),
    };
    let taking = tokio::spawn(intake::serve(setup));
    let serving = tokio::spawn(server.serve(stopped.clone()));
    let listening = tokio::spawn(listen(store.clone()));
    let tidying = tokio::spawn(tidy((config, store.clone()), app));
    // Not under systemd, or an older one: nobody waits for it.
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]);
    signal().await?;
    tracing::info!("stopping");
    stop.send_replace(true);
    listening.abort();
    tidying.abort();
    let _ = timeout(FAREWELL, taking).await;
    serving.abort();
    store.close().await;
    Ok(())
}

/// Where there is no user yet, tells the one code that makes the first admin.
async fn invite(config: &Config, store: &Store) -> Result<()> {
    if !store.accounts().await?.is_empty() {
        return Ok(());
    }
    let code = secret("first").context("the system gives no random numbers")?;
    let expires = moment::now() + config.access.first_admin.micros();
    store
        .offer_once("first-admin", (&digest(&code), expires))
        .await?;
    let scheme = match config.http.tls {
        crate::config::Tls::Off => "http",
        crate::config::Tls::Files(..) => "https",
    };
    tracing::warn!(
        "nobody can log in yet: make the first admin at {scheme}://{}/welcome?code={code} or by `garita-coordinator user add`",
        config.http.listen
    );
    Ok(())
}

async fn listen(store: Store) {
    loop {
        if let Err(error) = store.listen().await {
            tracing::debug!("{error}");
        }
        let _ = timeout(AGAIN, std::future::pending::<()>()).await;
    }
}

async fn tidy((config, store): (Config, Store), app: App) {
    let mut turns = interval(TIDY);
    let mut sweeps = interval(SWEEP);
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    sweeps.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut anchors = interval(ANCHOR);
    anchors.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = turns.tick() => {
                app.forget_clients();
                if let Err(error) = store.lapse_reviews(moment::now()).await {
                    tracing::warn!("{error}");
                }
            }
            _ = sweeps.tick() => sweep(&config, &store).await,
            _ = anchors.tick() => match store.anchor_audit(moment::now()).await {
                // In the journal nobody who can write to the database changes it.
                Ok(Some((seq, hash))) => tracing::info!("the audit trail is anchored: entry {seq}, {hash}"),
                Ok(None) => {}
                Err(error) => tracing::warn!("{error}"),
            },
        }
    }
}

async fn sweep(config: &Config, store: &Store) {
    let now = moment::now();
    if let Err(error) = store.prepare_months(now).await {
        tracing::warn!("{error}");
    }
    loop {
        match store.sweep(&config.retention, now).await {
            Ok(swept) if swept.rows > 0 || swept.partitions > 0 => {
                tracing::info!(
                    "let go of {} old rows and {} months",
                    swept.rows,
                    swept.partitions
                );
            }
            Ok(_) => return,
            Err(error) => {
                tracing::warn!("{error}");
                return;
            }
        }
    }
}

async fn signal() -> Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut end = signal(SignalKind::terminate()).context("SIGTERM cannot be waited for")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("SIGINT cannot be waited for")?;
    tokio::select! {
        _ = end.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}
