//! Labelled snapshots in memory, and which of them a fit gets to see.
//! It reads no files and knows no algorithm.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::random::Random;
use contract::class::Class;

/// A capture the rows come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capture {
    /// Path relative to the labels file.
    pub name: String,
    /// What is left out together with it.
    pub source: String,
    /// Word of the labels file: `train`, `val`, `test`.
    pub split: String,
}

/// One labelled snapshot, without its features.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Position in [`Dataset::captures`].
    pub capture: u32,
    /// The address charged with it, numbered within its capture.
    pub address: u32,
    /// Capture time, microseconds.
    pub time: u64,
    /// What its flow is part of.
    pub class: Class,
    /// Whether the address charged is one that should be blocked.
    pub attacker: bool,
    /// Whether there are grounds to accuse the address: without, a snapshot cannot speak against it.
    pub active: bool,
}

/// Labelled snapshots of many captures.
#[derive(Clone, Debug, Default)]
pub struct Dataset {
    width: usize,
    captures: Vec<Capture>,
    samples: Vec<Sample>,
    features: Vec<f32>,
}

/// How much each capture may say in a fit.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sampling {
    /// Most rows of one class one capture contributes: floods and big scans drown the rest otherwise.
    pub per_capture: usize,
    /// A capture's weight is its rows to this power: 0 makes captures equal, 1 makes rows equal.
    pub exponent: f64,
    /// Share of the weight the attacks together have.
    pub attack_share: f64,
}

/// Rows a fit may see, and how likely each is drawn.
#[derive(Clone, Debug, PartialEq)]
pub struct Pool {
    rows: Vec<u32>,
    /// Running sum of the weights of `rows`.
    ladder: Vec<f64>,
}

impl Default for Sampling {
    fn default() -> Self {
        Self {
            per_capture: 2_000,
            exponent: 0.5,
            attack_share: 0.5,
        }
    }
}

impl Dataset {
    /// An empty set of rows with this many features.
    pub fn new(width: usize) -> Self {
        Self {
            width,
            ..Self::default()
        }
    }

    /// Adds a capture and returns its number.
    pub fn add_capture(&mut self, capture: Capture) -> u32 {
        self.captures.push(capture);
        self.captures.len() as u32 - 1
    }

    /// Adds a snapshot; missing features are zero, surplus ones are dropped.
    pub fn push(&mut self, sample: Sample, row: &[f32]) {
        self.samples.push(sample);
        let given = row.iter().copied().chain(std::iter::repeat(0.0));
        self.features.extend(given.take(self.width));
    }

    /// Features of each row.
    pub fn width(&self) -> usize {
        self.width
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.samples.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.samples.is_empty()
    }

    /// All captures, by number.
    pub fn captures(&self) -> &[Capture] {
        &self.captures
    }

    /// All rows' labels, by row number.
    pub fn samples(&self) -> &[Sample] {
        &self.samples
    }

    /// The features of one row; empty when there is no such row.
    pub fn row(&self, number: u32) -> &[f32] {
        let start = number as usize * self.width;
        self.features.get(start..start + self.width).unwrap_or(&[])
    }

    /// The label of one row, if there is such a row.
    pub fn sample(&self, number: u32) -> Option<&Sample> {
        self.samples.get(number as usize)
    }

    /// The label of one row and its capture, if there are such.
    pub fn labelled(&self, number: u32) -> Option<(&Sample, &Capture)> {
        let sample = self.sample(number)?;
        Some((sample, self.captures.get(sample.capture as usize)?))
    }

    /// Numbers of the rows whose capture and label pass.
    pub fn rows(&self, keep: impl Fn(&Capture, &Sample) -> bool) -> Vec<u32> {
        (0u32..)
            .zip(&self.samples)
            .filter(|(_, sample)| {
                let capture = self.captures.get(sample.capture as usize);
                capture.is_some_and(|capture| keep(capture, sample))
            })
            .map(|(number, _)| number)
            .collect()
    }

    /// Learnt classes these rows hold, in order, benign always first.
    pub fn classes(&self, rows: &[u32]) -> Vec<Class> {
        let held = |class: &Class| {
            let mut samples = rows.iter().filter_map(|&row| self.sample(row));
            *class == Class::Benign || samples.any(|sample| sample.class == *class)
        };
        Class::LEARNT.into_iter().filter(held).collect()
    }

