//! Live time: stamps of the wall clock, as the kernel puts them on frames, become microseconds of the boot clock.
//! Setting the wall clock must not change it.

use nix::time::{ClockId, clock_gettime};

/// What both clocks say at one moment, nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Moment {
    /// Since the machine was started, the time it slept included.
    pub(super) boot: i64,
    /// Since 1970, as set.
    pub(super) wall: i64,
}

impl Moment {
    /// Reads both clocks.
    pub(super) fn now() -> Self {
        Self {
            boot: read(ClockId::CLOCK_BOOTTIME),
            wall: read(ClockId::CLOCK_REALTIME),
        }
    }

    /// The boot clock, microseconds.
    pub(super) fn micros(self) -> u64 {
        (self.boot / 1_000).unsigned_abs()
    }
}

/// Linux has had both clocks since 2.6.39; they cannot fail.
fn read(clock: ClockId) -> i64 {
    clock_gettime(clock).map_or(0, |time| time.tv_sec() * 1_000_000_000 + time.tv_nsec())
}

/// The boot time of frames in the order they are handed out, which never runs backwards.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Clock {
    last: i64,
}

impl Clock {
    /// The boot time, nanoseconds, of a frame stamped `wall` and read at `now`: neither before the frame before it
    /// nor after now. Only the frames that wait while the wall clock is set are moved by it, to one of these ends.
    pub(super) fn stamp(&mut self, wall: i64, now: Moment) -> i64 {
        let age = now.wall.saturating_sub(wall);
        let boot = now.boot.saturating_sub(age);
        self.last = boot.min(now.boot).max(self.last);
        self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000_000;
    const HOUR: i64 = 3_600 * SECOND;
    const WALL: i64 = 1_700_000_000 * SECOND;

    fn moment(boot: i64, wall: i64) -> Moment {
        Moment { boot, wall }
    }

    #[test]
    fn a_frame_is_as_old_as_its_stamp_says() {
        let mut clock = Clock::default();
        let now = moment(1_000 * SECOND, WALL);
        assert_eq!(
            clock.stamp(WALL - 7_000_123, now),
            1_000 * SECOND - 7_000_123
        );
        assert_eq!(clock.stamp(WALL, now), 1_000 * SECOND);
        assert!(Moment::now().boot > 0);
    }

    #[test]
    fn a_stepped_wall_clock_changes_nothing() {
        for step in [-HOUR, HOUR] {
            let mut clock = Clock::default();
            let before = moment(1_000 * SECOND, WALL);
            let first = clock.stamp(WALL - SECOND / 100, before);
            // This one was stamped before the step and is read after it.
            let after = moment(1_000 * SECOND + SECOND / 50, WALL + SECOND / 50 + step);
            let waiting = clock.stamp(WALL + SECOND / 100, after);
            assert!((first..=after.boot).contains(&waiting), "{step}");
            // Those stamped after it are where they belong at once.
            let later = moment(1_010 * SECOND, WALL + 10 * SECOND + step);
            let next = clock.stamp(WALL + 9 * SECOND + step, later);
            assert_eq!(next, 1_009 * SECOND, "{step}");
        }
    }

    #[test]
    fn time_neither_runs_backwards_nor_ahead() {
        let mut clock = Clock::default();
        let now = moment(1_000 * SECOND, WALL);
        assert_eq!(clock.stamp(WALL + HOUR, now), 1_000 * SECOND);
        assert_eq!(clock.stamp(WALL - HOUR, now), 1_000 * SECOND);
        assert_eq!(clock.stamp(i64::MIN, now), 1_000 * SECOND);
        assert_eq!(clock.stamp(i64::MAX, now), 1_000 * SECOND);
    }
}
