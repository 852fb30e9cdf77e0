//! Login services that many try: each source may be slow, the service sees them all.
//! It names sources; what becomes of each is for its own evidence.

use std::net::IpAddr;

use ebpf::packet::{Address, protocol};
use ebpf::snapshot::Snapshot;

use super::logins::{Session, session};
use super::{closes, has_opener, seconds, service_of};
use crate::meter::table::Table;
use crate::service::Login;

/// Services remembered at once.
const MAX_TARGETS: usize = 1_024;
/// Sources remembered of each, the one heard of longest ago forgotten first.
const SOURCES: usize = 32;
/// What is older does not count, seconds.
const SPAN: f64 = 1_800.0;

/// Sources, their tries, and the tries of each at least, that make a distributed search. No login service of the benign captures is
/// visited by six sources in ten minutes.
pub const DISTRIBUTED_SOURCES: usize = 6;
const DISTRIBUTED_TRIES: u32 = 24;
const SOURCE_TRIES: u32 = 2;
/// Entries for each hundred refusals above which it is a busy server.
const ENTRIES: u32 = 5;
/// Share of tries that are as large as the mean one, at least.
const ALIKE: f64 = 0.8;
/// What a try may differ from the mean by.
const NEAR: f64 = 0.25;

/// A service whose passwords are guessed by many.
#[derive(Clone, Debug, PartialEq)]
pub struct DistributedGuessing {
    /// Those who try, most tries first.
    pub sources: Vec<IpAddr>,
    /// Their tries.
    pub attempts: u32,
    /// When the first of these began, microseconds.
    pub first: u64,
    /// Mean payload of a try, both ways.
    pub bytes: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Place {
    address: Address,
    port: u16,
}

#[derive(Clone, Copy, Debug, Default)]
struct Visitor {
    address: Address,
    tries: u32,
    first: u64,
    last: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Target {
    visitors: [Visitor; SOURCES],
    /// Refusals and entries, faded.
    refused: f64,
    entered: f64,
    alike: f64,
    bytes: f64,
    last: u64,
}

/// The services that have been tried.
#[derive(Debug)]
pub struct Targets(Table<Place, Target, 1>);

impl Default for Targets {
    fn default() -> Self {
        Self(Table::new([MAX_TARGETS]))
    }
}

impl Targets {
    /// Hears a snapshot of a flow at `login`.
    pub fn hear(&mut self, snapshot: &Snapshot, login: &Login) -> Option<DistributedGuessing> {
        if snapshot.key.protocol != protocol::TCP || !has_opener(snapshot) || !closes(snapshot) {
            return None;
        }
        let session = session(&snapshot.flow, login);
        if session == Session::Nothing {
            return None;
        }
        let pair = service_of(snapshot);
        let place = Place {
            address: pair.responder,
            port: pair.port,
        };
        let record = match self.0.find(&place) {
            Some(record) => {
                self.0.touch(record);
                record
            }
            None => self.0.insert(place, Target::default(), 0),
        };
        let target = self.0.value_mut(record);
        target.take(snapshot, session, pair.initiator);
        (session == Session::Refusal)
            .then(|| target.distributed(snapshot.time))
            .flatten()
    }
}

impl Target {
    fn take(&mut self, snapshot: &Snapshot, session: Session, source: Address) {
        let time = snapshot.time;
        let fading = (-seconds(self.last, time) / SPAN).exp2();
        for count in [&mut self.refused, &mut self.entered, &mut self.alike] {
            *count *= fading;
        }
        self.last = self.last.max(time);
        if session == Session::Entry {
            self.entered += 1.0;
            return;
        }
        let payload = snapshot.flow.payload() as f64;
        self.refused += 1.0;
        if (payload - self.bytes).abs() <= NEAR * self.bytes {
            self.alike += 1.0;
        }
        self.bytes += (payload - self.bytes) / self.refused.clamp(1.0, 32.0);
        let known = self.visitors.iter().position(|one| one.address == source);
        let oldest = || {
            let order = self.visitors.iter().enumerate();
            order
                .min_by_key(|(_, one)| one.last)
                .map_or(0, |(at, _)| at)
        };
        let at = known.unwrap_or_else(oldest);
        let visitor = &mut self.visitors[at];
        if visitor.address != source || seconds(visitor.last, time) > SPAN {
            *visitor = Visitor {
                address: source,
                first: snapshot.flow.first,
                ..Visitor::default()
            };
        }
        visitor.tries += 1;
        visitor.last = time;
    }

    fn distributed(&self, time: u64) -> Option<DistributedGuessing> {
        let recent = |one: &&Visitor| one.tries >= SOURCE_TRIES && seconds(one.last, time) <= SPAN;
        let mut sources: Vec<&Visitor> = self.visitors.iter().filter(recent).collect();
        sources.sort_unstable_by_key(|one| (std::cmp::Reverse(one.tries), one.address));
        let attempts = sources.iter().map(|one| one.tries).sum();
        let busy = self.entered * 100.0 > self.refused * f64::from(ENTRIES);
        let alike = self.alike >= ALIKE * (self.refused - 1.0);
        if sources.len() < DISTRIBUTED_SOURCES || attempts < DISTRIBUTED_TRIES || busy || !alike {
            return None;
        }
        Some(DistributedGuessing {
            sources: sources
                .iter()
                .map(|one| IpAddr::from(one.address))
                .collect(),
            attempts,
            first: sources.iter().map(|one| one.first).min().unwrap_or(time),
            bytes: self.bytes,
        })
    }
}
