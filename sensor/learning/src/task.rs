//! What one fit works on: rows, how they are drawn, and which classes they fall into.
//! Every algorithm draws through it, so all see the same weights.

use super::dataset::{Dataset, Pool};
use super::random::Random;
use contract::class::Class;

/// The rows of one fit.
pub(super) struct Task<'a> {
    pub(super) data: &'a Dataset,
    pub(super) pool: &'a Pool,
    pub(super) classes: &'a [Class],
    pub(super) seed: u64,
}

impl Task<'_> {
    /// A weighted draw that begins with a row of each class, because smartcore numbers only the classes it sees.
    pub(super) fn draw(&self, count: usize, random: &mut Random) -> Vec<u32> {
        let mut rows = self.pool.draw(count, random);
        for (slot, place) in rows.iter_mut().enumerate().take(self.classes.len()) {
            let held = |row: &&u32| self.position(**row) as usize == slot;
            let all: Vec<&u32> = self.pool.rows().iter().filter(held).collect();
            if let Some(row) = all.get(random.below(all.len())) {
                *place = **row;
            }
        }
        rows
    }

    /// Where the class of a row stands among the classes.
    pub(super) fn position(&self, row: u32) -> u32 {
        let class = self.data.sample(row).map(|sample| sample.class);
        let at = self.classes.iter().position(|c| Some(*c) == class);
        at.unwrap_or(0) as u32
    }
}
