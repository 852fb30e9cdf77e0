//! A model for each source, fitted on everything but that source.
//! Nothing it judges has a say in it: not a row in the fit, nor a score in the calibration.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::folds::{Grouping, folds};
use super::parallel::parallel;
use super::simulate::Rule;
use super::{Error, Trainer};
use detection::model::{Model, Schema};

/// Models by what they have not seen.
#[derive(Clone, Debug)]
pub struct Unseen {
    /// By the source left out.
    pub without: BTreeMap<String, Arc<Model>>,
    /// Fitted on every source, for captures of any other.
    pub with_all: Arc<Model>,
}

impl From<Arc<Model>> for Unseen {
    /// One model for all captures.
    fn from(with_all: Arc<Model>) -> Self {
        let without = BTreeMap::new();
        Self { without, with_all }
    }
}

impl Unseen {
    /// The model that has seen nothing of this source.
    pub fn of(&self, source: &str) -> &Arc<Model> {
        self.without.get(source).unwrap_or(&self.with_all)
    }
}

impl Trainer<'_> {
    /// Fits once without each source and once on all.
    ///
    /// A model is calibrated by what the other models say of the sources they left out, so nothing is fitted twice.
    ///
    /// # Errors
    /// As [`Trainer::fit`], and when a finished model fails its own checks.
    pub fn without_each_source(
        &self,
        rows: &[u32],
        schema: &Schema<'_>,
        rule: &Rule<'_>,
    ) -> Result<Unseen, Error> {
        let folds = folds(self.data, rows, Grouping::Source, usize::MAX);
        let mut jobs: Vec<&[u32]> = folds.iter().map(|fold| &*fold.fit).collect();
        jobs.push(rows);
        let fits = parallel(&jobs, self.watch, |rows| self.fit_part(rows, &|_| ()));
        let mut fits = fits.into_iter().collect::<Result<Vec<_>, _>>()?;
        let with_all = fits.pop().ok_or(Error::OneClass)?;
        let mut scores = vec![None; self.data.len()];
        for (fold, fitted) in folds.iter().zip(&fits) {
            let judged = parallel(&fold.judge, &|_| (), |&row| {
                fitted.score(self.data.row(row))
            });
            for (&row, score) in fold.judge.iter().zip(judged) {
                scores[row as usize] = Some(score);
            }
        }
        let (with_all, _) = self.finish(with_all, (rows, &scores), (schema, rule))?;
        let mut without = BTreeMap::new();
        for (fold, fitted) in folds.into_iter().zip(fits) {
            let mut others = scores.clone();
            for row in fold.judge {
                others[row as usize] = None;
            }
            let (model, _) = self.finish(fitted, (&fold.fit, &others), (schema, rule))?;
            let model = Arc::new(model);
            without.extend(fold.left_out.into_iter().map(|name| (name, model.clone())));
        }
        let with_all = Arc::new(with_all);
        Ok(Unseen { without, with_all })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::synthetic::SCHEMA;
    use crate::{ScaledSettings, Settings, evidence_rule, synthetic};
    use detection::model::Algorithm;

    #[test]
    fn each_model_has_seen_every_source_but_its_own() {
        let data = synthetic::overlapping(600, 3);
        let settings = Settings {
            algorithm: Algorithm::Knn,
            scaled: ScaledSettings {
                rows: 200,
                ..ScaledSettings::default()
            },
            ..Settings::default()
        };
        let trainer = Trainer {
            data: &data,
            settings: &settings,
            watch: &|_| (),
        };
        let rows = data.rows(|_, _| true);
        let unseen = trainer
            .without_each_source(&rows, &SCHEMA, &evidence_rule)
            .unwrap();
        let seen = |model: &Model| model.content().provenance.sources.clone();
        let all = seen(&unseen.with_all);
        assert!(unseen.without.keys().eq(&all));
        for (source, model) in &unseen.without {
            let mut others = all.clone();
            others.retain(|other| other != source);
            assert_eq!(seen(model), others);
            assert_eq!(unseen.of(source), model);
        }
        assert_eq!(unseen.of("elsewhere"), &unseen.with_all);
    }
}
