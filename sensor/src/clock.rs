//! The machine's clocks. Only what runs live reads them; whatever decides is told the time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use nix::time::{ClockId, clock_gettime};

use contract::timestamp::Timestamp;

/// A moment on both clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// Microseconds of the boot clock, which goes on in standby and is never set.
    pub micros: u64,
    /// Wall time, which only labels.
    pub wall: Timestamp,
}

impl Moment {
    /// This moment.
    pub fn now() -> Self {
        Self {
            micros: u64::try_from(read(ClockId::CLOCK_BOOTTIME)).unwrap_or(0),
            wall: wall(),
        }
    }
}

/// Wall time.
pub fn wall() -> Timestamp {
    Timestamp::from_micros(read(ClockId::CLOCK_REALTIME))
}

/// Both clocks are always there; a kernel without them has stopped time.
fn read(clock: ClockId) -> i64 {
    clock_gettime(clock).map_or(0, |time| time.tv_sec() * 1_000_000 + time.tv_nsec() / 1_000)
}

/// A thread's sign of life: it beats at each turn of its loop, and whoever watches sees when it last did.
#[derive(Debug, Clone, Default)]
pub struct Heartbeat(Arc<AtomicU64>);

impl Heartbeat {
    /// Gives a sign of life at `micros` of the boot clock.
    pub fn beat(&self, micros: u64) {
        self.0.store(micros, Ordering::Relaxed);
    }

    /// When it last did; 0 where it never has.
    pub fn last(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