    /// Caps what each capture contributes of each learnt class and weighs the rest.
    pub fn pool(&self, rows: &[u32], sampling: &Sampling, seed: u64) -> Pool {
        let mut groups: BTreeMap<(u32, Class), Vec<u32>> = BTreeMap::new();
        for &row in rows {
            if let Some(sample) = self.sample(row).filter(|s| s.class.is_learnt()) {
                let group = groups.entry((sample.capture, sample.class)).or_default();
                group.push(row);
            }
        }
        let mut totals = [0.0f64; 2];
        let weigh = |rows: usize| (rows.max(1) as f64).powf(sampling.exponent);
        for ((capture, class), group) in &mut groups {
            let mut random = Random::new(seed, u64::from(*capture) << 8 | class.index() as u64);
            random.shuffle(group);
            group.truncate(sampling.per_capture.max(1));
            group.sort_unstable();
            totals[usize::from(class.is_attack())] += weigh(group.len());
        }
        let shares = [1.0 - sampling.attack_share, sampling.attack_share];
        let (mut kept, mut ladder, mut sum) = (Vec::new(), Vec::new(), 0.0);
        for ((_, class), group) in groups {
            let side = usize::from(class.is_attack());
            let step = shares[side] * weigh(group.len()) / (totals[side] * group.len() as f64);
            for row in group {
                sum += step;
                kept.push(row);
                ladder.push(sum);
            }
        }
        Pool { rows: kept, ladder }
    }
}

impl Pool {
    /// Rows that can be drawn.
    pub fn rows(&self) -> &[u32] {
        &self.rows
    }

    /// Draws rows by weight, with replacement.
    pub fn draw(&self, count: usize, random: &mut Random) -> Vec<u32> {
        let Some(&top) = self.ladder.last() else {
            return Vec::new();
        };
        (0..count)
            .filter_map(|_| {
                let mark = random.unit() * top;
                let at = self.ladder.partition_point(|&sum| sum <= mark);
                self.rows.get(at.min(self.rows.len() - 1)).copied()
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_big_capture_is_capped_and_outweighs_a_small_one_by_its_root() {
        let data = lopsided();
        let all = data.rows(|_, _| true);
        let sampling = Sampling {
            per_capture: 400,
            exponent: 0.5,
            attack_share: 0.25,
        };
        let pool = data.pool(&all, &sampling, 1);
        let of = |rows: &[u32], capture| {
            let hits = rows
                .iter()
                .filter(|&&row| data.sample(row).unwrap().capture == capture);
            hits.count() as f64
        };
        assert_eq!([0, 1, 2].map(|c| of(pool.rows(), c)), [400.0, 100.0, 50.0]);
        let drawn = pool.draw(30_000, &mut Random::new(1, 2));
        let share = |capture| of(&drawn, capture) / 30_000.0;
        assert!((share(0) - 0.75 * 20.0 / 30.0).abs() < 0.02);
        assert!((share(1) - 0.75 * 10.0 / 30.0).abs() < 0.02);
        assert!((share(2) - 0.25).abs() < 0.02);
        assert_eq!(pool, data.pool(&all, &sampling, 1));
        assert_ne!(pool, data.pool(&all, &sampling, 2));
    }

    #[test]
    fn classes_the_models_do_not_learn_are_left_out() {
        let mut data = lopsided();
        let number = data.len() as u32;
        let mut sample = data.samples()[0];
        sample.class = Class::C2;
        data.push(sample, &[1.0]);
        let all = data.rows(|_, _| true);
        assert!(
            !data
                .pool(&all, &Sampling::default(), 1)
                .rows()
                .contains(&number)
        );
        assert_eq!(data.classes(&all), [Class::Benign, Class::Scan]);
    }

    #[test]
    fn rows_are_padded_or_cut_to_the_width() {
        let mut data = lopsided();
        let sample = data.samples()[0];
        data.push(sample, &[]);
        data.push(sample, &[5.0, 6.0]);
        let last = data.len() as u32 - 1;
        assert_eq!(
            (data.row(last - 1), data.row(last)),
            (&[0.0][..], &[5.0][..])
        );
        assert!(data.row(last + 1).is_empty());
    }

    /// 1,000 and 100 benign rows, 50 of a scan, in a capture each.
    fn lopsided() -> Dataset {
        let mut data = Dataset::new(1);
        let parts = [
            (1_000, Class::Benign),
            (100, Class::Benign),
            (50, Class::Scan),
        ];
        for (rows, class) in parts {
            let capture = data.add_capture(Capture {
                name: format!("{rows}.pcap"),
                source: "lab".into(),
                split: "train".into(),
            });
            let sample = Sample {
                capture,
                address: 0,
                time: 0,
                class,
                attacker: class.is_attack(),
                active: true,
            };
            for value in 0..rows {
                data.push(sample, &[value as f32]);
            }
        }
        data
    }
}
