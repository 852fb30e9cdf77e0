//! The report folder: what a model is worth, as figures, numbers and a page to read.
//! It measures nothing itself and writes no time, so that the same model gives the same bytes.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::figures::{self, Figure};
use super::metrics::Metrics;
use super::simulate::Blocked;
use detection::model::Model;

/// Features shown in the importance figure and table.
const SHOWN_FEATURES: usize = 20;

/// Why a report could not be written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file of the report.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A figure could not be drawn.
    #[error("cannot draw {name}: {reason}")]
    Draw {
        /// The figure.
        name: &'static str,
        /// What the drawing library said.
        reason: String,
    },
    /// The numbers could not be put into JSON.
    #[error("cannot write the numbers: {0}")]
    Json(#[from] serde_json::Error),
}

/// Scored rows of one kind, such as those of a split.
#[derive(Clone, Debug, Serialize)]
pub struct Section {
    /// What was measured, as a heading.
    pub title: String,
    /// On snapshots.
    pub snapshots: Metrics,
    /// On addresses.
    pub addresses: Blocked,
}

/// Mean size of a feature's contribution.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Importance {
    /// The feature's name.
    pub feature: String,
    /// Mean of its absolute contribution to the attack share.
    pub weight: f32,
}

/// Everything a report shows.
#[derive(Clone, Debug)]
pub struct Report<'a> {
    /// The model.
    pub model: &'a Model,
    /// What was measured; figures show the first section.
    pub sections: &'a [Section],
    /// Features by importance, the largest first.
    pub importance: Vec<Importance>,
}

/// Features by what they did to the attack share of these rows on average, the largest first.
pub fn importance<'a>(model: &Model, rows: impl Iterator<Item = &'a [f32]>) -> Vec<Importance> {
    let names = &model.content().features;
    let mut weights = vec![0.0f32; names.len()];
    let mut count = 0.0f32;
    for row in rows {
        count += 1.0;
        for part in model.explain(row, names.len()) {
            if let Some(weight) = weights.get_mut(part.feature) {
                *weight += part.weight.abs();
            }
        }
    }
    let mut all: Vec<Importance> = (names.iter().zip(weights))
        .map(|(feature, weight)| Importance {
            feature: feature.clone(),
            weight: weight / count.max(1.0),
        })
        .collect();
    all.sort_by(|a, b| {
        b.weight
            .total_cmp(&a.weight)
            .then(a.feature.cmp(&b.feature))
    });
    all
}

impl Report<'_> {
    /// Writes `report.md`, `report.json` and the figures into `folder`, which is made if need be.
    ///
    /// # Errors
    /// The first file that cannot be written.
    pub fn write(&self, folder: &Path) -> Result<(), Error> {
        std::fs::create_dir_all(folder).map_err(|source| Error::Write {
            path: folder.to_owned(),
            source,
        })?;
        let put = |name: &str, text: &str| {
            let path = folder.join(name);
            std::fs::write(&path, text).map_err(|source| Error::Write { path, source })
        };
        for (name, figure) in self.figures() {
            let drawn = figures::draw(&figure).map_err(|reason| Error::Draw { name, reason })?;
            put(name, &drawn)?;
        }
        put("report.json", &self.json()?)?;
        put("report.md", &self.markdown())
    }

    fn figures(&self) -> Vec<(&'static str, Figure)> {
        let mut figures = Vec::new();
        if let Some(section) = self.sections.first() {
            let all = &section.snapshots;
            let bins = all.calibration.iter().filter(|bin| bin.rows > 0);
            figures.extend([
                ("confusion.svg", Figure::Confusion(all.confusion.clone())),
                (
                    "roc.svg",
                    Figure::Curve {
                        title: format!("ROC, area {:.4}", all.roc_area),
                        axes: ["false positive rate", "true positive rate"],
                        points: all.roc.clone(),
                        diagonal: true,
                    },
                ),
                (
                    "precision-recall.svg",
                    Figure::Curve {
                        title: format!("Precision and recall, mean {:.4}", all.average_precision),
                        axes: ["recall", "precision"],
                        points: all.precision_recall.clone(),
                        diagonal: false,
                    },
                ),
                (
                    "calibration.svg",
                    Figure::Curve {
                        title: "Calibration".to_owned(),
                        axes: ["calibrated probability", "share that are attacks"],
                        points: bins.map(|bin| (bin.predicted, bin.observed)).collect(),
                        diagonal: true,
                    },
                ),
            ]);
        }
        let bars = self.importance.iter().take(SHOWN_FEATURES);
        let bars = bars
            .map(|one| (one.feature.clone(), f64::from(one.weight)))
            .collect();
        figures.push(("importance.svg", Figure::Bars(bars)));
        figures
    }

    fn json(&self) -> Result<String, Error> {
        let content = self.model.content();
        let mut text = serde_json::to_string_pretty(&serde_json::json!({
            "model": {
                "sha256": self.model.sha256(),
                "algorithm": content.algorithm,
                "classes": content.classes,
                "features": content.features.len(),
                "calibration": content.calibration,
                "provenance": content.provenance,
            },
            "sections": self.sections,
            "importance": self.importance,
        }))?;
        text.push('\n');
        Ok(text)
    }

    fn markdown(&self) -> String {
        let mut page = String::new();
        let content = self.model.content();
        let from = &content.provenance;
        // Writing to a string cannot fail.
        let _ = write!(
            page,
            "# Model report\n\n{} on {} features, {} snapshots of {} captures from {} sources, seed {}, {}.\n\
             SHA-256 `{}`.\n\nSources: {}.\n",
            content.algorithm,
            content.features.len(),
            from.rows,
            from.captures,
            from.sources.len(),
            from.seed,
            from.date,
            self.model.sha256(),
            from.sources.join(", "),
        );
        for section in self.sections {
            section.markdown(&mut page);
        }
        let _ = write!(
            page,
            "\n## What the model looks at\n\n![importance](importance.svg)\n"
        );
        let _ = write!(page, "\n| feature | mean contribution |\n|---|---|\n");
        for one in self.importance.iter().take(SHOWN_FEATURES) {
            let _ = writeln!(page, "| {} | {:.4} |", one.feature, one.weight);
        }
        let _ = write!(
            page,
            "\n## Figures\n\n![confusion](confusion.svg)\n![ROC](roc.svg)\n\
             ![precision and recall](precision-recall.svg)\n![calibration](calibration.svg)\n"
        );
        page
    }
}

