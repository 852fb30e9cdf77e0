//! What was heard of a sensor's numbers, so that nothing counts twice and what is missing is known, asked for, and at last
//! named. It does no IO, and time is an argument.

use contract::reply::Span;
use serde_json::json;

/// What following takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// How long a gap may stay open before it is asked for, microseconds; twice as long after each time.
    pub wait: i64,
    /// How often it is asked for.
    pub tries: u32,
    /// Gaps, and lost ranges, that are followed.
    pub most: usize,
}

/// The numbers of one sensor in one epoch. Everything up to `high` was heard but the gaps and what is lost.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sequence {
    high: u64,
    gaps: Vec<Gap>,
    lost: Vec<Span>,
    heard: u64,
    repeated: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Gap {
    span: Span,
    /// When it is asked for next.
    next: i64,
    asked: u32,
}

/// Whether a message counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// It was not heard before.
    New,
    /// It was.
    Repeated,
}

/// What is to be done about gaps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// Ask for everything from this number on.
    Ask(u64),
    /// This range is lost.
    Lost(Span),
}

impl Sequence {
    /// What the store has kept.
    pub fn restore((high, heard, repeated): (u64, u64, u64), (gaps, lost): (&str, &str)) -> Self {
        let read = |text: &str| -> Vec<Span> {
            let ranges: Vec<(u64, u64)> = serde_json::from_str(text).unwrap_or_default();
            let spans = ranges.into_iter();
            spans.map(|(first, last)| Span { first, last }).collect()
        };
        let gap = |span| Gap {
            span,
            next: 0,
            asked: 0,
        };
        Self {
            high,
            gaps: read(gaps).into_iter().map(gap).collect(),
            lost: read(lost),
            heard,
            repeated,
        }
    }

    /// The highest number heard; different messages heard, and messages that came again.
    pub const fn counts(&self) -> (u64, u64, u64) {
        (self.high, self.heard, self.repeated)
    }

    /// The gaps as the store keeps them.
    pub fn gaps(&self) -> String {
        write(self.gaps.iter().map(|gap| gap.span))
    }

    /// What is lost as the store keeps it.
    pub fn lost(&self) -> String {
        write(self.lost.iter().copied())
    }

    /// Takes note of a message. One that was given up and comes all the same counts.
    pub fn hear(&mut self, seq: u64, now: i64, patience: Patience) -> Heard {
        if seq > self.high {
            self.expect(seq - 1, now, patience);
            self.high = seq;
        } else if let Some(at) = self.gaps.iter().position(|gap| holds(gap.span, seq)) {
            let gap = self.gaps.remove(at);
            // What comes shows that the rest is on its way.
            let rest = |span| Gap {
                span,
                next: gap.next.max(now + patience.wait),
                asked: gap.asked,
            };
            for span in without(gap.span, seq).into_iter().rev() {
                self.gaps.insert(at, rest(span));
            }
        } else if let Some(at) = self.lost.iter().position(|span| holds(*span, seq)) {
            let span = self.lost.remove(at);
            for span in without(span, seq).into_iter().rev() {
                self.lost.insert(at, span);
            }
        } else {
            self.repeated += 1;
            return Heard::Repeated;
        }
        self.heard += 1;
        Heard::New
    }

    /// The sensor says that there are messages up to `last`.
    pub fn expect(&mut self, last: u64, now: i64, patience: Patience) {
        if last <= self.high {
            return;
        }
        let span = Span {
            first: self.high + 1,
            last,
        };
        self.high = last;
        match self.gaps.last_mut() {
            Some(gap) if gap.span.last + 1 == span.first => gap.span.last = span.last,
            _ => self.gaps.push(Gap {
                span,
                next: now + patience.wait,
                asked: 0,
            }),
        }
    }

    /// The sensor says that these will never come; gives back those that were missing.
    pub fn give_up(&mut self, gone: Span) -> Vec<Span> {
        let mut lost = Vec::new();
        let mut gaps = Vec::new();
        for gap in self.gaps.drain(..) {
            let (first, last) = (gap.span.first.max(gone.first), gap.span.last.min(gone.last));
            if first > last {
                gaps.push(gap);
                continue;
            }
            lost.push(Span { first, last });
            let before = (gap.span.first < first).then(|| Span {
                first: gap.span.first,
                last: first - 1,
            });
            let after = (gap.span.last > last).then(|| Span {
                first: last + 1,
                last: gap.span.last,
            });
            for span in before.into_iter().chain(after) {
                gaps.push(Gap { span, ..gap });
            }
        }
        self.gaps = gaps;
        self.lost.extend(&lost);
        self.lost.sort_unstable_by_key(|span| span.first);
        lost
    }

    /// What is due now: the first gap whose time has come is asked for, or given up.
    pub fn due(&mut self, now: i64, patience: Patience) -> Option<Due> {
        if self.lost.len() > patience.most {
            self.lost.remove(0);
        }
        let given_up = match self.gaps.len() > patience.most {
            true => self.gaps.first(),
            false => self
                .gaps
                .iter()
                .find(|gap| gap.next <= now && gap.asked >= patience.tries),
        };
        if let Some(span) = given_up.map(|gap| gap.span) {
            self.give_up(span);
            return Some(Due::Lost(span));
        }
        let gap = self.gaps.iter().find(|gap| gap.next <= now)?;
        let first = gap.span.first;
        // Everything after the first missing number is sent again, so every gap was asked for.
        for gap in &mut self.gaps {
            gap.asked += 1;
            gap.next = now + (patience.wait << gap.asked.min(16));
        }
        Some(Due::Ask(first))
    }

