//! Made-up rows for tests: classes that overlap, in several captures and sources.

use super::dataset::{Capture, Dataset, Sample};
use super::random::Random;
use contract::class::Class;
use detection::model::Schema;

/// What the rows are called.
pub(super) const SCHEMA: Schema<'static> = Schema {
    names: &["a", "b", "c", "d", "e", "f"],
    revision: 1,
};

/// Rows whose classes overlap in every feature and whose features are small integers, so that cuts and votes tie.
pub(super) fn overlapping(rows: usize, seed: u64) -> Dataset {
    let mut data = Dataset::new(6);
    for number in 0..6 {
        data.add_capture(Capture {
            name: format!("lab/source{}/{number}.pcap", number % 3),
            source: format!("source{}", number % 3),
            split: "train".into(),
        });
    }
    let mut random = Random::new(seed, 99);
    for number in 0..rows {
        let class = Class::LEARNT[random.below(4)];
        let centre = class.index() as f64 * 3.0;
        let row: Vec<f32> = (0..6)
            .map(|feature| {
                let noise = (0..4).map(|_| random.unit()).sum::<f64>() - 2.0;
                let signal = if feature % 2 == 0 { centre } else { -centre };
                (signal + noise * 4.0).round() as f32
            })
            .collect();
        let address = random.below(4) as u32;
        let sample = Sample {
            capture: (number % 6) as u32,
            address: address + 10 * class.index() as u32,
            time: number as u64 * 200_000,
            class,
            attacker: class.is_attack(),
            active: true,
        };
        data.push(sample, &row);
    }
    data
}
