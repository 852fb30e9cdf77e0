//! A small set of hashes, for linear counting (Whang et al., 1990).
//! It forgets nothing and keeps no member.

/// A set of `WORDS` × 64 bits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bits<const WORDS: usize>([u64; WORDS]);

impl<const WORDS: usize> Default for Bits<WORDS> {
    fn default() -> Self {
        Self([0; WORDS])
    }
}

impl<const WORDS: usize> Bits<WORDS> {
    const BITS: u64 = WORDS as u64 * 64;

    /// Adds a hash, and returns whether its bit is new.
    pub(super) fn insert(&mut self, hash: u64) -> bool {
        let (word, bit) = Self::place(hash);
        let known = self.0[word] & bit != 0;
        self.0[word] |= bit;
        !known
    }

    pub(super) fn contains(&self, hash: u64) -> bool {
        let (word, bit) = Self::place(hash);
        self.0[word] & bit != 0
    }

    /// Distinct members, estimated from the share of bits still 0.
    pub(super) fn distinct(&self) -> u32 {
        let ones: u32 = self.0.iter().map(|word| word.count_ones()).sum();
        let zeros = (Self::BITS as f64 - f64::from(ones)).max(1.0);
        (Self::BITS as f64 * (Self::BITS as f64 / zeros).ln()).round() as u32
    }

    /// Whether so many bits are set that new members mostly look known.
    pub(super) fn is_full(&self) -> bool {
        let ones: u32 = self.0.iter().map(|word| word.count_ones()).sum();
        u64::from(ones) * 2 > Self::BITS
    }

    fn place(hash: u64) -> (usize, u64) {
        let at = hash % Self::BITS;
        ((at / 64) as usize, 1 << (at % 64))
    }
}

/// A hash of numbers, the same in every run: what is remembered decides nothing about room, so nothing is gained by
/// finding two that collide but to look known oneself.
pub(super) fn hash(numbers: &[u64]) -> u64 {
    numbers.iter().fold(0x9e37_79b9_7f4a_7c15, |hash, number| {
        let mut mixed = hash ^ number;
        mixed = (mixed ^ mixed >> 33).wrapping_mul(0xff51_afd7_ed55_8ccd);
        mixed = (mixed ^ mixed >> 33).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
        mixed ^ mixed >> 33
    })
}
