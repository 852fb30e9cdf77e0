//! What scores are worth: confusion, precision and recall, curves, calibration.
//! It sees truths and scores; where they come from, and what they block, is not its business.

use std::collections::BTreeMap;

use serde::Serialize;

use contract::class::Class;
use detection::model::{Calibration, Score};

/// False positives allowed when recall is compared.
const ALLOWED_FALSE: f64 = 0.005;

/// Points a curve is thinned to.
const CURVE_POINTS: usize = 200;

/// Bins of the calibration.
const BINS: usize = 10;

/// How one class fares.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct ClassMetrics {
    /// Of the rows called this, the share that are.
    pub precision: f64,
    /// Of the rows that are this, the share called so.
    pub recall: f64,
    /// Rows that are this.
    pub support: usize,
}

/// Rows whose calibrated probability falls into one tenth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Bin {
    /// Mean calibrated probability.
    pub predicted: f64,
    /// Share that are attacks.
    pub observed: f64,
    /// Rows.
    pub rows: usize,
}

/// Everything measured on scored rows.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Metrics {
    /// Rows.
    pub total: usize,
    /// Attack against benign.
    pub accuracy: f64,
    /// Mean F1 of the classes that occur.
    pub macro_f1: f64,
    /// Classes that occur.
    pub per_class: BTreeMap<Class, ClassMetrics>,
    /// Rows by true class, then by the class they were called.
    pub confusion: BTreeMap<Class, BTreeMap<Class, usize>>,
    /// Share of attacks above the score that 0.5 % of the benign rows exceed.
    pub recall_at_half_percent: f64,
    /// Area under the ROC curve.
    pub roc_area: f64,
    /// Mean precision over recall.
    pub average_precision: f64,
    /// False and true positive rate, both rising.
    pub roc: Vec<(f64, f64)>,
    /// Recall and precision, recall rising.
    pub precision_recall: Vec<(f64, f64)>,
    /// Calibration, by tenths.
    pub calibration: Vec<Bin>,
}

/// The class a score calls a row: an attack from half of the shares on.
pub fn called(score: &Score) -> Class {
    if score.attack() >= 0.5 {
        score.top_attack()
    } else {
        Class::Benign
    }
}

impl Metrics {
    /// Measures scored rows.
    pub fn of(rows: &[(Class, Score)], calibration: &Calibration) -> Self {
        let mut confusion: BTreeMap<Class, BTreeMap<Class, usize>> = BTreeMap::new();
        for (truth, score) in rows {
            let row = confusion.entry(*truth).or_default();
            *row.entry(called(score)).or_default() += 1;
        }
        let right =
            |(truth, score): &&(Class, Score)| truth.is_attack() == called(score).is_attack();
        let per_class = per_class(&confusion);
        let f1 = per_class.values().map(ClassMetrics::f1).sum::<f64>();
        let steps = steps(rows);
        Self {
            total: rows.len(),
            accuracy: share(rows.iter().filter(right).count(), rows.len()),
            macro_f1: f1 / per_class.len().max(1) as f64,
            recall_at_half_percent: recall_at(&steps, ALLOWED_FALSE),
            roc_area: roc_area(&steps),
            average_precision: average_precision(&steps),
            roc: thin(steps.iter().map(|step| (step.false_rate, step.recall))),
            precision_recall: thin(
                steps
                    .iter()
                    .skip(1)
                    .map(|step| (step.recall, step.precision)),
            ),
            calibration: bins(rows, calibration),
            per_class,
            confusion,
        }
    }
}

impl ClassMetrics {
    /// Harmonic mean of precision and recall.
    pub fn f1(&self) -> f64 {
        let sum = self.precision + self.recall;
        if sum > 0.0 {
            2.0 * self.precision * self.recall / sum
        } else {
            0.0
        }
    }
}

/// Rates when everything from some share on is called an attack.
struct Step {
    false_rate: f64,
    recall: f64,
    precision: f64,
}

/// From calling nothing an attack to calling everything one, a step for each share that occurs.
fn steps(rows: &[(Class, Score)]) -> Vec<Step> {
    let mut points: Vec<(f32, bool)> = rows
        .iter()
        .map(|(truth, score)| (score.attack(), truth.is_attack()))
        .collect();
    points.sort_by(|a, b| b.0.total_cmp(&a.0));
    let attacks = points.iter().filter(|(_, attack)| *attack).count();
    let (mut hits, mut called) = (0, 0);
    let mut steps = vec![Step {
        false_rate: 0.0,
        recall: 0.0,
        precision: 1.0,
    }];
    for equal in points.chunk_by(|a, b| a.0 == b.0) {
        hits += equal.iter().filter(|(_, attack)| *attack).count();
        called += equal.len();
        steps.push(Step {
            false_rate: share(called - hits, points.len() - attacks),
            recall: share(hits, attacks),
            precision: share(hits, called),
        });
    }
    steps
}

fn recall_at(steps: &[Step], allowed: f64) -> f64 {
    let within = steps.iter().filter(|step| step.false_rate <= allowed);
    within.map(|step| step.recall).fold(0.0, f64::max)
}

fn roc_area(steps: &[Step]) -> f64 {
    let trapezoid = |pair: &[Step; 2]| {
        (pair[1].false_rate - pair[0].false_rate) * (pair[1].recall + pair[0].recall) / 2.0
    };
    steps.array_windows().map(trapezoid).sum()
}

fn average_precision(steps: &[Step]) -> f64 {
    let part = |pair: &[Step; 2]| (pair[1].recall - pair[0].recall) * pair[1].precision;
    steps.array_windows().map(part).sum()
}

