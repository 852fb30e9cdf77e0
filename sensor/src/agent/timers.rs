//! What happens every second: signs of life are looked for, conditions found, figures published.
//! It mends nothing.

use std::time::Duration;

use sd_notify::NotifyState;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::components::Components;
use super::tell;
use crate::clock::Moment;
use crate::pipeline::Figures;
use crate::store::State;
use contract::condition::Name;

/// How often it looks.
const TURN: Duration = Duration::from_secs(1);
/// A thread without a sign of life for this long hangs, microseconds. An import of many thousand blocks takes one.
const LIFELESS: u64 = 15_000_000;
/// Losses are a condition until there have been none for this long, microseconds.
const DROPS_CALM: u64 = 60_000_000;
/// The broker is away when it has not been connected for this long, microseconds: a reconnect takes a second or two.
const AWAY: u64 = 5_000_000;
/// How often the messages that wait for the broker are counted, microseconds.
const COUNT_EVERY: u64 = 5_000_000;

/// What it remembers from one turn to the next.
pub(super) struct Timers<'a> {
    parts: &'a Components,
    turns: Interval,
    begun: u64,
    lost: u64,
    losing: u64,
    /// When the broker was last connected.
    connected: u64,
    next_count: u64,
    counting: Option<JoinHandle<()>>,
}

/// Causes that mean we fell short, and what to do. The others are frames that no meter could count.
const LOST: [(&str, &str); 6] = [
    ("kernel-buffer", "raise capture.buffer"),
    ("interface", "enlarge the network card's ring (ethtool -G)"),
    ("ring-full", "give the sensor more of a processor"),
    ("flow-table", "raise meter.max_flows"),
    ("host-table", "raise meter.max_hosts"),
    ("pair-table", "raise meter.max_pairs"),
];

impl<'a> Timers<'a> {
    /// The timers of these components.
    pub(super) fn new(parts: &'a Components) -> Self {
        let mut turns = interval(TURN);
        turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            parts,
            turns,
            begun: Moment::now().micros,
            lost: 0,
            losing: 0,
            connected: Moment::now().micros,
            next_count: 0,
            counting: None,
        }
    }

    /// Waits for its time, and looks once. Nothing is lost if the wait is given up.
    pub(super) async fn turn(&mut self) {
        self.turns.tick().await;
        let now = Moment::now();
        let figures = self.parts.health.figures();
        self.judge_capture(&figures, now);
        self.judge_store(now);
        self.judge_broker(now);
        self.count_outbox(now);
        self.parts.metrics.set_figures(figures);
        self.parts.metrics.set_state(self.parts.health.state());
        if self.all_alive(now) {
            tell(&[NotifyState::Watchdog]);
        }
    }

    /// Asked elsewhere, because the answer waits for the disk.
    fn count_outbox(&mut self, now: Moment) {
        // A disk that hangs is asked once.
        let counted = self.counting.as_ref().is_none_or(JoinHandle::is_finished);
        if counted && now.micros >= self.next_count {
            self.next_count = now.micros + COUNT_EVERY;
            let health = self.parts.health.clone();
            self.counting = Some(spawn_blocking(move || health.count_queued()));
        }
    }

    fn judge_capture(&mut self, figures: &Figures, now: Moment) {
        let conditions = &self.parts.conditions;
        let silence = self.parts.health.config().capture.silence.get();
        for interface in &figures.tap.interfaces {
            let name = interface.name.as_str();
            let missing = interface.missing.as_deref();
            let missing = missing.map(|why| format!("interface {name} is not watched: {why}"));
            conditions.set(Name::InterfaceMissing, (name, missing.as_deref()), now.wall);
            let quiet = now
                .micros
                .saturating_sub(interface.last_packet.max(self.begun));
            let silent =
                (missing.is_none() && Duration::from_micros(quiet) >= silence).then(|| {
                    let quiet = humantime::format_duration(Duration::from_secs(quiet / 1_000_000));
                    format!("nothing has been seen on {name} for {quiet}")
                });
            match &silent {
                Some(silent) => conditions.raise(Name::CaptureSilent, (name, silent), now.wall),
                None => conditions.clear(Name::CaptureSilent, name, now.wall),
            }
        }
        let count = |cause: &str| {
            let losses = figures.tap.losses.iter();
            let own = losses.filter(|(name, _)| *name == cause);
            own.map(|(_, count)| count).sum::<u64>()
        };
        let losses = LOST.map(|(cause, remedy)| (count(cause), cause, remedy));
        let lost = losses.iter().map(|(count, ..)| count).sum();
        if lost > self.lost {
            self.losing = now.micros;
            let worst = losses.into_iter().max_by_key(|(count, ..)| *count);
            let (_, cause, remedy) = worst.unwrap_or_default();
            let words = format!("packets or snapshots are lost, most of them to {cause}: {remedy}");
            conditions.raise(Name::CaptureDrops, ("", &words), now.wall);
        } else if now.micros.saturating_sub(self.losing) >= DROPS_CALM {
            conditions.clear(Name::CaptureDrops, "", now.wall);
        }
        self.lost = lost;
    }

    fn judge_store(&self, now: Moment) {
        let health = self.parts.store.health();
        let failing = match &health.state {
            State::Ok => None,
            State::Failing { why, .. } => Some(format!(
                "records are not written, {} wait: {why}; detection and blocking go on",
                health.waiting
            )),
        };
        let conditions = &self.parts.conditions;
        conditions.set(Name::StoreFailing, ("", failing.as_deref()), now.wall);
        let lost: u64 = health.lost.values().sum();
        if lost > 0 {
            let words = format!(
                "{lost} records did not fit into store.max_waiting_mib and are lost; see to the disk, or raise it"
            );
            conditions.raise(Name::StoreFailing, ("lost", &words), now.wall);
        }
        if let Some(replaced) = &health.replaced {
            conditions.raise(Name::StoreFailing, ("replaced", replaced), now.wall);
        }
    }

    fn judge_broker(&mut self, now: Moment) {
        let report = self.parts.health.report();
        let Some(broker) = report.broker else {
            return;
        };
        if report.connected {
            self.connected = now.micros;
        }
        let away = now.micros.saturating_sub(self.connected) >= AWAY;
        let words = away.then(|| {
            let why = match report.why.is_empty() {
                true => "no connection yet",
                false => report.why.as_str(),
            };
            format!("not connected to {broker}: {why}; messages are kept until it is back")
        });
        let conditions = &self.parts.conditions;
        conditions.set(Name::BrokerAway, ("", words.as_deref()), now.wall);
    }

    /// Whether the threads go on; systemd restarts us where they do not.
    fn all_alive(&self, now: Moment) -> bool {
        let lifeless =
            self.parts.beats.iter().find(|(_, beat)| {
                now.micros.saturating_sub(beat.last().max(self.begun)) >= LIFELESS
            });
        if let Some((name, _)) = lifeless {
            tracing::error!(
                "the thread {name} has given no sign of life for {} s",
                LIFELESS / 1_000_000
            );
        }
        lifeless.is_none()
    }
}
