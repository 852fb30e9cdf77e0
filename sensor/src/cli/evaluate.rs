//! `garita evaluate`: what a model is worth on labelled captures.
//! It judges as the sensor would, but with nobody exempt and nobody at home.

use std::hint::black_box;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Result, ensure};
use detection::features::SCHEMA;
use detection::model::{Algorithm, Model, Named};
use learning::labels::{CaptureLabels, Labels};
use learning::{Dataset, Settings, Trainer, Unseen, evidence_rule, parallel};
use sensor::capture::CaptureError;
use sensor::evaluate::{Evaluation, judge, sum};
use sensor::replay::Setup;
use serde::Serialize;
use settings::Config;

use super::progress::Parts;
use super::table::Table;
use super::train;

/// Times the model's own rows are scored in a run that is timed, and runs.
const PASSES: usize = 20;
const RUNS: usize = 5;

/// One algorithm, or one model, over all captures.
#[derive(Serialize)]
struct Compared {
    algorithm: Algorithm,
    /// Time of one score.
    microseconds: f64,
    #[serde(flatten)]
    figures: Evaluation,
}

/// `garita evaluate`
#[derive(clap::Args)]
pub struct Arguments {
    /// Labels of the captures
    #[arg(long, required = true, num_args = 1.., value_name = "FILE")]
    labels: Vec<PathBuf>,
    /// Judge only the captures of this split
    #[arg(long, value_name = "NAME")]
    split: Option<String>,
    /// Judge with this model, instead of model.path or the one inside the program
    #[arg(long, value_name = "FILE")]
    model: Option<PathBuf>,
    /// Judge with models trained now on the split "train": forest, svm, knn, logistic; several are compared
    #[arg(long, value_delimiter = ',', value_parser = train::algorithm, conflicts_with = "model", value_name = "NAMES")]
    algorithm: Vec<Algorithm>,
    /// Judge the captures of each source by a model trained without it
    #[arg(long, conflicts_with = "model")]
    leave_one_source_out: bool,
    /// Labels of captures that are learnt from, but not judged
    #[arg(long, num_args = 1.., value_name = "FILE")]
    learn_from: Vec<PathBuf>,
    /// Print the figures as JSON
    #[arg(long)]
    json: bool,
}

/// Judges the captures and prints the figures.
pub fn run(config: &Config, arguments: &Arguments) -> Result<()> {
    let setup = Setup::from(config);
    let labels = train::read_labels(&arguments.labels)?;
    let mut captures: Vec<_> = labels.iter().flat_map(Labels::captures).collect();
    if let Some(split) = &arguments.split {
        captures.retain(|capture| capture.split == *split);
        ensure!(!captures.is_empty(), "no capture has the split {split:?}");
    }
    let mut algorithms = arguments.algorithm.clone();
    if algorithms.is_empty() && arguments.leave_one_source_out {
        algorithms.push(Algorithm::Forest);
    }
    let mut rows = Vec::new();
    if algorithms.is_empty() {
        let model = Named::load(arguments.model.as_deref(), &config.model, &SCHEMA)?.model;
        rows.push(judge_all(&captures, &model.into(), &setup)?);
    } else {
        let further = train::read_labels(&arguments.learn_from)?;
        let learnt = train::learnt(&[labels.clone(), further].concat(), &setup)?;
        for algorithm in algorithms {
            let models = trained(&learnt, algorithm, arguments.leave_one_source_out)?;
            rows.push(judge_all(&captures, &models, &setup)?);
        }
    }
    let mut out = BufWriter::new(io::stdout().lock());
    match &rows[..] {
        [one] if arguments.json => json(&mut out, &one.figures)?,
        [one] => out.write_all(tables(&one.figures).as_bytes())?,
        _ if arguments.json => json(&mut out, &rows)?,
        _ => out.write_all(compared(&rows).as_bytes())?,
    }
    Ok(out.flush()?)
}

fn json(out: &mut impl Write, value: &impl Serialize) -> Result<()> {
    serde_json::to_writer(&mut *out, value).map_err(io::Error::from)?;
    Ok(out.write_all(b"\n")?)
}

/// Models of one algorithm: one for all captures, or one for each source.
fn trained(learnt: &Dataset, algorithm: Algorithm, by_source: bool) -> Result<Unseen> {
    let settings = Settings {
        algorithm,
        ..Settings::default()
    };
    let fitting = Parts::new(&format!("fitting: {algorithm}"));
    let trainer = Trainer {
        data: learnt,
        settings: &settings,
        watch: &|done| fitting.show(done),
    };
    let rows = train::learnable(learnt);
    if by_source {
        return Ok(trainer.without_each_source(&rows, &SCHEMA, &evidence_rule)?);
    }
    let trained = trainer.train(&rows, &SCHEMA, &evidence_rule)?;
    Ok(Arc::new(trained.model).into())
}