    /// When something is due next.
    pub fn next(&self) -> Option<i64> {
        self.gaps.iter().map(|gap| gap.next).min()
    }
}

const fn holds(span: Span, seq: u64) -> bool {
    span.first <= seq && seq <= span.last
}

fn without(span: Span, seq: u64) -> Vec<Span> {
    let before = (span.first < seq).then(|| Span {
        first: span.first,
        last: seq - 1,
    });
    let after = (seq < span.last).then(|| Span {
        first: seq + 1,
        last: span.last,
    });
    before.into_iter().chain(after).collect()
}

fn write(spans: impl Iterator<Item = Span>) -> String {
    let ranges: Vec<(u64, u64)> = spans.map(|span| (span.first, span.last)).collect();
    json!(ranges).to_string()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    const PATIENCE: Patience = Patience {
        wait: 1_000,
        tries: 2,
        most: 8,
    };

    fn heard(seqs: &[u64]) -> Sequence {
        let mut sequence = Sequence::default();
        for seq in seqs {
            sequence.hear(*seq, 0, PATIENCE);
        }
        sequence
    }

    #[test]
    fn a_gap_is_asked_for_once_its_time_has_come_and_then_given_up() {
        let mut sequence = heard(&[1, 2, 5, 6, 9]);
        assert_eq!(sequence.gaps(), "[[3,4],[7,8]]");
        assert_eq!(sequence.due(999, PATIENCE), None);
        assert_eq!(sequence.due(1_000, PATIENCE), Some(Due::Ask(3)));
        assert_eq!(sequence.due(1_000, PATIENCE), None);
        assert_eq!(sequence.due(3_000, PATIENCE), Some(Due::Ask(3)));
        let lost = |first, last| Some(Due::Lost(Span { first, last }));
        assert_eq!(sequence.due(7_000, PATIENCE), lost(3, 4));
        assert_eq!(sequence.due(7_000, PATIENCE), lost(7, 8));
        assert_eq!(sequence.due(i64::MAX, PATIENCE), None);
        assert_eq!(sequence.lost(), "[[3,4],[7,8]]");
    }

    #[test]
    fn what_was_given_up_and_comes_all_the_same_counts_once() {
        let mut sequence = heard(&[1, 5]);
        assert_eq!(
            sequence.give_up(Span { first: 1, last: 3 }),
            [Span { first: 2, last: 3 }]
        );
        assert_eq!(
            (sequence.gaps().as_str(), sequence.lost().as_str()),
            ("[[4,4]]", "[[2,3]]")
        );
        assert_eq!(sequence.hear(3, 0, PATIENCE), Heard::New);
        assert_eq!(sequence.hear(3, 0, PATIENCE), Heard::Repeated);
        assert_eq!(sequence.lost(), "[[2,2]]");
    }

    #[test]
    fn what_the_status_tells_of_is_missing_until_it_comes() {
        let mut sequence = heard(&[1]);
        sequence.expect(3, 0, PATIENCE);
        sequence.expect(4, 0, PATIENCE);
        assert_eq!(sequence.gaps(), "[[2,4]]");
        for seq in 2..=4 {
            assert_eq!(sequence.hear(seq, 0, PATIENCE), Heard::New);
        }
        assert_eq!((sequence.gaps().as_str(), sequence.next()), ("[]", None));
    }

    #[test]
    fn gaps_are_bounded_and_the_oldest_is_named() {
        let mut sequence = heard(&(0..20).map(|n| n * 2 + 2).collect::<Vec<_>>());
        let mut named = 0;
        while let Some(Due::Lost(_)) = sequence.due(0, PATIENCE) {
            named += 1;
        }
        assert_eq!(named, 20 - PATIENCE.most);
    }

    proptest! {
        #[test]
        fn every_number_counts_exactly_once_in_whatever_order_and_over_restarts(
            seqs in proptest::collection::vec(1_u64..60, 0..200), restart in 0_usize..200
        ) {
            let wide = Patience { most: 100, ..PATIENCE };
            let (mut sequence, mut known) = (Sequence::default(), BTreeSet::new());
            for (at, seq) in seqs.iter().enumerate() {
                if at == restart {
                    let (gaps, lost) = (sequence.gaps(), sequence.lost());
                    sequence = Sequence::restore(sequence.counts(), (&gaps, &lost));
                }
                let is_new = known.insert(*seq);
                prop_assert_eq!(sequence.hear(*seq, 0, wide) == Heard::New, is_new);
            }
            let high = known.last().copied().unwrap_or(0);
            let missing: u64 = high - known.len() as u64;
            let gaps: Vec<(u64, u64)> = serde_json::from_str(&sequence.gaps()).unwrap();
            prop_assert_eq!(gaps.iter().map(|(first, last)| last - first + 1).sum::<u64>(), missing);
        }
    }
}