fn per_class(confusion: &BTreeMap<Class, BTreeMap<Class, usize>>) -> BTreeMap<Class, ClassMetrics> {
    let metrics = |(&class, row): (&Class, &BTreeMap<Class, usize>)| {
        let hit = row.get(&class).copied().unwrap_or(0);
        let support = row.values().sum();
        let called = confusion.values().filter_map(|row| row.get(&class)).sum();
        let metrics = ClassMetrics {
            precision: share(hit, called),
            recall: share(hit, support),
            support,
        };
        (class, metrics)
    };
    confusion.iter().map(metrics).collect()
}

fn bins(rows: &[(Class, Score)], calibration: &Calibration) -> Vec<Bin> {
    let mut sums = [(0.0f64, 0usize, 0usize); BINS];
    for (truth, score) in rows {
        let p = f64::from(calibration.probability(score.attack()));
        if let Some(sum) = sums.get_mut(((p * BINS as f64) as usize).min(BINS - 1)) {
            *sum = (sum.0 + p, sum.1 + usize::from(truth.is_attack()), sum.2 + 1);
        }
    }
    let bin = |(predicted, attacks, rows): (f64, usize, usize)| Bin {
        predicted: predicted / rows.max(1) as f64,
        observed: share(attacks, rows),
        rows,
    };
    sums.into_iter().map(bin).collect()
}

/// Keeps the ends and evenly many points between.
fn thin(points: impl Iterator<Item = (f64, f64)>) -> Vec<(f64, f64)> {
    let points: Vec<(f64, f64)> = points.collect();
    let stride = points.len().div_ceil(CURVE_POINTS).max(1);
    let last = points.len().saturating_sub(1);
    let kept = points.iter().enumerate();
    kept.filter(|(at, _)| at % stride == 0 || *at == last)
        .map(|(_, point)| *point)
        .collect()
}

fn share(part: usize, whole: usize) -> f64 {
    if whole == 0 {
        0.0
    } else {
        part as f64 / whole as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(shares: &[(Class, f32)]) -> Vec<(Class, Score)> {
        let score = |&(truth, share): &(Class, f32)| (truth, Score::between(Class::Scan, share));
        shares.iter().map(score).collect()
    }

    #[test]
    fn hand_counted_confusion() {
        let rows = rows(&[
            (Class::Benign, 0.1),
            (Class::Benign, 0.2),
            (Class::Benign, 0.9),
            (Class::Scan, 0.8),
            (Class::Scan, 0.4),
            (Class::Flood, 0.7),
        ]);
        let metrics = Metrics::of(&rows, &Calibration::UNFITTED);
        assert_eq!(metrics.accuracy, 4.0 / 6.0);
        let scan = metrics.per_class[&Class::Scan];
        assert_eq!(
            (scan.precision, scan.recall, scan.support),
            (1.0 / 3.0, 0.5, 2)
        );
        let benign = metrics.per_class[&Class::Benign];
        assert_eq!((benign.precision, benign.recall), (2.0 / 3.0, 2.0 / 3.0));
        assert_eq!(metrics.per_class[&Class::Flood].recall, 0.0);
        assert_eq!(metrics.confusion[&Class::Flood][&Class::Scan], 1);
        let f1 = [2.0 / 3.0, 0.4, 0.0];
        assert!((metrics.macro_f1 - f1.iter().sum::<f64>() / 3.0).abs() < 1e-12);
    }

    #[test]
    fn areas_of_perfect_useless_and_known_orders() {
        let of = |shares: &[(Class, f32)]| Metrics::of(&rows(shares), &Calibration::UNFITTED);
        let perfect = of(&[(Class::Benign, 0.1), (Class::Scan, 0.9)]);
        assert_eq!((perfect.roc_area, perfect.average_precision), (1.0, 1.0));
        let tied = of(&[(Class::Benign, 0.5), (Class::Scan, 0.5)]);
        assert_eq!((tied.roc_area, tied.recall_at_half_percent), (0.5, 0.0));
        // Of four pairs of attack and benign, three are in order.
        let known = of(&[
            (Class::Scan, 0.9),
            (Class::Benign, 0.8),
            (Class::Scan, 0.7),
            (Class::Benign, 0.1),
        ]);
        assert_eq!(known.roc_area, 0.75);
        assert_eq!(known.recall_at_half_percent, 0.5);
        assert!((known.average_precision - (0.5 + 0.5 * 2.0 / 3.0)).abs() < 1e-12);
    }

    #[test]
    fn curves_are_thinned_and_keep_their_ends() {
        let shares: Vec<(Class, f32)> = (0..5_000)
            .map(|i| {
                (
                    if i % 3 == 0 {
                        Class::Scan
                    } else {
                        Class::Benign
                    },
                    i as f32 / 5e3,
                )
            })
            .collect();
        let metrics = Metrics::of(&rows(&shares), &Calibration::UNFITTED);
        assert!(metrics.roc.len() <= CURVE_POINTS + 1);
        assert_eq!(metrics.roc.first(), Some(&(0.0, 0.0)));
        assert_eq!(metrics.roc.last(), Some(&(1.0, 1.0)));
        assert_eq!(
            metrics
                .calibration
                .iter()
                .map(|bin| bin.rows)
                .sum::<usize>(),
            5_000
        );
    }

    #[test]
    fn nothing_measured_is_nothing_and_no_division_by_zero() {
        let metrics = Metrics::of(&[], &Calibration::UNFITTED);
        assert_eq!(
            (metrics.total, metrics.accuracy, metrics.roc_area),
            (0, 0.0, 0.0)
        );
    }
}
