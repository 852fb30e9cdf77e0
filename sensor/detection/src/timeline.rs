//! The meter's clock for captures: wall time in, monotonic microseconds out, and back for labels.
//! It never reads a clock; what it knows of time are the frames it is shown.

use std::collections::VecDeque;

use crate::frame::Timestamp;

/// Where the monotonic clock begins, in microseconds: one second, because the meter's tables use 0 for "never".
const ORIGIN_MICROS: i64 = 1_000_000;

/// A frame up to this many microseconds behind is one out of order: the clock waits for it.
const LATE_MICROS: i64 = 1_000_000;

/// A frame further behind, up to this many microseconds, follows another clock than those before it: a second tap given
/// with the first, another queue of the card, a clock set back. Time goes on by that clock, beside the first.
const BESIDE_MICROS: i64 = 60 * 1_000_000;

/// So many frames in a row, each earlier than the one before, are a recording that runs backwards: time goes on by as much.
const BACKWARDS: u32 = 8;

/// A step back beyond this many microseconds is a different recording. The meter resets its windows then.
const RESET_MICROS: i64 = 3_600 * 1_000_000;

/// Microseconds the clock advances for such a step: above the hour at which the meter resets.
const RESET_PAUSE_MICROS: i64 = 3_601 * 1_000_000;

/// Clocks that differ by more nanoseconds than this were set, not adjusted.
const STEP_NANOS: i64 = 1_000_000_000;

/// Steps remembered for labels; 4096 take 64 KiB, and a capture with more has no clock worth labelling by.
const MAX_SEGMENTS: usize = 4096;

/// Maps a capture's wall clock to a clock that never runs backwards.
#[derive(Debug, Clone, Default)]
pub struct Timeline {
    segments: VecDeque<Segment>,
    /// Another clock that frames now and then follow.
    beside: Option<Segment>,
    now: i64,
    /// The frame before, wall nanoseconds, and how many in a row were earlier than the one before them.
    last: i64,
    backwards: u32,
}

/// A part of the capture in which both clocks run alike.
#[derive(Debug, Clone, Copy)]
struct Segment {
    micros: i64,
    wall: i64,
}

impl Timeline {
    /// A timeline that begins with the first frame it is shown.
    pub fn new() -> Timeline {
        Timeline::default()
    }

    /// A timeline that is at `micros` when the wall clock says `wall`.
    pub fn anchored(micros: u64, wall: Timestamp) -> Timeline {
        let mut timeline = Timeline::default();
        timeline.begin(wall, i64::try_from(micros).unwrap_or(i64::MAX));
        timeline
    }

    /// At `micros` the wall clock says `wall`. Where that is more than a second off, the clock was set: what came before
    /// keeps its label, and what follows has the new one. Returns whether it was.
    pub fn follow(&mut self, micros: u64, wall: Timestamp) -> bool {
        let off = wall
            .nanoseconds()
            .saturating_sub(self.wall(micros).nanoseconds());
        let stepped = off.abs() > STEP_NANOS;
        if stepped {
            self.begin(wall, i64::try_from(micros).unwrap_or(i64::MAX));
        }
        stepped
    }

    /// Returns the monotonic microseconds of a frame captured at `wall`, at least those of the frame before.
    ///
    /// Forward, both clocks advance alike, however far. A step back of up to a second holds the clock; of up to a
    /// minute, or of up to an hour for good, time goes on from where it was, so that no rate is worked out over time
    /// that stands still; beyond, it advances by more than an hour, so that every window of the meter resets.
    pub fn advance(&mut self, wall: Timestamp) -> u64 {
        let Some(segment) = self.segments.back().copied() else {
            self.last = wall.nanoseconds();
            return self.begin(wall, ORIGIN_MICROS);
        };
        let step = wall.nanoseconds().saturating_sub(self.last);
        self.last = wall.nanoseconds();
        self.backwards = if step < 0 {
            self.backwards.saturating_add(1)
        } else {
            0
        };
        let at = segment.micros_at(wall);
        let step_back = self.now.saturating_sub(at);
        if step_back <= BESIDE_MICROS {
            let beside = self.beside.map(|beside| beside.micros_at(wall));
            let lead = |at: i64| at.saturating_sub(self.now);
            let time = match beside {
                _ if step_back <= LATE_MICROS => at,
                Some(beside) if (-LATE_MICROS..=BESIDE_MICROS).contains(&lead(beside)) => beside,
                _ => {
                    self.beside = Some(Segment {
                        micros: self.now,
                        wall: wall.nanoseconds(),
                    });
                    self.now
                }
            };
            let passed = if self.backwards >= BACKWARDS {
                step.saturating_neg() / 1_000
            } else {
                0
            };
            self.now = self.now.max(time).saturating_add(passed);
            return self.now.unsigned_abs();
        }
        let pause = match step_back {
            ..=RESET_MICROS => 0,
            _ => RESET_PAUSE_MICROS,
        };
        self.begin(wall, self.now.saturating_add(pause))
    }

    /// Returns the capture's wall time at `micros`, for labels. Before the first frame, and where more
    /// steps happened than are remembered, it counts from the oldest known.
    pub fn wall(&self, micros: u64) -> Timestamp {
        let micros = i64::try_from(micros).unwrap_or(i64::MAX);
        let after = self
            .segments
            .partition_point(|segment| segment.micros <= micros);
        match self.segments.get(after.saturating_sub(1)) {
            Some(segment) => segment.wall_at(micros),
            None => Timestamp::default(),
        }
    }

