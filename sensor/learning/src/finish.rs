//! From what was fitted to a model: calibration, bias, provenance and self-tests.
//! It fits nothing itself, and judges by scores that are given.

use super::calibrate::logistic_curve;
use super::random::Random;
use super::simulate::{Blocked, Rule, choose_bias, tracks};
use super::{Error, Fitted, Trainer};
use detection::model::{Calibration, Content, Model, Provenance, Schema, Score, SelfTest};

/// Snapshots drawn to fit the curve from shares to log-odds.
const CURVE_ROWS: usize = 40_000;

/// Self-tests of each class.
const SELF_TESTS: usize = 2;

impl Trainer<'_> {
    /// Calibrates what was fitted on `rows` by the `scores` of models that had not seen what they scored.
    pub(super) fn finish(
        &self,
        fitted: Fitted,
        (rows, scores): (&[u32], &[Option<Score>]),
        (schema, rule): (&Schema<'_>, &Rule<'_>),
    ) -> Result<(Model, Blocked), Error> {
        let curve = self.curve(rows, scores);
        let (calibration, blocked) = choose_bias(&tracks(self.data, scores), &curve, rule);
        let content = Content {
            algorithm: self.settings.algorithm,
            features: schema.names.iter().map(|&name| name.to_owned()).collect(),
            schema: schema.hash(),
            calibration,
            provenance: self.provenance(rows),
            self_tests: self.self_tests(rows, &fitted),
            classes: fitted.classes,
            scorer: fitted.scorer,
        };
        let model = Model::new(content, schema).map_err(Error::Model)?;
        Ok((model, blocked))
    }

    /// The curve from shares to log-odds, on rows drawn as they are for a fit.
    fn curve(&self, rows: &[u32], scores: &[Option<Score>]) -> Calibration {
        let settings = self.settings;
        let pool = self.data.pool(rows, &settings.sampling, settings.seed);
        let drawn = pool.draw(CURVE_ROWS, &mut Random::new(settings.seed, 0x40_0000));
        let points = drawn.into_iter().filter_map(|row| {
            let score = scores.get(row as usize).copied().flatten()?;
            let sample = self.data.sample(row)?;
            Some((Calibration::logit(score.attack()), sample.class.is_attack()))
        });
        let (slope, intercept) = logistic_curve(points);
        Calibration {
            // A model worse than chance out of fold must not turn evidence round.
            slope: slope.max(0.05),
            intercept,
            ..Calibration::UNFITTED
        }
    }

    fn provenance(&self, rows: &[u32]) -> Provenance {
        let settings = self.settings;
        let pool = self.data.pool(rows, &settings.sampling, settings.seed);
        let labelled = pool
            .rows()
            .iter()
            .filter_map(|&row| self.data.labelled(row));
        let (mut sources, mut captures): (Vec<String>, Vec<u32>) = labelled
            .map(|(sample, capture)| (capture.source.clone(), sample.capture))
            .unzip();
        sources.sort_unstable();
        sources.dedup();
        captures.sort_unstable();
        captures.dedup();
        Provenance {
            date: settings.date.clone(),
            sources,
            captures: captures.len() as u32,
            rows: pool.rows().len() as u32,
            seed: settings.seed,
            notes: String::new(),
        }
    }

    fn self_tests(&self, rows: &[u32], fitted: &Fitted) -> Vec<SelfTest> {
        let mut random = Random::new(self.settings.seed, 0x50_0000);
        let mut tests = Vec::new();
        for class in &fitted.classes {
            let of = |row: &&u32| self.data.sample(**row).is_some_and(|s| s.class == *class);
            let held: Vec<u32> = rows.iter().filter(of).copied().collect();
            for _ in 0..SELF_TESTS {
                let Some(&row) = held.get(random.below(held.len())) else {
                    continue;
                };
                let score = fitted.score(self.data.row(row));
                tests.push(SelfTest {
                    row: self.data.row(row).to_vec(),
                    shares: fitted
                        .classes
                        .iter()
                        .map(|class| score.share(*class))
                        .collect(),
                });
            }
        }
        tests
    }
}
