//! The blocklist: the one list of what is blocked, allowed and waiting for a person, and the only way to change it.
//! It never looks at traffic, and whoever asks is judged by the same guard.

mod actions;
mod active;
mod allowances;
mod answers;
mod enforcement;
mod evidence;
mod exemptions;
mod handle;
mod notify;
mod recovery;
mod reviews;
mod service;
mod services;
mod switch;

use std::net::IpAddr;
use std::sync::mpsc::Sender;
use std::time::Duration;

use ipnet::IpNet;

use crate::clock::Moment;
use crate::condition::Conditions;
use crate::firewall::{Firewall, FirewallError, Tampering};
use crate::incident::IncidentLog;
use crate::store::{Entry, Recovered, Store};
use contract::address::is_host;
use contract::condition::Name;
use contract::printable::sentence;
use contract::record::{ReviewState, Scope, Service as BlockedService};
use detection::engine::Suspicion;
use detection::policy::{Cause, Decision, Guard, LocalNetwork, Offence, Outcome};
use detection::verdict::Verdict;

use active::{ActiveBlocks, NEVER};
use allowances::Allowances;
use enforcement::Backlog;
pub use handle::{BlocklistHandle, Enforcement, Message, Reply, Switch, TargetState, Unavailable};
use reviews::Reviews;
pub use service::{Counts, Service};
use services::ServiceBlocks;

/// Who ends what ends by itself, in the records.
const SENSOR: &str = "sensor";
/// Who blocks on evidence.
const DETECTION: &str = "detection";
/// The budget counts as sufficient again when it has been for this long, microseconds.
const BUDGET_CALM: u64 = 60_000_000;

/// What the engine has to know of what was decided elsewhere.
#[derive(Debug)]
pub enum Notice {
    /// An address has offended before the program began.
    Recall(IpAddr, Offence),
    /// A block that policy did not decide, and until when.
    Hold(IpNet, u64),
    /// The same of a service that an address is kept from.
    HoldService(IpAddr, BlockedService, u64),
    /// A block was lifted before its time.
    Release(IpNet),
    /// Other settings and another guard count from now on.
    Revise(Box<settings::Policy>, Box<Guard>),
    /// What does the engine hold against this address?
    Suspicion(IpAddr, Reply<Option<Suspicion>>),
    /// Which of its headers were kept?
    Headers(IpAddr, Reply<Option<Vec<u8>>>),
    /// Another model counts from now on.
    Adopt(std::sync::Arc<detection::model::Model>),
}

/// What the blocklist works with.
#[derive(Debug)]
pub struct Tools {
    /// Where blocks are enforced, or only shown.
    pub firewall: Box<dyn Firewall>,
    /// Where everything is recorded.
    pub store: Store,
    /// Where it says what is wrong.
    pub conditions: Conditions,
    /// The way to the engine.
    pub engine: Sender<Notice>,
}

/// What is blocked, allowed and waiting, and what that has to be measured by.
#[derive(Debug)]
pub struct Blocklist {
    policy: settings::Policy,
    mode: settings::FirewallMode,
    switch: Switch,
    /// When enforcement goes on again by itself, monotonic microseconds, or [`NEVER`].
    switch_on: u64,
    local_network: LocalNetwork,
    guard: Guard,
    active: ActiveBlocks,
    services: ServiceBlocks,
    allowances: Allowances,
    reviews: Reviews,
    log: IncidentLog,
    tools: Tools,
    backlog: Backlog,
    budget_exhausted: u64,
}

impl Blocklist {
    /// An empty list.
    pub fn new(
        config: &settings::Config,
        local_network: LocalNetwork,
        (log, tools): (IncidentLog, Tools),
    ) -> Self {
        let guard = Guard::new(&config.policy, local_network.clone());
        Self {
            policy: config.policy.clone(),
            mode: config.firewall.mode,
            switch: Switch::On,
            switch_on: NEVER,
            local_network,
            guard,
            active: ActiveBlocks::default(),
            services: ServiceBlocks::default(),
            allowances: Allowances::default(),
            reviews: Reviews::default(),
            log,
            tools,
            backlog: Backlog::default(),
            budget_exhausted: 0,
        }
    }

