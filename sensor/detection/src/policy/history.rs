//! What has been done to offenders before: their offences, the blocks in force, and the minute's budget.
//! It must not decide; it remembers, within a cap.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::net::IpAddr;

use ipnet::{IpNet, Ipv6Net};

use super::{Block, Offence};
use contract::address::is_host;

/// A budget is counted over this long, microseconds.
pub(super) const MINUTE: u64 = 60_000_000;

/// Offenders by address; beyond the cap the one whose last block began first is forgotten.
#[derive(Debug)]
pub(super) struct History {
    offenders: HashMap<IpAddr, Offender>,
    /// The same addresses in the order of their last block.
    order: BTreeSet<(u64, IpAddr)>,
    cap: usize,
    /// An offence is forgotten when so much time passed since the block it led to ended, microseconds.
    memory: u64,
}

#[derive(Debug)]
struct Offender {
    offences: u32,
    blocked_at: u64,
    /// The last block of this run.
    last: Option<Block>,
    /// When the last block that counted as an offence ends.
    served: u64,
}

impl Offender {
    fn in_force(&self, now: u64) -> Option<&Block> {
        self.last.as_ref().filter(|last| now < last.expires)
    }
}

impl History {
    pub(super) fn new(cap: usize, memory: u64) -> Self {
        Self {
            offenders: HashMap::new(),
            order: BTreeSet::new(),
            cap,
            memory,
        }
    }

    /// Other bounds from now on.
    pub(super) fn resize(&mut self, cap: usize, memory: u64) {
        self.cap = cap;
        self.memory = memory;
        while self.offenders.len() > self.cap
            && let Some((_, oldest)) = self.order.pop_first()
        {
            self.offenders.remove(&oldest);
        }
    }

    /// The addresses remembered in `net`.
    pub(super) fn offenders(&self, net: IpNet) -> impl Iterator<Item = IpAddr> {
        let addresses = self.offenders.keys().copied();
        addresses.filter(move |address| net.contains(address))
    }

    /// The block of `address` that has not expired.
    pub(super) fn in_force(&self, address: IpAddr, now: u64) -> Option<&Block> {
        self.offenders.get(&address)?.in_force(now)
    }

    /// Whether `address` has been blocked lately.
    pub(super) fn is_known(&self, address: IpAddr) -> bool {
        self.offenders.contains_key(&address)
    }

    /// Offences of `address` that still count.
    pub(super) fn offences(&self, address: IpAddr, now: u64) -> u32 {
        match self.offenders.get(&address) {
            Some(offender) if now.saturating_sub(offender.served) < self.memory => {
                offender.offences
            }
            _ => 0,
        }
    }

    /// Records a block that begins now; a block with an offence number counts as that offence.
    pub(super) fn record(&mut self, address: IpAddr, now: u64, block: &Block) {
        let (offences, served) = match (block.offence, self.offenders.get(&address)) {
            (0, Some(before)) => (before.offences, before.served),
            (0, None) => (0, 0),
            (offence, _) => (offence, block.expires),
        };
        let last = Some(block.clone());
        self.enter(
            address,
            Offender {
                offences,
                blocked_at: now,
                last,
                served,
            },
        );
    }

    /// Records what an address did before this run.
    pub(super) fn recall(&mut self, address: IpAddr, offence: &Offence) {
        self.enter(
            address,
            Offender {
                offences: offence.count,
                blocked_at: offence.served,
                last: None,
                served: offence.served,
            },
        );
    }

    fn enter(&mut self, address: IpAddr, offender: Offender) {
        if let Some(before) = self.offenders.remove(&address) {
            self.order.remove(&(before.blocked_at, address));
        } else if self.offenders.len() >= self.cap
            && let Some((_, oldest)) = self.order.pop_first()
        {
            self.offenders.remove(&oldest);
        }
        self.order.insert((offender.blocked_at, address));
        self.offenders.insert(address, offender);
    }

    /// Ends the block of everybody in `target` that is in force; the offence stays.
    pub(super) fn release(&mut self, target: IpNet, now: u64) {
        let alone = is_host(&target);
        let released = |offender: &mut Offender| {
            if let Some(last) = &mut offender.last {
                last.expires = last.expires.min(now);
            }
        };
        if alone {
            self.offenders.get_mut(&target.addr()).map(released);
        } else {
            let inside = self.offenders.iter_mut();
            let inside = inside.filter(|(address, _)| target.contains(*address));
            inside.for_each(|(_, offender)| released(offender));
        }
    }

    /// How many addresses of `net` are blocked for an offence at `now`.
    pub(super) fn offenders_in(&self, net: Ipv6Net, now: u64) -> usize {
        let blocked = |(address, offender): &(&IpAddr, &Offender)| {
            let inside = matches!(address, IpAddr::V6(address) if net.contains(address));
            let block = offender.in_force(now);
            inside && block.is_some_and(|block| block.offence > 0)
        };
        self.offenders.iter().filter(blocked).count()
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        assert_eq!(self.offenders.len(), self.order.len());
        self.offenders.len()
    }
}

/// How many blocks may begin in any minute.
#[derive(Debug)]
pub(super) struct Budget {
    begun: VecDeque<u64>,
    per_minute: usize,
}

impl Budget {
    pub(super) fn new(per_minute: usize) -> Self {
        Self {
            begun: VecDeque::new(),
            per_minute,
        }
    }

    /// Another number of blocks a minute from now on.
    pub(super) fn resize(&mut self, per_minute: usize) {
        self.per_minute = per_minute;
    }

    /// Takes one block out of the budget, unless the minute up to now has used it up.
    pub(super) fn take(&mut self, now: u64) -> bool {
        while let Some(begun) = self.begun.front()
            && now.saturating_sub(*begun) >= MINUTE
        {
            self.begun.pop_front();
        }
        let left = self.begun.len() < self.per_minute;
        if left {
            self.begun.push_back(now);
        }
        left
    }
}
