//! Services that addresses have conversed with: what goes on where somebody is kept from the rest.
//! It decides nothing; a few of each address are remembered, the one not used for longest forgotten first.

use std::net::{IpAddr, SocketAddr};

use contract::record::Service;
use ebpf::flow::state;
use ebpf::packet::{Address, protocol};
use ebpf::snapshot::Snapshot;

use super::{has_opener, is_icmp, service_of};
use crate::meter::table::Table;

/// Services remembered of an address: what a small office uses of another's.
const SERVICES: usize = 16;
/// Addresses remembered that have completed a handshake, and such that any sender of datagrams can write; apart, so that
/// the second do not push out the first.
const PROVEN: usize = 8_192;
const OTHERS: usize = 2_048;
/// Datagrams each way that make a conversation: a probe that is answered has one.
const EXCHANGES: u32 = 3;
/// What was used longer ago is not spared, microseconds.
const LATELY: u64 = 6 * 3_600_000_000;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Use {
    responder: Address,
    port: u16,
    protocol: u8,
    last: u64,
}

/// What every address has used lately.
#[derive(Debug)]
pub struct Usage {
    proven: Table<Address, [Use; SERVICES], 1>,
    others: Table<Address, [Use; SERVICES], 1>,
}

impl Default for Usage {
    fn default() -> Self {
        Self {
            proven: Table::new([PROVEN]),
            others: Table::new([OTHERS]),
        }
    }
}

impl Usage {
    /// Hears a snapshot: who has said something and been told something has used a service.
    pub fn hear(&mut self, snapshot: &Snapshot) {
        let flow = &snapshot.flow;
        let tcp = snapshot.key.protocol == protocol::TCP;
        let conversed = flow.low.payload > 0 && flow.high.payload > 0;
        let proven = match tcp {
            true => flow.is(state::PROVEN),
            false => flow.low.packets.min(flow.high.packets) >= EXCHANGES,
        };
        if !has_opener(snapshot) || !conversed || !proven || is_icmp(snapshot.key.protocol) {
            return;
        }
        let table = match tcp {
            true => &mut self.proven,
            false => &mut self.others,
        };
        let pair = service_of(snapshot);
        let record = match table.find(&pair.initiator) {
            Some(record) => {
                table.touch(record);
                record
            }
            None => table.insert(pair.initiator, Default::default(), 0),
        };
        let uses = table.value_mut(record);
        let is_it = |one: &Use| {
            (one.responder, one.port, one.protocol) == (pair.responder, pair.port, pair.protocol)
        };
        let at = uses.iter().position(is_it);
        let at = at.unwrap_or_else(|| {
            let order = uses.iter().enumerate();
            order
                .min_by_key(|(_, one)| one.last)
                .map_or(0, |(at, _)| at)
        });
        if let Some(one) = uses.get_mut(at) {
            *one = Use {
                responder: pair.responder,
                port: pair.port,
                protocol: pair.protocol,
                last: snapshot.time,
            };
        }
    }

    /// Whether `address` has used anything until `now`.
    pub fn knows(&self, address: &Address, now: u64) -> bool {
        let tables = [&self.proven, &self.others].into_iter();
        let found = tables.filter_map(|table| table.find(address).map(|at| table.value(at)));
        let mut uses = found.flatten();
        uses.any(|one| one.last != 0 && now.saturating_sub(one.last) < LATELY)
    }

    /// `service`, but for what `address` has used of it until `now`.
    pub fn spare(&self, address: &Address, mut service: Service, now: u64) -> Service {
        let tables = [&self.proven, &self.others].into_iter();
        let found = tables.filter_map(|table| table.find(address).map(|at| table.value(at)));
        let uses = found.flatten();
        let lately = |one: &&Use| one.last != 0 && now.saturating_sub(one.last) < LATELY;
        let mut spared: Vec<SocketAddr> = uses
            .filter(lately)
            .map(|one| {
                (
                    one.protocol,
                    SocketAddr::new(IpAddr::from(one.responder), one.port),
                )
            })
            .filter(|&(protocol, asked)| service.covers(protocol, asked))
            .map(|(_, asked)| asked)
            .collect();
        spared.sort_unstable();
        service.spared = spared;
        service
    }
}