    /// Takes over what the store remembers and the kernel still holds, and makes the rules stand.
    pub fn begin(&mut self, recovered: Recovered, now: Moment) {
        self.recover(recovered, now);
        self.know_guard();
        // What could not be enforced is said, and tried again. The table stands before anybody is released from it.
        let _ = self.take_up(now);
        self.release_exempt(now);
    }

    /// What the engine has concluded: enforces it, and tells it.
    pub fn conclude(&mut self, mut verdict: Verdict, now: Moment) -> Option<Outcome> {
        let id = self.log.id(&verdict);
        if self.is_beyond_the_kernel(&verdict) {
            verdict.decision = Decision::Review(Cause::Untracked);
        }
        if let Decision::Block(block) = verdict.decision.clone() {
            let outcome = self.enforce(&block, (&verdict, &id), now);
            if matches!(outcome, Outcome::Exempt(_)) {
                self.notify(Notice::Release(block.target));
            }
            verdict.outcome = Some(outcome);
        }
        if verdict.decision == Decision::Review(Cause::Budget) {
            self.note_budget(now);
        }
        for revision in self.log.record(&verdict) {
            // Others had to end before it, or for want of room.
            if revision.incident.event.id != id {
                self.tell(revision, &[]);
                continue;
            }
            if let Decision::Review(cause) = &verdict.decision {
                self.ask_for_review(&revision.incident, (cause, verdict.subject.address()), now);
            }
            self.tell(revision, &verdict.features);
        }
        if verdict.decision.block().is_some() {
            self.answer_review(&id, (ReviewState::Superseded, DETECTION), now);
        }
        verdict.outcome
    }

    /// Lets time pass: what is over ends.
    pub fn tick(&mut self, now: Moment) {
        let wall =
            detection::frame::Timestamp::from_nanoseconds(now.wall.micros().saturating_mul(1_000));
        if self.log.timeline().follow(now.micros, wall) {
            let words =
                "the wall clock was set; durations are not affected, labels are from now on";
            self.tools
                .conditions
                .happen(Name::ClockStepped, ("", words), now.wall);
        }
        let mut prefixes = false;
        while let Some(held) = self.active.next_due(now.micros) {
            prefixes |= !is_host(&held.block.target);
            self.end(held, now);
        }
        if prefixes {
            self.rewrite_prefixes(now);
        }
        self.end_services(now);
        let over = self.allowances.expired(now.micros);
        if !over.is_empty() {
            self.revise_guard(now);
        }
        while let Some(review) = self
            .reviews
            .next_lapsed(now.micros, self.policy.max_reviews.size())
        {
            self.close_review(review, (ReviewState::Lapsed, SENSOR), now);
        }
        if self.switch_on <= now.micros {
            // What could not be enforced is said, and tried again.
            let _ = self.switch_enforcement(Switch::On, now);
            self.note_end_of_switch();
        }
        if self.budget_exhausted != 0
            && now.micros.saturating_sub(self.budget_exhausted) >= BUDGET_CALM
        {
            self.budget_exhausted = 0;
            self.tools
                .conditions
                .clear(Name::BudgetExhausted, "", now.wall);
        }
        self.retry(now);
        for revision in self.log.end_quiet(now.micros) {
            self.tell(revision, &[]);
        }
    }

    /// When time has to pass at the latest, monotonic microseconds.
    pub fn next_deadline(&self) -> Option<u64> {
        let switch = (self.switch_on != NEVER).then_some(self.switch_on);
        let deadlines = [
            self.active.next_deadline(),
            self.services.next_deadline(),
            self.allowances.next_deadline(),
            self.reviews.next_deadline(),
            switch,
        ];
        deadlines.into_iter().flatten().min()
    }