impl Section {
    fn markdown(&self, page: &mut String) {
        let (all, who) = (&self.snapshots, &self.addresses);
        let _ = write!(
            page,
            "\n## {}\n\n| snapshots | accuracy | macro-F1 | recall at 0.5 % false positives | ROC area |\n|---|---|---|---|---|\n\
             | {} | {:.4} | {:.4} | {:.4} | {:.4} |\n\n\
             | attackers | blocked | benign addresses | blocked |\n|---|---|---|---|\n| {} | {} | {} | {} |\n\n\
             | class | precision | recall | snapshots |\n|---|---|---|---|\n",
            self.title,
            all.total,
            all.accuracy,
            all.macro_f1,
            all.recall_at_half_percent,
            all.roc_area,
            who.attackers,
            who.attackers_blocked,
            who.benign,
            who.benign_blocked,
        );
        for (class, one) in &all.per_class {
            let _ = writeln!(
                page,
                "| {class} | {:.4} | {:.4} | {} |",
                one.precision, one.recall, one.support
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Settings, Trainer, evidence_rule, simulate, synthetic, tracks};
    use detection::model::Schema;

    #[test]
    fn a_report_is_whole_and_the_same_twice() {
        let data = synthetic::overlapping(600, 7);
        let names = ["a", "b", "c", "d", "e", "f"];
        let schema = Schema {
            names: &names,
            revision: 1,
        };
        let mut settings = Settings::default();
        (settings.forest.trees, settings.forest.rows_per_tree) = (10, 300);
        let trainer = Trainer {
            data: &data,
            settings: &settings,
            watch: &|_| (),
        };
        let rows = data.rows(|_, _| true);
        let trained = trainer.train(&rows, &schema, &evidence_rule).unwrap();
        let model = &trained.model;
        let scored: Vec<_> = (data.samples().iter().zip(&trained.out_of_fold))
            .filter_map(|(sample, score)| Some((sample.class, (*score)?)))
            .collect();
        let tracks = tracks(&data, &trained.out_of_fold);
        let sections = [Section {
            title: "Out of fold".into(),
            snapshots: Metrics::of(&scored, model.calibration()),
            addresses: simulate(&tracks, model.calibration(), &evidence_rule),
        }];
        let importance = importance(model, rows.iter().map(|&row| data.row(row)));
        assert!(importance[0].weight >= importance[5].weight && importance[0].weight > 0.0);
        let report = Report {
            model,
            sections: &sections,
            importance,
        };
        let folder = tempfile::tempdir().unwrap();
        let read = |at: &str| {
            report.write(&folder.path().join(at)).unwrap();
            let mut files: Vec<_> = std::fs::read_dir(folder.path().join(at))
                .unwrap()
                .map(|entry| entry.unwrap().path())
                .map(|path| {
                    (
                        path.file_name().unwrap().to_owned(),
                        std::fs::read(path).unwrap(),
                    )
                })
                .collect();
            files.sort();
            files
        };
        let files = read("one");
        assert_eq!(files.len(), 7);
        assert_eq!(files, read("two"));
        let page = std::fs::read_to_string(folder.path().join("one/report.md")).unwrap();
        assert!(page.contains("| brute-force | ") && page.contains(model.sha256()));
        for (name, _) in files
            .iter()
            .filter(|(name, _)| name.to_string_lossy().ends_with("svg"))
        {
            assert!(
                page.contains(&format!("({})", name.to_string_lossy())),
                "{name:?}"
            );
        }
    }
}
