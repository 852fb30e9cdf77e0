//! Fits the algorithms that measure distances: logistic regression, support vector machines, nearest neighbours.
//! They see a scaled draw of the pool; what they learn is copied out of smartcore into the model's own scorers.

use serde::{Deserialize, Serialize};
use smartcore::linalg::basic::arrays::Array;
use smartcore::linalg::basic::matrix::DenseMatrix;
use smartcore::linear::logistic_regression::{LogisticRegression, LogisticRegressionParameters};
use smartcore::svm::Kernels;
use smartcore::svm::svc::{SVC, SVCParameters};

use super::calibrate::logistic_curve;
use super::random::Random;
use super::{Error, Progress, Task, Watch};
use detection::model::{Linear, MAX_ASKED, Machine, Machines, Neighbours, Scaler, Scorer};

type Matrix = DenseMatrix<f64>;

/// Rows whose margins make the curve from margin to share: every fifth, kept out of the machine's own fit.
const CURVE_EVERY: usize = 5;

/// How the algorithms on scaled features are fitted.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScaledSettings {
    /// Rows drawn for a fit: support vectors cost their square, neighbours their number at every score.
    pub rows: usize,
    /// Whether heavy-tailed features are scaled by `ln(1 + x)` first.
    pub log: bool,
    /// Ridge of the logistic regression.
    pub alpha: f64,
    /// Price of a row on the wrong side of a support vector machine.
    pub cost: f64,
    /// Width of the Gaussian kernel, times the number of features.
    pub gamma: f64,
    /// Neighbours asked.
    pub neighbours: usize,
}

impl Default for ScaledSettings {
    fn default() -> Self {
        Self {
            rows: 4_000,
            log: true,
            alpha: 1.0,
            cost: 1.0,
            gamma: 1.0,
            neighbours: 9,
        }
    }
}

/// Scaled rows with their class positions.
struct Table {
    scaler: Scaler,
    width: usize,
    rows: Vec<Vec<f32>>,
    classes: Vec<u32>,
}

/// The parts of smartcore's machine that are copied.
#[derive(Deserialize)]
struct FittedMachine {
    instances: Vec<Vec<f64>>,
    w: Vec<f64>,
    b: f64,
}

/// Multinomial logistic regression.
pub(super) fn logistic(task: &Task<'_>, settings: &ScaledSettings) -> Result<Scorer, Error> {
    let table = Table::draw(task, settings);
    let parameters = LogisticRegressionParameters::default().with_alpha(settings.alpha);
    let x = matrix(&table.rows)?;
    let fitted = LogisticRegression::fit(&x, &table.classes, parameters).map_err(Error::Fit)?;
    let (classes, width) = (task.classes.len(), table.width);
    let mut weights = vec![0.0; classes * width];
    let mut intercepts = vec![0.0; classes];
    let (sums, _) = fitted.coefficients().shape();
    for sum in 0..sums {
        // Of two classes smartcore fits one sum, for the second.
        let at = if sums == 1 { 1 } else { sum };
        let position = fitted
            .classes()
            .as_slice()
            .get(at)
            .map_or(at, |class| *class as usize);
        let row = weights.chunks_mut(width.max(1)).nth(position);
        for (feature, weight) in row.into_iter().flatten().enumerate() {
            *weight = *fitted.coefficients().get((sum, feature)) as f32;
        }
        if let Some(intercept) = intercepts.get_mut(position) {
            *intercept = *fitted.intercept().get((sum, 0)) as f32;
        }
    }
    let linear = Linear::new(width, weights, intercepts);
    Ok(Scorer::Logistic(table.scaler, linear))
}

/// Nearest neighbours: nothing is learnt but the scale.
pub(super) fn neighbours(task: &Task<'_>, settings: &ScaledSettings) -> Scorer {
    let table = Table::draw(task, settings);
    let asked = settings.neighbours.clamp(1, MAX_ASKED);
    let mut neighbours = Neighbours::new(table.width, asked);
    for (row, &class) in table.rows.iter().zip(&table.classes) {
        neighbours.add(row, class as u8);
    }
    Scorer::Knn(table.scaler, neighbours)
}

