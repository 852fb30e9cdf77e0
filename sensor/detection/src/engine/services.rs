//! Services that addresses are kept from, and until when: what they ask there meanwhile is no evidence, because it gets no
//! answer. It decides nothing.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};

use contract::record::Service;
use ebpf::snapshot::Snapshot;
use ipnet::IpNet;

/// Services one address is kept from at once, and all addresses together; the firewall takes as many.
const EACH: usize = 16;
const ALL: usize = 1_024;

/// Services by who is kept from them.
#[derive(Debug, Default)]
pub(super) struct Services {
    held: HashMap<IpAddr, Vec<(Service, u64)>>,
    count: usize,
}

impl Services {
    /// Whether `address` cannot be kept from one more.
    pub(super) fn is_full(&self, address: IpAddr) -> bool {
        self.count >= ALL
            || self
                .held
                .get(&address)
                .is_some_and(|held| held.len() >= EACH)
    }

    /// Whether `address` is kept from this very service at `now`.
    pub(super) fn holds(&self, address: IpAddr, service: &Service, now: u64) -> bool {
        let held = self.held.get(&address);
        held.is_some_and(|held| {
            let mut held = held.iter();
            held.any(|(known, until)| *until > now && known.is_same(service))
        })
    }

    /// Keeps `address` from a service until `until`, monotonic microseconds.
    pub(super) fn hold(&mut self, address: IpAddr, service: &Service, until: u64) {
        let held = self.held.entry(address).or_default();
        let before = held.len();
        held.retain(|(known, _)| !known.is_same(service));
        held.push((service.clone(), until));
        self.count = self.count - before + held.len();
    }

    /// Whether the flow of a snapshot is one that its initiator is kept from.
    pub(super) fn cover(&self, snapshot: &Snapshot) -> bool {
        if self.count == 0 {
            return false;
        }
        let [(initiator, _), (responder, port)] = snapshot.charged();
        let asked = SocketAddr::new(responder.into(), port);
        self.held.get(&initiator.into()).is_some_and(|held| {
            let mut held = held.iter();
            held.any(|(service, until)| {
                *until > snapshot.time && service.covers(snapshot.key.protocol, asked)
            })
        })
    }

    /// Lets everybody in `target` use everything again.
    pub(super) fn release(&mut self, target: IpNet) {
        self.keep(|address, _| !target.contains(&address));
    }

    /// Lets go of those whose time is over.
    pub(super) fn tick(&mut self, now: u64) {
        if self.count > 0 {
            self.keep(|_, until| until > now);
        }
    }

    fn keep(&mut self, keeps: impl Fn(IpAddr, u64) -> bool) {
        self.held.retain(|address, held| {
            held.retain(|(_, until)| keeps(*address, *until));
            !held.is_empty()
        });
        self.count = self.held.values().map(Vec::len).sum();
    }
}