    /// Ends every incident: the program stops. Blocks stay, and run out by themselves.
    pub fn finish(&mut self) {
        for revision in self.log.end_all() {
            self.tell(revision, &[]);
        }
    }

    /// The addresses around the machine have changed.
    pub fn surround(&mut self, local_network: LocalNetwork, now: Moment) {
        self.local_network = local_network;
        self.revise_guard(now);
        self.release_exempt(now);
    }

    /// Somebody else has changed the table.
    pub fn repair(&mut self, tampering: &Tampering, now: Moment) {
        if !self.enforces() {
            return;
        }
        match tampering {
            Tampering::Deleted(target) => self.deleted_by_hand(*target, now),
            Tampering::Tampered(what) => {
                let message = format!("{what}; the table has been restored");
                let restored = self.take_up(now);
                let message = match &restored {
                    Ok(()) => message,
                    Err(error) => format!("{what}; it could not be restored: {error}"),
                };
                self.audit(("somebody else", "nft"), "inet garita", &message);
                self.tools
                    .conditions
                    .happen(Name::RulesetTampered, ("", &message), now.wall);
                self.release_exempt(now);
            }
        }
    }

    /// Other settings count from now on, with the firewall that goes with them where that has changed.
    pub fn reload(
        &mut self,
        config: &settings::Config,
        firewall: Option<Box<dyn Firewall>>,
        now: Moment,
    ) {
        self.policy = config.policy.clone();
        let Some(firewall) = firewall else {
            self.revise_guard(now);
            return self.release_exempt(now);
        };
        if self.enforces()
            && let Err(error) = self.tools.firewall.remove()
        {
            let words = format!(
                "{}; it goes on dropping until `nft delete table inet garita`",
                sentence(&error)
            );
            self.tools
                .conditions
                .raise(Name::EnforcementFailed, ("", &words), now.wall);
        }
        self.tools.firewall = firewall;
        self.mode = config.firewall.mode;
        self.remind_of_switch(now);
        self.know_guard();
        // What could not be enforced is said, and tried again.
        let _ = self.take_up(now);
        self.release_exempt(now);
    }

    /// An address converses although it is blocked.
    pub fn doubt(&mut self, address: IpAddr, now: Moment) {
        let blocks = self.active.around(address.into());
        if !self.enforces() || !blocks.iter().any(|block| block.scope == Scope::All) {
            return;
        }
        let cause = match self.tools.firewall.bypass() {
            Some(bypass) => bypass,
            None => "its traffic may not pass this machine's IP stack, as over a bridge".to_owned(),
        };
        let words = format!("{address} is blocked and still conversing; likely cause: {cause}");
        let subject = address.to_string();
        self.tools
            .conditions
            .happen(Name::BlockIneffective, (&subject, &words), now.wall);
    }

    /// Whether the kernel is to drop.
    fn enforces(&self) -> bool {
        self.mode == settings::FirewallMode::Enforce && self.switch == Switch::On
    }

    fn keep(&self, entry: Entry) {
        self.tools.store.record(entry);
    }

    /// The engine may have ended already; then nobody needs to know.
    fn notify(&self, notice: Notice) {
        let _ = self.tools.engine.send(notice);
    }

    fn complain(&self, error: &FirewallError, now: Moment) -> String {
        let sentence = sentence(error);
        let words = format!("{sentence}; it is tried again every second");
        self.tools
            .conditions
            .raise(Name::EnforcementFailed, ("", &words), now.wall);
        sentence
    }
}

/// The moment after `left`, or never.
fn after(now: Moment, left: Option<Duration>) -> u64 {
    left.map_or(NEVER, |left| {
        now.micros
            .saturating_add(u64::try_from(left.as_micros()).unwrap_or(NEVER))
    })
}

#[cfg(test)]
mod tests;