/// One machine a class against all others.
pub(super) fn machines(
    task: &Task<'_>,
    settings: &ScaledSettings,
    watch: &Watch<'_>,
) -> Result<Scorer, Error> {
    let table = Table::draw(task, settings);
    let (mut fitting, mut curve) = (Vec::new(), Vec::new());
    for (number, (row, &class)) in table.rows.iter().zip(&table.classes).enumerate() {
        // The first rows are there so that every class is seen.
        let kept_out = number >= task.classes.len() && number % CURVE_EVERY == 0;
        (if kept_out { &mut curve } else { &mut fitting }).push((row.clone(), class));
    }
    let gamma = settings.gamma / table.width.max(1) as f64;
    let total = task.classes.len();
    let mut fitted = Vec::with_capacity(total);
    for position in 0..total {
        fitted.push(machine(&fitting, position as u32, settings, gamma)?);
        watch(Progress {
            done: position + 1,
            total,
        });
    }
    let machine = |f: &FittedMachine| Machine {
        intercept: f.b as f32,
        slope: 1.0,
        offset: 0.0,
    };
    let mut machines = Machines::new(
        table.width,
        gamma as f32,
        fitted.iter().map(machine).collect(),
    );
    for (position, machine) in fitted.iter().enumerate() {
        for (vector, &weight) in machine.instances.iter().zip(&machine.w) {
            let vector: Vec<f32> = vector.iter().map(|&x| x as f32).collect();
            let mut weights = vec![0.0; total];
            weights[position] = weight as f32;
            machines.support(&vector, &weights);
        }
    }
    let margins: Vec<_> = (curve.iter())
        .map(|(row, class)| (machines.margins(row), *class as usize))
        .collect();
    for (position, machine) in machines.machines_mut().iter_mut().enumerate() {
        let points = margins
            .iter()
            .map(|(all, class)| (all[position], *class == position));
        (machine.slope, machine.offset) = logistic_curve(points);
    }
    Ok(Scorer::Svm(table.scaler, machines))
}

fn machine(
    rows: &[(Vec<f32>, u32)],
    position: u32,
    settings: &ScaledSettings,
    gamma: f64,
) -> Result<FittedMachine, Error> {
    let y: Vec<i32> = (rows.iter())
        .map(|(_, c)| if *c == position { 1 } else { -1 })
        .collect();
    if y.iter().all(|&side| side == -1) {
        // A class without rows is never chosen.
        return Ok(FittedMachine {
            instances: Vec::new(),
            w: Vec::new(),
            b: -1.0,
        });
    }
    let only: Vec<Vec<f32>> = rows.iter().map(|(row, _)| row.clone()).collect();
    let x = matrix(&only)?;
    let parameters = SVCParameters::default()
        .with_c(settings.cost)
        .with_kernel(Kernels::rbf().with_gamma(gamma));
    let svc = SVC::fit(&x, &y, &parameters).map_err(Error::Fit)?;
    let mut bytes = Vec::new();
    ciborium::into_writer(&svc, &mut bytes).map_err(|e| Error::Export(e.to_string()))?;
    ciborium::from_reader(bytes.as_slice()).map_err(|e| Error::Export(e.to_string()))
}

impl Table {
    /// Draws rows by weight and fits the scale on them alone.
    fn draw(task: &Task<'_>, settings: &ScaledSettings) -> Self {
        let rows = task.draw(settings.rows, &mut Random::new(task.seed, 0x20_0000));
        let width = task.data.width();
        let plain = || rows.iter().map(|&row| task.data.row(row));
        let log = (0..width)
            .map(|at| settings.log && is_heavy_tailed(plain(), at))
            .collect();
        let scaler = Scaler::fit(plain(), log);
        let scaled = |row: &[f32]| scaler.apply(row).into_iter().take(width).collect();
        Self {
            rows: plain().map(scaled).collect(),
            width,
            classes: rows.iter().map(|&row| task.position(row)).collect(),
            scaler,
        }
    }
}

/// Whether a feature's largest value is far above its mean, as counts, bytes and durations are.
fn is_heavy_tailed<'a>(rows: impl Iterator<Item = &'a [f32]>, at: usize) -> bool {
    let (mut top, mut sum, mut count) = (0.0f32, 0.0f64, 0.0f64);
    for value in rows.filter_map(|row| row.get(at)) {
        top = top.max(value.abs());
        sum += f64::from(value.abs());
        count += 1.0;
    }
    f64::from(top) > 10.0 * sum / count.max(1.0)
}

