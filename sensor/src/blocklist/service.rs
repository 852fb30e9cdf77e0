//! The blocklist's thread: takes one message after the other, and lets time pass between them.
//! It never waits for the disk, the broker or a person, so whoever tells it something is not kept waiting.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use ipnet::IpNet;

use super::{Blocklist, Enforcement, Message, TargetState};
use crate::clock::{Heartbeat, Moment};
use crate::telemetry::Metrics;
use contract::address::canonical;
use contract::record::Origin;
use contract::record::{Allowance, Block};
use detection::policy::Outcome;
use detection::verdict::Verdict;
use settings::FirewallMode;

/// How long nothing may happen before time passes all the same: what failed is tried again that often.
const TICK: Duration = Duration::from_secs(1);

/// How often the kernel is asked what it has dropped, microseconds.
const COUNT_EVERY: u64 = 5_000_000;

/// The blocklist and its channels.
pub struct Service {
    /// The blocklist.
    pub blocklist: Blocklist,
    /// What it is told and asked.
    pub messages: Receiver<Message>,
    /// What it counts.
    pub metrics: Metrics,
    /// Its sign of life.
    pub heartbeat: Heartbeat,
}

/// Blocks in force by address family and origin.
pub type Counts = BTreeMap<(&'static str, Origin), i64>;

impl Service {
    /// Serves until it is told to stop.
    pub fn run(mut self) {
        let mut next_tick = 0;
        let mut next_count = 0;
        loop {
            let now = Moment::now();
            let due = self.blocklist.next_deadline();
            if now.micros >= next_tick || due.is_some_and(|due| due <= now.micros) {
                self.blocklist.tick(now);
            }
            if now.micros >= next_tick {
                self.publish();
                next_tick = now.micros + TICK.as_micros() as u64;
            }
            if now.micros >= next_count {
                self.count_drops();
                next_count = now.micros + COUNT_EVERY;
            }
            self.heartbeat.beat(now.micros);
            match self.messages.recv_timeout(self.patience(now)) {
                Ok(Message::Stop) | Err(RecvTimeoutError::Disconnected) => break,
                Ok(message) => self.take(message),
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
        self.blocklist.finish();
    }

    fn publish(&self) {
        let blocklist = &self.blocklist;
        self.metrics.set_blocks(&blocklist.counts());
        self.metrics.set_reviews(blocklist.reviews.waiting());
        self.metrics.set_enforcing(blocklist.enforces());
    }

    /// A table that cannot be read is a condition of its own; what was counted before stays.
    fn count_drops(&mut self) {
        if let Ok(dropped) = self.blocklist.tools.firewall.counters() {
            self.metrics.set_dropped(dropped);
        }
    }

    fn patience(&self, now: Moment) -> Duration {
        let due = self.blocklist.next_deadline();
        let until = due.map(|due| Duration::from_micros(due.saturating_sub(now.micros)));
        until.map_or(TICK, |until| until.min(TICK))
    }

    /// Whoever asked may have gone meanwhile: answers nobody takes are dropped.
    fn take(&mut self, message: Message) {
        let now = Moment::now();
        match message {
            Message::Verdict(verdict) => self.conclude(*verdict, now),
            Message::Act(actor, action, reply) => {
                drop(reply.send(self.blocklist.act(&actor, action, now)))
            }
            Message::ActOnAll(actor, actions, reply) => {
                drop(reply.send(self.blocklist.act_on_all(&actor, actions, now)))
            }
            Message::Home(reply) => drop(reply.send(self.blocklist.guard.home().to_vec())),
            Message::Blocks(reply) => drop(reply.send(self.blocklist.blocks())),
            Message::Allowances(reply) => drop(reply.send(self.blocklist.allowances(now))),
            Message::Reviews(reply) => drop(reply.send(self.blocklist.reviews.all())),
            Message::TargetState(target, reply) => {
                drop(reply.send(self.blocklist.standing(target)))
            }
            Message::Notice(notice) => self.blocklist.notify(notice),
            Message::Enforcement(reply) => drop(reply.send(self.blocklist.enforcement())),
            Message::Audit {
                by,
                action,
                object,
                outcome,
            } => self.blocklist.audit((&by, &action), &object, &outcome),
            Message::LocalNetwork(local_network) => self.blocklist.surround(local_network, now),
            Message::Tampered(tampering) => self.blocklist.repair(&tampering, now),
            Message::Doubt(address) => self.blocklist.doubt(address, now),
            Message::Reload(config, firewall) => self.blocklist.reload(&config, firewall, now),
            Message::Model(name, sha256) => self.blocklist.log.set_model((name, sha256)),
            Message::Stop => {}
        }
    }

    fn conclude(&mut self, verdict: Verdict, now: Moment) {
        let (class, decision, decided) = (verdict.class, verdict.decision.as_str(), verdict.time);
        let outcome = self.blocklist.conclude(verdict, now);
        self.metrics.count_decision(class, decision);
        if outcome == Some(Outcome::Enforced) {
            let micros = Moment::now().micros.saturating_sub(decided);
            self.metrics.time_block(Duration::from_micros(micros));
        }
    }
}

impl Blocklist {
    fn blocks(&self) -> Vec<Block> {
        let blocks = self.active.iter().chain(self.services.iter());
        blocks.map(|held| held.block.clone()).collect()
    }

    /// The allow list, and what the configuration exempts.
    fn allowances(&self, now: Moment) -> Vec<Allowance> {
        let configured = self.policy.exempt.iter().map(|net| Allowance {
            net: *net,
            by: "configuration".to_owned(),
            reason: "policy.exempt".to_owned(),
            since: now.wall,
            expires: None,
        });
        configured.chain(self.allowances.iter().cloned()).collect()
    }

    fn standing(&self, target: IpNet) -> TargetState {
        let target = canonical(target);
        let address = target.addr();
        let allowances = self.allowances.iter();
        let allowances = allowances.filter(|allowance| allowance.net.contains(&target));
        let mut blocks = self.active.around(target);
        let services = self.services.iter().map(|held| &held.block);
        blocks.extend(services.filter(|block| block.target == target).cloned());
        TargetState {
            blocks,
            allowances: allowances.cloned().collect(),
            exempt: self.guard.exemption(target).map(|why| why.to_string()),
            home: self.guard.is_home(address),
            reviews: self.reviews.about(address),
            suspicion: None,
        }
    }

    fn enforcement(&self) -> Enforcement {
        Enforcement {
            configured: self.mode == FirewallMode::Enforce,
            switch: self.switch,
        }
    }

    fn counts(&self) -> Counts {
        let mut counts = Counts::new();
        for held in self.active.iter().chain(self.services.iter()) {
            let family = if held.block.target.addr().is_ipv4() {
                "ipv4"
            } else {
                "ipv6"
            };
            *counts.entry((family, held.block.origin)).or_default() += 1;
        }
        counts
    }
}
