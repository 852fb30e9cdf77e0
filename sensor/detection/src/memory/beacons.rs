//! Beacons: how regularly one address comes back to one service, with jitter or without.
//! What keeps coming to several services alike is a monitor, and what many come to alike is an everyday service.

use ebpf::packet::{Address, protocol};
use ebpf::pair::PairKey;
use ebpf::snapshot::Snapshot;

use super::{ends_here, has_opener, initiator_port, seconds, service_of};
use crate::meter::table::Table;

/// Gaps remembered of each pair.
const GAPS: usize = 32;
/// Calls before regularity means anything: of a timer, and of one with jitter.
const TIMER_CALLS: u32 = 16;
const CALLS: u32 = 24;
/// A pair not heard of for this long begins anew, seconds.
const PAUSE: f64 = 6_000.0;
/// The middle gap, at least, seconds: what is faster is a busy client.
const SHORTEST: f64 = 5.0;
/// Median absolute deviation of the gaps of a timer and of one with jitter, of the middle gap. Jitter of ± 30 % comes to
/// 0.15; people and programs that wait for something come to 0.5 and more.
const TIMER: f64 = 0.05;
pub(crate) const JITTER: f64 = 0.2;
/// The shortest and the longest gap, of the middle one: jitter has bounds.
const BOUNDS: std::ops::RangeInclusive<f64> = 0.35..=1.9;
/// Deviation of the payload of the calls, of its mean.
const SIZES: f64 = 0.25;
/// Payload of a call each way, bytes: less carries no order, more is somebody who fetches something.
const LEAST: f64 = 16.0;
const MOST: f64 = 16_384.0;
/// Regular services of one address, and regular callers of one service, from which on they are a habit of the house.
const HABIT: usize = 3;
/// Regular pairs remembered at once.
const MAX_REGULAR: usize = 4_096;

/// Calls as regular as a timer's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Regular {
    /// Calls heard.
    pub calls: u32,
    /// The middle gap, seconds.
    pub gap: f64,
    /// The median absolute deviation of the gaps, seconds.
    pub deviation: f64,
    /// Mean payload of a call, both ways, bytes.
    pub bytes: f64,
    /// When the first was made, microseconds.
    pub first: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Record {
    /// Tenths of a second.
    gaps: [u16; GAPS],
    calls: u32,
    first: u64,
    last: u64,
    port: u16,
    out: f64,
    back: f64,
    squares: f64,
    regular: bool,
}

/// The calls of every pair, the one unheard of for longest forgotten first.
#[derive(Debug)]
pub struct Beacons {
    pairs: Table<PairKey, Record, 1>,
    /// Pairs found regular: initiator and service.
    regular: Table<PairKey, (), 1>,
}

impl Beacons {
    /// Nothing known, and at most `cap` pairs at once.
    pub fn new(cap: usize) -> Self {
        Self {
            pairs: Table::new([cap]),
            regular: Table::new([MAX_REGULAR]),
        }
    }

    /// Hears a snapshot.
    pub fn hear(&mut self, snapshot: &Snapshot) -> Option<Regular> {
        let flow = &snapshot.flow;
        if snapshot.key.protocol != protocol::TCP
            || !has_opener(snapshot)
            || !ends_here(snapshot)
            || !flow.is(ebpf::flow::state::ANSWERED)
            || flow.is(ebpf::flow::state::REFUSED)
        {
            return None;
        }
        let pair = service_of(snapshot);
        let record = match self.pairs.find(&pair) {
            Some(record) => {
                self.pairs.touch(record);
                record
            }
            None => self.pairs.insert(pair, Record::default(), 0),
        };
        let record = self.pairs.value_mut(record);
        if !record.take(snapshot) {
            return None;
        }
        let found = record.regular();
        let (was, is) = (record.regular, found.is_some() || record.is_timed());
        record.regular = is;
        if is != was {
            match self.regular.find(&pair) {
                Some(known) if !is => self.regular.remove(known),
                None if is => {
                    self.regular.insert(pair, (), 0);
                }
                _ => {}
            }
        }
        found.filter(|_| !self.is_habit(&pair))
    }

    /// What these addresses did is forgotten.
    pub fn forget(&mut self, addresses: &[Address]) {
        self.pairs
            .retain(|pair| !addresses.contains(&pair.initiator));
        self.regular
            .retain(|pair| !addresses.contains(&pair.initiator));
    }

    /// Whether this address calls other services as regularly, or others call this service so.
    fn is_habit(&self, pair: &PairKey) -> bool {
        let others = self.regular.iter();
        let (mut services, mut callers) = (0, 0);
        for (other, ()) in others {
            services += usize::from(other.initiator == pair.initiator);
            let same = other.responder == pair.responder && other.port == pair.port;
            callers += usize::from(same);
        }
        services >= HABIT || callers >= HABIT
    }
}

impl Record {
    /// Takes a call, unless it is the last one seen again.
    fn take(&mut self, snapshot: &Snapshot) -> bool {
        let begun = snapshot.flow.first;
        let port = initiator_port(snapshot);
        if self.calls > 0 && (begun <= self.last || port == self.port && begun == self.last) {
            return false;
        }
        let gap = seconds(self.last, begun);
        if self.calls > 0 && gap > PAUSE {
            *self = Self::default();
        }
        if self.calls == 0 {
            self.first = begun;
        } else {
            let slot = (self.calls as usize - 1) % GAPS;
            self.gaps[slot] = (gap * 10.0).round() as u16;
        }
        let (forward, backward) = snapshot.flow.halves();
        let (out, back) = (forward.payload as f64, backward.payload as f64);
        self.calls += 1;
        let share = 1.0 / f64::from(self.calls.min(GAPS as u32));
        self.out += (out - self.out) * share;
        self.back += (back - self.back) * share;
        let off = out + back - self.out - self.back;
        self.squares += (off * off - self.squares) * share;
        (self.last, self.port) = (begun, port);
        true
    }

    fn is_timed(&self) -> bool {
        self.calls >= TIMER_CALLS / 2 && self.rhythm().is_some_and(|(_, spread)| spread <= JITTER)
    }

    /// The middle gap in seconds, and its median absolute deviation as a share of it.
    fn rhythm(&self) -> Option<(f64, f64)> {
        let count = (self.calls as usize).saturating_sub(1).min(GAPS);
        let mut gaps = self.gaps;
        let gaps = gaps.get_mut(..count)?;
        gaps.sort_unstable();
        let middle = f64::from(*gaps.get(count / 2)?);
        let within = |gap: u16| BOUNDS.contains(&(f64::from(gap) / middle.max(1.0)));
        if middle < 10.0 * SHORTEST || !gaps.iter().all(|&gap| within(gap)) {
            return None;
        }
        let mut off: Vec<f64> = gaps
            .iter()
            .map(|&gap| (f64::from(gap) - middle).abs())
            .collect();
        off.sort_unstable_by(f64::total_cmp);
        Some((middle / 10.0, off.get(count / 2)? / middle))
    }

    fn regular(&self) -> Option<Regular> {
        let (gap, spread) = self.rhythm()?;
        let calls = if spread <= TIMER { TIMER_CALLS } else { CALLS };
        let mean = self.out + self.back;
        let sized = [self.out, self.back]
            .iter()
            .all(|bytes| (LEAST..=MOST).contains(bytes));
        let alike = self.squares.sqrt() <= SIZES * mean;
        (self.calls >= calls && spread <= JITTER && sized && alike).then_some(Regular {
            calls: self.calls,
            gap,
            deviation: spread * gap,
            bytes: mean,
            first: self.first,
        })
    }
}
