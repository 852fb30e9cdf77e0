//! Fits an algorithm on rows: once, over folds, and to a whole model.
//! What leads to bytes depends on nothing but rows, settings and schema.

use serde::{Deserialize, Serialize};

use super::dataset::{Dataset, Sampling};
use super::folds::{Grouping, folds};
use super::forest::{self, ForestSettings};
use super::scaled::{self, ScaledSettings};
use super::simulate::{Blocked, Rule};
use super::smote::Smote;
use super::task::Task;
use super::{Error, Progress, Watch};
use contract::class::Class;
use detection::model::{Algorithm, Model, Schema, Score, Scorer};

/// Everything a fit depends on but its rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// What is fitted.
    pub algorithm: Algorithm,
    /// How much each capture may say.
    pub sampling: Sampling,
    /// For the forest.
    pub forest: ForestSettings,
    /// For the other algorithms.
    pub scaled: ScaledSettings,
    /// Whether rare attacks are filled with made-up rows.
    pub smote: Option<Smote>,
    /// Groups of sources left out in turn for calibration; at least 2.
    pub folds: usize,
    /// Seed of every random choice.
    pub seed: u64,
    /// Date for the provenance, as the caller has it.
    pub date: String,
}

/// Rows with the settings to learn from them.
pub struct Trainer<'a> {
    /// Labelled snapshots.
    pub data: &'a Dataset,
    /// How to learn.
    pub settings: &'a Settings,
    /// Told how far it has come.
    pub watch: &'a Watch<'a>,
}

/// A fitted algorithm and the classes its shares stand for.
#[derive(Clone, Debug, PartialEq)]
pub struct Fitted {
    /// What votes.
    pub scorer: Scorer,
    /// By position.
    pub classes: Vec<Class>,
}

/// A model and what is known of it without a test set.
#[derive(Clone, Debug)]
pub struct Trained {
    /// The model.
    pub model: Model,
    /// Score of each row by a model that has not seen its source; `None` for rows not trained on.
    pub out_of_fold: Vec<Option<Score>>,
    /// What those scores would have blocked.
    pub blocked: Blocked,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            algorithm: Algorithm::Forest,
            sampling: Sampling::default(),
            forest: ForestSettings::default(),
            scaled: ScaledSettings::default(),
            smote: None,
            folds: 5,
            seed: 1,
            date: String::new(),
        }
    }
}

impl Fitted {
    /// Share of each class for one row.
    pub fn score(&self, row: &[f32]) -> Score {
        self.scorer.score(row, &self.classes)
    }
}