/// Judges each capture by the model that has not seen its source.
fn judge_all(captures: &[&CaptureLabels], models: &Unseen, setup: &Setup) -> Result<Compared> {
    let judging = Parts::new("captures judged");
    let watch = |done| judging.show(done);
    let judged = parallel(captures, &watch, |capture| {
        judge(capture, models.of(&capture.source), setup)
    });
    drop(judging);
    let mut kept = Vec::new();
    for one in judged {
        match one {
            Err(error @ CaptureError::LinkType { .. }) => {
                super::say(&format!("{error}; it is left out"));
            }
            one => kept.push(one?),
        }
    }
    let model = &models.with_all;
    Ok(Compared {
        algorithm: model.content().algorithm,
        microseconds: microseconds(model),
        figures: sum(&kept),
    })
}

/// What a score costs, on the rows that the model carries to test itself: the fastest of several runs, as other work
/// on the machine only ever slows one down.
fn microseconds(model: &Model) -> f64 {
    let rows = &model.content().self_tests;
    let run = || {
        let began = Instant::now();
        for _ in 0..PASSES {
            for test in rows {
                black_box(model.score(black_box(&test.row)));
            }
        }
        began.elapsed().as_secs_f64() * 1e6 / (PASSES * rows.len().max(1)) as f64
    };
    (0..RUNS).map(|_| run()).fold(f64::INFINITY, f64::min)
}

fn compared(rows: &[Compared]) -> String {
    let mut table = Table::new([
        "ALGORITHM",
        "ACCURACY",
        "MACRO-F1",
        "RECALL AT 0.5 % FALSE",
        "BLOCKED",
        "OF",
        "BENIGN BLOCKED",
        "OF",
        "µs A SCORE",
    ]);
    for row in rows {
        let (snapshots, addresses) = (&row.figures.snapshots, &row.figures.addresses);
        table.push([
            row.algorithm.to_string(),
            format!("{:.4}", snapshots.accuracy),
            format!("{:.4}", snapshots.macro_f1),
            format!("{:.4}", snapshots.recall_at_half_percent),
            addresses.attackers_blocked.to_string(),
            addresses.attackers.to_string(),
            addresses.benign_blocked.to_string(),
            addresses.benign.to_string(),
            format!("{:.1}", row.microseconds),
        ]);
    }
    table.to_string()
}

fn tables(evaluation: &Evaluation) -> String {
    let (snapshots, addresses) = (&evaluation.snapshots, &evaluation.addresses);
    let mut classes = Table::new(["CLASS", "PRECISION", "RECALL", "SNAPSHOTS"]);
    for (class, one) in &snapshots.per_class {
        classes.push([
            class.to_string(),
            format!("{:.4}", one.precision),
            format!("{:.4}", one.recall),
            one.support.to_string(),
        ]);
    }
    let mut captures = Table::new([
        "CAPTURE",
        "CLASS",
        "BLOCKED",
        "OF",
        "SECONDS",
        "PACKETS",
        "CONVERSATIONS",
        "BENIGN BLOCKED",
        "OF",
    ]);
    for one in &evaluation.captures {
        let seconds = one.seconds_to_block.map(|seconds| format!("{seconds:.1}"));
        let packets = one.packets_to_block.map(|packets| packets.to_string());
        let conversations = one.conversations_to_block.map(|count| count.to_string());
        captures.push([
            one.capture.clone(),
            one.class.to_string(),
            one.blocked.to_string(),
            one.attackers.to_string(),
            seconds.unwrap_or_default(),
            packets.unwrap_or_default(),
            conversations.unwrap_or_default(),
            one.benign_blocked.to_string(),
            one.benign.to_string(),
        ]);
    }
    format!(
        "{captures}\n{classes}\n\
         Snapshots: {}, accuracy {:.4}, macro-F1 {:.4}.\n\
         Addresses: {} of {} attackers blocked; of {} benign ones {} blocked and {} reviewed; {} alerts raised in vain.\n",
        snapshots.total,
        snapshots.accuracy,
        snapshots.macro_f1,
        addresses.attackers_blocked,
        addresses.attackers,
        addresses.benign,
        addresses.benign_blocked,
        addresses.benign_reviewed,
        addresses.false_alerts,
    )
}
