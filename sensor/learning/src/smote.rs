//! Makes up rows of the attacks that have few (SMOTE, Chawla et al. 2002): points between a row and a near one of its class.
//! An option: it does not help the forest, which is why nothing does it by default.

use serde::{Deserialize, Serialize};

use super::dataset::{Dataset, Pool};
use super::random::Random;
use contract::class::Class;
use detection::model::{Scaled, Scaler};

/// How many rows are made up.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Smote {
    /// Near rows a partner is chosen from.
    pub neighbours: usize,
    /// An attack gets up to this share of the largest attack's rows.
    pub share: f64,
    /// Rows of a class among which near ones are looked for: the search costs their square.
    pub searched: usize,
}

impl Default for Smote {
    fn default() -> Self {
        Self {
            neighbours: 5,
            share: 0.5,
            searched: 1_000,
        }
    }
}

impl Smote {
    /// A copy of the capped rows with made-up ones of the rare attacks after them.
    ///
    /// A made-up row belongs to the capture of the row it began at.
    pub fn apply(&self, data: &Dataset, pool: &Pool, seed: u64) -> Dataset {
        let mut grown = Dataset::new(data.width());
        for capture in data.captures() {
            grown.add_capture(capture.clone());
        }
        for &row in pool.rows() {
            if let Some(sample) = data.sample(row) {
                grown.push(*sample, data.row(row));
            }
        }
        let of = |class: Class| -> Vec<u32> {
            let samples = (0u32..).zip(grown.samples());
            let held = samples.filter(|(_, sample)| sample.class == class);
            held.map(|(row, _)| row).collect()
        };
        let attacks: Vec<Vec<u32>> = Class::LEARNT[1..].iter().map(|class| of(*class)).collect();
        let largest = attacks.iter().map(Vec::len).max().unwrap_or(0);
        let wanted = (largest as f64 * self.share) as usize;
        let scaler = Scaler::fit(
            (0..grown.len() as u32).map(|row| grown.row(row)),
            vec![true; grown.width()],
        );
        for (number, mut class) in attacks.into_iter().enumerate() {
            let missing = wanted.saturating_sub(class.len());
            let mut random = Random::new(seed, 0x30_0000 + number as u64);
            random.shuffle(&mut class);
            class.truncate(self.searched.max(2));
            let partners = self.near(&grown, &class, &scaler);
            for _ in 0..missing {
                let Some((from, near)) = partners.get(random.below(partners.len())) else {
                    break;
                };
                let Some(&to) = near.get(random.below(near.len())) else {
                    break;
                };
                grown.push_between(*from, to, random.unit() as f32);
            }
        }
        grown
    }

    /// Each row of a class with the nearest others.
    fn near(&self, data: &Dataset, class: &[u32], scaler: &Scaler) -> Vec<(u32, Vec<u32>)> {
        let scaled: Vec<_> = class
            .iter()
            .map(|&row| scaler.apply(data.row(row)))
            .collect();
        let distance =
            |a: &[f32], b: &[f32]| -> f32 { a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum() };
        let nearest = |(own, &row): (&Scaled, &u32)| {
            let others = scaled.iter().zip(class).filter(|(_, other)| **other != row);
            let mut others: Vec<(f32, u32)> = others
                .map(|(other, &row)| (distance(own, other), row))
                .collect();
            others.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
            others.truncate(self.neighbours.max(1));
            (row, others.into_iter().map(|(_, row)| row).collect())
        };
        scaled.iter().zip(class).map(nearest).collect()
    }
}

impl Dataset {
    /// Adds a row some `part` of the way between two; features are whole numbers.
    fn push_between(&mut self, from: u32, to: u32, part: f32) {
        let between = self.row(from).iter().zip(self.row(to));
        let row: Vec<f32> = between.map(|(a, b)| (a + part * (b - a)).round()).collect();
        if let Some(sample) = self.sample(from).copied() {
            self.push(sample, &row);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::Sampling;
    use crate::synthetic;

    #[test]
    fn rare_attacks_are_filled_with_rows_between_their_own() {
        let data = synthetic::overlapping(600, 3);
        let scarce =
            |row: &u32| data.sample(*row).unwrap().class != Class::Flood || row.is_multiple_of(8);
        let rows: Vec<u32> = data.rows(|_, _| true).into_iter().filter(scarce).collect();
        let count = |data: &Dataset, class| data.rows(|_, s| s.class == class).len();
        let smote = Smote {
            share: 1.0,
            ..Smote::default()
        };
        let pool = data.pool(&rows, &Sampling::default(), 1);
        let grown = smote.apply(&data, &pool, 1);
        let (scan, flood) = (count(&grown, Class::Scan), count(&grown, Class::Flood));
        assert_eq!(flood, scan.max(count(&grown, Class::BruteForce)));
        assert_eq!(count(&grown, Class::Benign), count(&data, Class::Benign));
        let bounds = |data: &Dataset, rows: &[u32]| -> (f32, f32) {
            let values = rows.iter().map(|&row| data.row(row)[0]);
            (
                values.clone().fold(f32::MAX, f32::min),
                values.fold(f32::MIN, f32::max),
            )
        };
        let before: Vec<u32> = rows
            .iter()
            .copied()
            .filter(|&row| data.sample(row).unwrap().class == Class::Flood)
            .collect();
        let after = grown.rows(|_, s| s.class == Class::Flood);
        assert_eq!(bounds(&data, &before), bounds(&grown, &after));
        assert!(
            grown
                .row(after[after.len() - 1])
                .iter()
                .all(|x| x.fract() == 0.0)
        );
    }
}
