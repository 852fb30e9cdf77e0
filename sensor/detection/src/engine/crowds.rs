//! Addresses that prove nothing, by whom they turn against: a few are told one by one, a crowd is told once. Whoever writes
//! names on packets can make as many as it likes, and must not bury the others under them. It decides nothing.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;

use contract::class::Class;

use crate::meter::table::Table;

/// Addresses told one by one of each victim and class, and of all, in a minute.
pub(super) const EACH: u32 = 8;
const ALL: usize = 30;
/// Reviews of them in an hour: each takes a person.
const EACH_REVIEWED: u32 = 8;
const ALL_REVIEWED: usize = 30;
/// Crowds told in a minute.
const TOLD: usize = 8;
/// Sources named of a crowd.
const NAMED: usize = 10;
/// Crowds remembered; those that grew longest ago are forgotten first.
const CROWDS: usize = 1_024;

/// Addresses people were asked about; about the one asked about longest ago they are asked again.
const ASKED: usize = 65_536;
/// What is heard of again within this time has gone on; an incident lasts longer without being heard of.
const GOES_ON: u64 = 5 * MINUTE;

const MINUTE: u64 = 60_000_000;
const HOUR: u64 = 3_600_000_000;

/// What is to be told of one more address.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Telling {
    /// It by itself.
    Alone,
    /// The crowd it is part of.
    Crowd(Crowd),
    /// Nothing: the crowd has been told.
    Nothing,
}

/// Addresses that turned against one victim.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Crowd {
    /// How many.
    pub(super) count: u32,
    /// The last few of them.
    pub(super) sources: VecDeque<IpAddr>,
    /// Some of those that were told one by one: whatever else they do is told so, too.
    named: VecDeque<IpAddr>,
    /// When the first came, microseconds.
    pub(super) first: u64,
    last: u64,
    told: u64,
    alone: Tally,
    reviewed: Tally,
}

/// How many in a span of time that began with the first of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Tally {
    since: u64,
    count: u32,
}

impl Tally {
    /// One more, unless there were `most` in the last `span`.
    fn take(&mut self, now: u64, (span, most): (u64, u32)) -> bool {
        if self.since == 0 || now.saturating_sub(self.since) >= span {
            *self = Self {
                since: now,
                count: 0,
            };
        }
        self.count += 1;
        self.count <= most
    }
}

/// Crowds by victim and class.
#[derive(Debug, Default)]
pub(super) struct Crowds {
    known: HashMap<(IpAddr, Class), Crowd>,
    alone: VecDeque<u64>,
    reviewed: VecDeque<u64>,
    told: VecDeque<u64>,
}

impl Crowds {
    /// Counts `source` against `matter`, and says what is to be told; `asks` where it would take a person.
    pub(super) fn enter(
        &mut self,
        matter: (IpAddr, Class),
        (source, asks): (IpAddr, bool),
        now: u64,
    ) -> Telling {
        self.make_room(matter);
        let crowd = self.known.entry(matter).or_default();
        if crowd.last == 0 || now.saturating_sub(crowd.last) >= HOUR {
            *crowd = Crowd {
                first: now,
                ..Crowd::default()
            };
        }
        crowd.last = now;
        if !crowd.sources.contains(&source) {
            crowd.count = crowd.count.saturating_add(1);
            crowd.sources.push_back(source);
            if crowd.sources.len() > NAMED {
                crowd.sources.pop_front();
            }
        }
        if crowd.named.contains(&source) {
            return Telling::Alone;
        }
        let (own, all, limit) = match asks {
            true => (
                crowd.reviewed.take(now, (HOUR, EACH_REVIEWED)),
                &mut self.reviewed,
                (HOUR, ALL_REVIEWED),
            ),
            false => (
                crowd.alone.take(now, (MINUTE, EACH)),
                &mut self.alone,
                (MINUTE, ALL),
            ),
        };
        if own && take(all, now, limit) {
            crowd.named.push_back(source);
            if crowd.named.len() > NAMED {
                crowd.named.pop_front();
            }
            return Telling::Alone;
        }
        if crowd.told != 0 && now.saturating_sub(crowd.told) < MINUTE
            || !take(&mut self.told, now, (MINUTE, TOLD))
        {
            return Telling::Nothing;
        }
        crowd.told = now;
        Telling::Crowd(crowd.clone())
    }