    fn begin(&mut self, wall: Timestamp, micros: i64) -> u64 {
        if self.segments.len() == MAX_SEGMENTS {
            self.segments.pop_front();
        }
        self.segments.push_back(Segment {
            micros,
            wall: wall.nanoseconds(),
        });
        self.now = micros;
        self.beside = None;
        micros.unsigned_abs()
    }
}

impl Segment {
    fn wall_at(&self, micros: i64) -> Timestamp {
        let since = micros.saturating_sub(self.micros).saturating_mul(1_000);
        Timestamp::from_nanoseconds(self.wall.saturating_add(since))
    }

    /// Negative for a moment long before the segment.
    fn micros_at(&self, wall: Timestamp) -> i64 {
        let since = wall.nanoseconds().saturating_sub(self.wall);
        self.micros.saturating_add(since / 1_000)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: i64 = 1_000_000_000;

    fn at(nanoseconds: i64) -> Timestamp {
        Timestamp::from_nanoseconds(nanoseconds)
    }

    #[test]
    fn both_clocks_run_alike_from_any_epoch() {
        for epoch in [0, -5 * SECOND, 1_700_000_000 * SECOND + 999_999_999] {
            let mut timeline = Timeline::new();
            let start = timeline.advance(at(epoch));
            assert!(start > 0);
            // Two steps of 600 ns make 1.2 µs: fractions are not lost frame by frame.
            assert_eq!(timeline.advance(at(epoch + 600)), start);
            assert_eq!(timeline.advance(at(epoch + 1_200)), start + 1);
            assert_eq!(timeline.advance(at(epoch + 7 * SECOND)), start + 7_000_000);
            assert_eq!(timeline.wall(start + 7_000_000), at(epoch + 7 * SECOND));
        }
    }

    #[test]
    fn a_frame_out_of_order_holds_the_clock() {
        let mut timeline = Timeline::new();
        let start = timeline.advance(at(100 * SECOND));
        assert_eq!(timeline.advance(at(100 * SECOND - SECOND / 2)), start);
        assert_eq!(timeline.advance(at(101 * SECOND)), start + 1_000_000);
    }

    #[test]
    fn time_goes_on_by_a_second_clock_that_lags_and_by_the_first_where_both_go() {
        let mut timeline = Timeline::new();
        let start = timeline.advance(at(100 * SECOND));
        assert_eq!(timeline.advance(at(60 * SECOND)), start);
        assert_eq!(timeline.advance(at(63 * SECOND)), start + 3_000_000);
        assert_eq!(timeline.advance(at(104 * SECOND)), start + 4_000_000);
        assert_eq!(timeline.advance(at(64 * SECOND)), start + 4_000_000);
        for second in 65..90 {
            let both = timeline.advance(at((second + 40) * SECOND));
            assert_eq!(timeline.advance(at(second * SECOND)), both);
            assert_eq!(both, start + (second as u64 - 60) * 1_000_000);
        }
    }

    #[test]
    fn a_recording_that_runs_backwards_takes_as_long() {
        let mut timeline = Timeline::new();
        let start = timeline.advance(at(5_000 * SECOND));
        let mut end = start;
        for step in 1..=1_000 {
            end = timeline.advance(at(5_000 * SECOND - step * SECOND / 50));
        }
        let seconds = (end - start) / 1_000_000;
        assert!((18..=22).contains(&seconds), "{seconds}");
    }

    #[test]
    fn a_clock_set_back_by_minutes_goes_on_from_where_it_was() {
        let mut timeline = Timeline::new();
        let start = timeline.advance(at(10_000 * SECOND));
        assert_eq!(timeline.advance(at(9_000 * SECOND)), start);
        assert_eq!(timeline.advance(at(9_002 * SECOND)), start + 2_000_000);
        assert_eq!(timeline.wall(start + 2_000_000), at(9_002 * SECOND));
    }

    #[test]
    fn a_jump_of_more_than_an_hour_either_way_passes_an_hour() {
        let hour = 3_600 * 1_000_000;
        let day = 86_400 * SECOND;
        let mut timeline = Timeline::new();
        let first = timeline.advance(at(10 * day));
        let second = timeline.advance(at(11 * day));
        assert_eq!(second - first, 24 * hour);
        let third = timeline.advance(at(2 * day));
        assert!(third - second > hour);
        assert_eq!(timeline.advance(at(2 * day + SECOND)), third + 1_000_000);
        for (micros, wall) in [
            (first, 10 * day),
            (second, 11 * day),
            (third, 2 * day),
            (third + 1_000_000, 2 * day + SECOND),
        ] {
            assert_eq!(timeline.wall(micros), at(wall));
        }
    }

    #[test]
    fn labels_before_the_first_frame_do_not_fail() {
        let mut timeline = Timeline::new();
        assert_eq!(timeline.wall(7), at(0));
        let start = timeline.advance(at(50 * SECOND));
        assert_eq!(timeline.wall(start - 1_000_000), at(49 * SECOND));
    }

    proptest! {
        #[test]
        fn time_never_runs_backwards_and_memory_is_bounded(
            walls in proptest::collection::vec(any::<i64>(), 1..6_000)
        ) {
            let mut timeline = Timeline::new();
            let mut before = 0;
            for wall in walls {
                let now = timeline.advance(at(wall));
                prop_assert!(now >= before);
                before = now;
                timeline.wall(now);
            }
            prop_assert!(timeline.segments.len() <= MAX_SEGMENTS);
        }
    }
}