fn matrix(rows: &[Vec<f32>]) -> Result<Matrix, Error> {
    let width = rows.first().map_or(0, Vec::len);
    let values = rows.iter().flatten().map(|&x| f64::from(x)).collect();
    Matrix::new(rows.len(), width, values, false).map_err(Error::Fit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::{Dataset, Sampling};
    use crate::synthetic;
    use contract::class::Class;
    use smartcore::algorithm::neighbour::KNNAlgorithmName;
    use smartcore::neighbors::KNNWeightFunction;
    use smartcore::neighbors::knn_classifier::{KNNClassifier, KNNClassifierParameters};

    const SMALL: ScaledSettings = ScaledSettings {
        rows: 300,
        log: true,
        alpha: 1.0,
        cost: 1.0,
        gamma: 1.0,
        neighbours: 5,
    };

    #[test]
    fn logistic_regression_agrees_with_smartcore_on_every_row() {
        with_task(|task, classes| {
            let scorer = logistic(task, &SMALL).unwrap();
            let table = Table::draw(task, &SMALL);
            let x = matrix(&table.rows).unwrap();
            let parameters = LogisticRegressionParameters::default().with_alpha(SMALL.alpha);
            let fitted = LogisticRegression::fit(&x, &table.classes, parameters).unwrap();
            let expected: Vec<u32> = fitted.predict(&x).unwrap();
            agree(task, &scorer, classes, &expected);
        });
    }

    #[test]
    fn neighbours_agree_with_smartcore_on_every_row() {
        with_task(|task, classes| {
            let table = Table::draw(task, &SMALL);
            let parameters = KNNClassifierParameters::default()
                .with_k(SMALL.neighbours)
                .with_algorithm(KNNAlgorithmName::LinearSearch)
                .with_weight(KNNWeightFunction::Distance);
            let x = matrix(&table.rows).unwrap();
            let fitted = KNNClassifier::fit(&x, &table.classes, parameters).unwrap();
            let expected: Vec<u32> = fitted.predict(&x).unwrap();
            agree(task, &neighbours(task, &SMALL), classes, &expected);
        });
    }

    #[test]
    fn machines_have_smartcores_margins() {
        with_task(|task, _| {
            let table = Table::draw(task, &SMALL);
            let rows: Vec<_> = table.rows.iter().cloned().zip(table.classes).collect();
            let own = machine(&rows, 1, &SMALL, 0.2).unwrap();
            let mut machines = Machines::new(
                6,
                0.2,
                vec![Machine {
                    intercept: own.b as f32,
                    slope: 1.0,
                    offset: 0.0,
                }],
            );
            for (vector, weight) in own.instances.iter().zip(&own.w) {
                let vector: Vec<f32> = vector.iter().map(|&x| x as f32).collect();
                machines.support(&vector, &[*weight as f32]);
            }
            let y: Vec<i32> = rows
                .iter()
                .map(|(_, c)| if *c == 1 { 1 } else { -1 })
                .collect();
            let x = matrix(&table.rows).unwrap();
            let parameters = SVCParameters::default()
                .with_c(SMALL.cost)
                .with_kernel(Kernels::rbf().with_gamma(0.2));
            let svc = SVC::fit(&x, &y, &parameters).unwrap();
            let expected = svc.decision_function(&x).unwrap();
            for (row, margin) in table.rows.iter().zip(expected) {
                assert!((f64::from(machines.margins(row)[0]) - margin).abs() < 1e-3);
            }
        });
    }

    #[test]
    fn machines_tell_most_rows_apart() {
        with_task(|task, classes| {
            let scorer = machines(task, &SMALL, &|_| ()).unwrap();
            let rows = task.pool.rows();
            let right = rows.iter().filter(|&&row| {
                let class = task.data.sample(row).unwrap().class;
                scorer.score(task.data.row(row), classes).top() == class
            });
            assert!(right.count() * 10 > rows.len() * 7);
        });
    }

    fn with_task(test: impl Fn(&Task<'_>, &[Class])) {
        let data: Dataset = synthetic::overlapping(400, 2);
        let all = data.rows(|_, _| true);
        let (classes, pool) = (data.classes(&all), data.pool(&all, &Sampling::default(), 1));
        let task = Task {
            data: &data,
            pool: &pool,
            classes: &classes,
            seed: 3,
        };
        test(&task, &classes);
    }

    fn agree(task: &Task<'_>, scorer: &Scorer, classes: &[Class], expected: &[u32]) {
        let rows = task.draw(SMALL.rows, &mut Random::new(task.seed, 0x20_0000));
        assert_eq!(rows.len(), expected.len());
        for (row, expected) in rows.into_iter().zip(expected) {
            let score = scorer.score(task.data.row(row), classes);
            assert_eq!(score.top(), classes[*expected as usize]);
            let sum: f32 = classes.iter().map(|class| score.share(*class)).sum();
            assert!((sum - 1.0).abs() < 1e-5);
        }
    }
}