    fn make_room(&mut self, matter: (IpAddr, Class)) {
        if self.known.len() >= CROWDS && !self.known.contains_key(&matter) {
            let oldest = self
                .known
                .iter()
                .min_by_key(|(at, crowd)| (crowd.last, **at));
            if let Some((oldest, _)) = oldest.map(|(at, crowd)| (*at, crowd.last)) {
                self.known.remove(&oldest);
            }
        }
    }
}

/// When people were asked about addresses that prove nothing: about each once an hour at the most, for as long as it goes on.
#[derive(Debug)]
pub(super) struct Asked(Table<IpAddr, Span, 1>);

/// The first time and the last, microseconds.
#[derive(Debug, Clone, Copy)]
struct Span {
    first: u64,
    last: u64,
}

impl Default for Asked {
    fn default() -> Self {
        Self(Table::new([ASKED]))
    }
}

impl Asked {
    /// Whether a person may be asked now: for the first time in an hour, or about what has gone on since.
    pub(super) fn take(&mut self, address: IpAddr, now: u64) -> bool {
        let first = Span {
            first: now,
            last: now,
        };
        let Some(known) = self.0.find(&address) else {
            self.0.insert(address, first, 0);
            return true;
        };
        self.0.touch(known);
        let span = self.0.value_mut(known);
        let goes_on = now.saturating_sub(span.last) < GOES_ON;
        if now.saturating_sub(span.first) >= HOUR && !goes_on {
            *span = first;
            return true;
        }
        if goes_on {
            span.last = now;
        }
        goes_on
    }
}

/// One more, unless there were `most` in the last `span`.
fn take(begun: &mut VecDeque<u64>, now: u64, (span, most): (u64, usize)) -> bool {
    while begun
        .front()
        .is_some_and(|&first| now.saturating_sub(first) >= span)
    {
        begun.pop_front();
    }
    let left = begun.len() < most;
    if left {
        begun.push_back(now);
    }
    left
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(number: u32) -> IpAddr {
        std::net::Ipv4Addr::from(0xc612_0000 + number).into()
    }

    #[test]
    fn a_crowd_is_told_once_a_minute_and_the_first_of_it_one_by_one() {
        let mut crowds = Crowds::default();
        let victim = (address(1), Class::Scan);
        let mut enter = |number, now| crowds.enter(victim, (address(number), false), now);
        for number in 0..EACH {
            assert_eq!(enter(number, 1), Telling::Alone);
        }
        let Telling::Crowd(crowd) = enter(EACH, 2) else {
            panic!("it is a crowd now");
        };
        assert_eq!((crowd.count, crowd.sources.len(), crowd.first), (9, 9, 1));
        assert_eq!(enter(7, 3), Telling::Alone, "it is known already");
        for number in EACH..1_000 {
            assert_eq!(enter(number, 3), Telling::Nothing);
        }
        let Telling::Alone = enter(1_001, 2 + MINUTE) else {
            panic!("the minute is over");
        };
    }

    #[test]
    fn a_person_is_asked_about_an_address_once_an_hour() {
        let mut asked = Asked::default();
        let minutes = |minute: u64| 1 + minute * MINUTE;
        assert!(asked.take(address(1), minutes(0)));
        assert!(asked.take(address(1), minutes(2)), "it goes on");
        for minute in [20, 21, 40, 59] {
            assert!(!asked.take(address(1), minutes(minute)), "{minute}");
        }
        assert!(asked.take(address(2), minutes(20)));
        assert!(asked.take(address(1), minutes(61)));
    }

    #[test]
    fn whoever_names_many_at_many_victims_takes_few_reviews() {
        let mut crowds = Crowds::default();
        let mut told = [0, 0];
        for number in 0..20_000 {
            let victim = (address(number % 500), Class::Scan);
            let now = 1 + u64::from(number) * 10_000;
            match crowds.enter(victim, (address(number), true), now) {
                Telling::Alone => told[0] += 1,
                Telling::Crowd(_) => told[1] += 1,
                Telling::Nothing => {}
            }
        }
        assert_eq!(told[0], ALL_REVIEWED);
        assert!(told[1] <= 4 * TOLD, "{} crowds in four minutes", told[1]);
        assert!(crowds.known.len() <= CROWDS);
    }
}
