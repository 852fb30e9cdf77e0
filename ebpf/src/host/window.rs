//! Two-bucket windows and the bitmaps in them: what a sliding minute costs without a timer.
//! It does not know what the buckets count.

/// A set of hashes seen, for linear counting (Whang et al., 1990): the count is estimated from the share of bits still 0.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bitmap<const WORDS: usize>([u64; WORDS]);

impl<const WORDS: usize> Default for Bitmap<WORDS> {
    fn default() -> Self {
        Self([0; WORDS])
    }
}

impl<const WORDS: usize> Bitmap<WORDS> {
    /// Bits in the set.
    pub const BITS: u32 = WORDS as u32 * 64;

    #[inline(always)]
    pub(super) fn insert(&mut self, hash: u64) -> bool {
        let bit = 1u64 << (hash & 63);
        let index = (hash >> 6) as usize & (WORDS - 1);
        match self.0.get_mut(index) {
            Some(word) => {
                let new = *word & bit == 0;
                *word |= bit;
                new
            }
            None => false,
        }
    }

    #[inline(always)]
    pub(super) fn contains(&self, hash: u64) -> bool {
        let index = (hash >> 6) as usize & (WORDS - 1);
        match self.0.get(index) {
            Some(word) => *word & 1u64 << (hash & 63) != 0,
            None => false,
        }
    }

    /// Bits set in either of two sets.
    #[inline(never)]
    pub(super) fn union_len(&self, other: &Self) -> u16 {
        let mut ones = 0;
        for (a, b) in self.0.iter().zip(&other.0) {
            ones += (a | b).count_ones();
        }
        ones as u16
    }

    #[inline(always)]
    pub(super) fn len(&self) -> u16 {
        self.union_len(self)
    }
}

/// Two buckets of a sliding window.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Window<B> {
    /// When the current bucket began, microseconds.
    pub start: u64,
    /// The bucket being filled.
    pub current: B,
    /// The one before it.
    pub previous: B,
}

/// Which buckets of a window still count.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Age {
    Both,
    Current,
    Neither,
}

impl<B: Copy + Default> Window<B> {
    #[inline(always)]
    pub(super) fn age(&self, time: u64, bucket: u64) -> Age {
        let elapsed = time.saturating_sub(self.start);
        if elapsed < bucket {
            Age::Both
        } else if elapsed < 2 * bucket {
            Age::Current
        } else {
            Age::Neither
        }
    }

    #[inline(always)]
    pub(super) fn rotate(&mut self, time: u64, bucket: u64) {
        match self.age(time, bucket) {
            Age::Both => {}
            Age::Current => {
                self.previous = self.current;
                self.current = B::default();
                self.start += bucket;
            }
            Age::Neither => {
                self.previous = B::default();
                self.current = B::default();
                self.start = time;
            }
        }
    }
}