impl Trainer<'_> {
    /// Fits the algorithm on these rows and nothing else.
    ///
    /// # Errors
    /// When the rows hold no attack or nothing benign, or smartcore refuses them.
    pub fn fit(&self, rows: &[u32]) -> Result<Fitted, Error> {
        self.fit_part(rows, self.watch)
    }

    /// Scores every one of `rows` by a model fitted without its group.
    ///
    /// # Errors
    /// As [`Trainer::fit`].
    pub fn out_of_fold(
        &self,
        rows: &[u32],
        grouping: Grouping,
        count: usize,
    ) -> Result<Vec<Option<Score>>, Error> {
        let mut scores = vec![None; self.data.len()];
        let folds = folds(self.data, rows, grouping, count);
        let parts = folds.len();
        for (part, fold) in folds.into_iter().enumerate() {
            let watch = |progress: Progress| (self.watch)(progress.part(part, 1, parts));
            let fitted = self.fit_part(&fold.fit, &watch)?;
            for row in fold.judge {
                if let Some(score) = scores.get_mut(row as usize) {
                    *score = Some(fitted.score(self.data.row(row)));
                }
            }
        }
        Ok(scores)
    }

    /// Calibrates out of fold by source under `rule`, then fits on all `rows`.
    ///
    /// # Errors
    /// As [`Trainer::fit`], and when the finished model fails its own checks.
    pub fn train(
        &self,
        rows: &[u32],
        schema: &Schema<'_>,
        rule: &Rule<'_>,
    ) -> Result<Trained, Error> {
        let count = self.settings.folds.max(2);
        // The final fit costs about as much as one fold.
        let folds = |progress: Progress| (self.watch)(progress.part(0, count, count + 1));
        let last = |progress: Progress| (self.watch)(progress.part(count, 1, count + 1));
        let trainer = Trainer {
            watch: &folds,
            ..*self
        };
        let out_of_fold = trainer.out_of_fold(rows, Grouping::Source, count)?;
        let fitted = self.fit_part(rows, &last)?;
        let (model, blocked) = self.finish(fitted, (rows, &out_of_fold), (schema, rule))?;
        Ok(Trained {
            model,
            out_of_fold,
            blocked,
        })
    }

    pub(super) fn fit_part(&self, rows: &[u32], watch: &Watch<'_>) -> Result<Fitted, Error> {
        let settings = self.settings;
        let classes = self.data.classes(rows);
        let mut pool = self.data.pool(rows, &settings.sampling, settings.seed);
        let grown = (settings.smote).map(|smote| smote.apply(self.data, &pool, settings.seed));
        let data = grown.as_ref().unwrap_or(self.data);
        if let Some(grown) = &grown {
            let all = grown.rows(|_, _| true);
            pool = grown.pool(&all, &settings.sampling, settings.seed);
        }
        let benign = |row: &u32| data.sample(*row).is_some_and(|s| !s.class.is_attack());
        if classes.len() < 2 || !pool.rows().iter().any(benign) {
            return Err(Error::OneClass);
        }
        let task = Task {
            data,
            pool: &pool,
            classes: &classes,
            seed: settings.seed,
        };
        let scorer = match settings.algorithm {
            Algorithm::Forest => Scorer::Forest(forest::fit(&task, &settings.forest, watch)?),
            Algorithm::Logistic => scaled::logistic(&task, &settings.scaled)?,
            Algorithm::Svm => scaled::machines(&task, &settings.scaled, watch)?,
            Algorithm::Knn => scaled::neighbours(&task, &settings.scaled),
        };
        Ok(Fitted { scorer, classes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::synthetic::SCHEMA;
    use crate::{evidence_rule, synthetic};
    use std::sync::Mutex;

    #[test]
    fn every_algorithm_trains_to_the_same_bytes_and_loads_again() {
        let data = synthetic::overlapping(900, 7);
        for algorithm in [
            Algorithm::Forest,
            Algorithm::Svm,
            Algorithm::Knn,
            Algorithm::Logistic,
        ] {
            let settings = Settings {
                algorithm,
                ..small()
            };
            let trained = train(&data, &settings).unwrap();
            let bytes = trained.model.save().unwrap();
            assert_eq!(
                bytes,
                train(&data, &settings).unwrap().model.save().unwrap()
            );
            let loaded = Model::load(&bytes, &SCHEMA).unwrap();
            let content = loaded.content();
            assert_eq!(content.self_tests.len(), 2 * content.classes.len());
            assert_eq!(content.provenance.sources.len(), 3);
            let right = data.rows(|_, s| s.class == Class::Flood);
            let attack: f32 = right
                .iter()
                .map(|&row| loaded.score(data.row(row)).attack())
                .sum();
            assert!(attack / right.len() as f32 > 0.9, "{algorithm}");
            let why = loaded.explain(data.row(right[0]), 3);
            // One feature at its mean seldom changes who the neighbours are.
            if algorithm != Algorithm::Knn {
                assert!(why.len() == 3 && why[0].weight > 0.0, "{algorithm}");
            }
        }
    }

    #[test]
    fn out_of_fold_scores_cover_the_rows_and_calibrate_the_rule() {
        let data = synthetic::overlapping(900, 7);
        let trained = train(&data, &small()).unwrap();
        assert!(trained.out_of_fold.iter().all(Option::is_some));
        let calibration = trained.model.calibration();
        assert!(calibration.slope > 0.2 && calibration.slope < 3.0);
        assert_eq!(trained.blocked.benign_blocked, 0);
        assert!(trained.blocked.attackers_blocked > 0);
    }

    #[test]
    fn rows_of_one_kind_are_refused() {
        let data = synthetic::overlapping(300, 7);
        let settings = small();
        let trainer = Trainer {
            data: &data,
            settings: &settings,
            watch: &|_| (),
        };
        for attack in [true, false] {
            let rows = data.rows(|_, s| s.class.is_attack() == attack);
            assert!(matches!(trainer.fit(&rows), Err(Error::OneClass)));
        }
        assert!(matches!(trainer.fit(&[]), Err(Error::OneClass)));
    }

    #[test]
    fn progress_runs_up_to_the_end() {
        let data = synthetic::overlapping(300, 7);
        let seen = Mutex::new(Vec::new());
        let settings = Settings {
            forest: ForestSettings {
                threads: 1,
                ..small().forest
            },
            ..small()
        };
        let watch = |progress: Progress| seen.lock().unwrap().push(progress);
        let trainer = Trainer {
            data: &data,
            settings: &settings,
            watch: &watch,
        };
        trainer
            .train(&data.rows(|_, _| true), &SCHEMA, &evidence_rule)
            .unwrap();
        let seen = seen.into_inner().unwrap();
        let parts = |p: &Progress| p.done as f64 / p.total as f64;
        assert!(seen.is_sorted_by(|a, b| parts(a) <= parts(b)));
        assert_eq!(seen.last().map(parts), Some(1.0));
    }

    fn train(data: &Dataset, settings: &Settings) -> Result<Trained, Error> {
        let trainer = Trainer {
            data,
            settings,
            watch: &|_| (),
        };
        trainer.train(&data.rows(|_, _| true), &SCHEMA, &evidence_rule)
    }

    fn small() -> Settings {
        Settings {
            forest: ForestSettings {
                trees: 20,
                rows_per_tree: 400,
                ..ForestSettings::default()
            },
            scaled: ScaledSettings {
                rows: 300,
                ..ScaledSettings::default()
            },
            smote: Some(Smote::default()),
            folds: 3,
            ..Settings::default()
        }
    }
}
