//! Makes up rows of the attacks that have few (SMOTE, Chawla et al. 2002): points between a row and a near one of its class.
//! An option: it does not help the forest, which is why nothing does it by default.

use serde::{Deserialize, Serialize};

use super::dataset::{Dataset, Sampling};
use super::random::Random;
use crate::class::Class;
use crate::model::Scaler;

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
    pub fn apply(
        &self,
        data: &Dataset,
        rows: &[u32],
        (sampling, seed): (&Sampling, u64),
    ) -> Dataset {
        let pool = data.pool(rows, sampling, seed);
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
            if class.len() > 1 {
                self.fill(&mut grown, (&class, &scaler), missing, &mut random);
            }
        }
        grown
    }

    fn fill(
        &self,
        data: &mut Dataset,
        (class, scaler): (&[u32], &Scaler),
        missing: usize,
        random: &mut Random,
    ) {
        let near = self.near(data, class, scaler);
        for _ in 0..missing {
            let start = random.below(class.len());
            let partners = near.get(start).map_or(&[][..], Vec::as_slice);
            let (Some(&from), Some(&to)) =
                (class.get(start), partners.get(random.below(partners.len())))
            else {
                continue;
            };
            let part = random.unit() as f32;
            let between = data.row(from).iter().zip(data.row(to));
            // Features are whole numbers.
            let row: Vec<f32> = between.map(|(a, b)| (a + part * (b - a)).round()).collect();
            if let Some(sample) = data.sample(from).copied() {
                data.push(sample, &row);
            }
        }
    }

    /// For each row of a class, the nearest others.
    fn near(&self, data: &Dataset, class: &[u32], scaler: &Scaler) -> Vec<Vec<u32>> {
        let scaled: Vec<_> = class
            .iter()
            .map(|&row| scaler.apply(data.row(row)))
            .collect();
        let distance =
            |a: &[f32], b: &[f32]| -> f32 { a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum() };
        let nearest = |(at, own): (usize, &crate::model::Scaled)| {
            let others = scaled
                .iter()
                .zip(class)
                .enumerate()
                .filter(|(other, _)| *other != at);
            let mut others: Vec<(f32, u32)> = others
                .map(|(_, (scaled, &row))| (distance(own, scaled), row))
                .collect();
            others.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
            others.truncate(self.neighbours.max(1));
            others.into_iter().map(|(_, row)| row).collect()
        };
        scaled.iter().enumerate().map(nearest).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::learn::synthetic;

    #[test]
    fn rare_attacks_are_filled_with_rows_between_their_own() {
        let data = synthetic::overlapping(600, 3);
        let scarce = |row: &u32| data.sample(*row).unwrap().class != Class::Flood || row % 8 == 0;
        let rows: Vec<u32> = data.rows(|_, _| true).into_iter().filter(scarce).collect();
        let count = |data: &Dataset, class| data.rows(|_, s| s.class == class).len();
        let smote = Smote {
            share: 1.0,
            ..Smote::default()
        };
        let grown = smote.apply(&data, &rows, (&Sampling::default(), 1));
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
