//! What has been done to offenders before: their offences, the blocks in force, and the minute's budget.
//! It must not decide; it remembers, within a cap.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::net::IpAddr;

use super::Block;

/// A budget is counted over this long, microseconds.
const MINUTE: u64 = 60_000_000;

/// Offenders by address; beyond the cap the one whose last block began first is forgotten.
#[derive(Debug)]
pub(super) struct Ledger {
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
    last: Block,
    /// When the last block that counted as an offence ends.
    served: u64,
}

impl Ledger {
    pub(super) fn new(cap: usize, memory: u64) -> Self {
        Self {
            offenders: HashMap::new(),
            order: BTreeSet::new(),
            cap,
            memory,
        }
    }

    /// The block of `address` that has not expired.
    pub(super) fn in_force(&self, address: IpAddr, now: u64) -> Option<&Block> {
        let offender = self.offenders.get(&address)?;
        (now < offender.last.expires).then_some(&offender.last)
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
        let before = self.offenders.remove(&address);
        if let Some(before) = &before {
            self.order.remove(&(before.blocked_at, address));
        } else if self.offenders.len() >= self.cap
            && let Some((_, oldest)) = self.order.pop_first()
        {
            self.offenders.remove(&oldest);
        }
        let (offences, served) = match (block.offence, before) {
            (0, Some(before)) => (before.offences, before.served),
            (0, None) => (0, 0),
            (offence, _) => (offence, block.expires),
        };
        self.order.insert((now, address));
        self.offenders.insert(
            address,
            Offender {
                offences,
                blocked_at: now,
                last: block.clone(),
                served,
            },
        );
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
