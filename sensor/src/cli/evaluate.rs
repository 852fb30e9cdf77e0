//! `garita evaluate`: what a model is worth on labelled captures.
//! It judges as the sensor would, but with nobody exempt and nobody at home.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Result, ensure};
use sensor::capture::CaptureError;
use sensor::config::Config;
use sensor::corpus;
use sensor::evaluate::{Evaluation, Judged, judge, sum};
use sensor::features::SCHEMA;
use sensor::learn::labels::{CaptureLabels, Labels};
use sensor::learn::{Dataset, Settings, Trainer, evidence_rule};
use sensor::model::{Model, Named};
use sensor::replay::Setup;

use super::progress::Parts;
use super::table::Table;
use super::train;

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
    /// Judge the captures of each source by a model trained without it
    #[arg(long, conflicts_with = "model")]
    leave_one_source_out: bool,
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
    let judged = if arguments.leave_one_source_out {
        without_their_sources(&train::learnt(&labels, &setup)?, &captures, &setup)?
    } else {
        let configured = config.model.path.get().map(|path| &**path);
        let path = arguments.model.as_deref().or(configured);
        judge_all(&captures, &Named::load(path, &SCHEMA)?.model, &setup)?
    };
    let evaluation = sum(&judged);
    let mut out = BufWriter::new(io::stdout().lock());
    if arguments.json {
        serde_json::to_writer(&mut out, &evaluation).map_err(io::Error::from)?;
        out.write_all(b"\n")?;
    } else {
        out.write_all(tables(&evaluation).as_bytes())?;
    }
    Ok(out.flush()?)
}

fn judge_all(
    captures: &[&CaptureLabels],
    model: &Arc<Model>,
    setup: &Setup,
) -> Result<Vec<Judged>> {
    let judging = Parts::new("captures judged");
    let watch = |done| judging.show(done);
    let judged = corpus::parallel(captures, &watch, |capture| judge(capture, model, setup));
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
    Ok(kept)
}

/// Judges each capture by a model that has seen nothing of its source. Sources that nothing is learnt from share one.
fn without_their_sources(
    data: &Dataset,
    captures: &[&CaptureLabels],
    setup: &Setup,
) -> Result<Vec<Judged>> {
    let learnt = data
        .captures()
        .iter()
        .map(|capture| capture.source.as_str());
    let learnt: BTreeSet<&str> = learnt.collect();
    let mut groups: BTreeMap<Option<&str>, Vec<&CaptureLabels>> = BTreeMap::new();
    for &capture in captures {
        let source = learnt.get(capture.source.as_str()).copied();
        groups.entry(source).or_default().push(capture);
    }
    let settings = Settings::default();
    let mut judged = Vec::new();
    for (number, (source, captures)) in groups.iter().enumerate() {
        let job = format!(
            "{} of {}, without {}",
            number + 1,
            groups.len(),
            source.unwrap_or("any source left out")
        );
        let fitting = Parts::new(&job);
        let trainer = Trainer {
            data,
            settings: &settings,
            watch: &|done| fitting.show(done),
        };
        let mut rows = train::learnable(data);
        rows.retain(|&row| {
            let of = data.labelled(row);
            of.is_some_and(|(_, capture)| Some(capture.source.as_str()) != *source)
        });
        let trained = trainer.train(&rows, &SCHEMA, &evidence_rule)?;
        drop(fitting);
        judged.extend(judge_all(captures, &Arc::new(trained.model), setup)?);
    }
    Ok(judged)
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
        "BENIGN BLOCKED",
        "OF",
    ]);
    for one in &evaluation.captures {
        let seconds = one.seconds_to_block.map(|seconds| format!("{seconds:.1}"));
        let packets = one.packets_to_block.map(|packets| packets.to_string());
        captures.push([
            one.capture.clone(),
            one.class.to_string(),
            one.blocked.to_string(),
            one.attackers.to_string(),
            seconds.unwrap_or_default(),
            packets.unwrap_or_default(),
            one.benign_blocked.to_string(),
            one.benign.to_string(),
        ]);
    }
    format!(
        "{captures}\n{classes}\n\
         Snapshots: {}, accuracy {:.4}, macro-F1 {:.4}.\n\
         Addresses: {} of {} attackers blocked; of {} benign ones {} blocked and {} reviewed.\n",
        snapshots.total,
        snapshots.accuracy,
        snapshots.macro_f1,
        addresses.attackers_blocked,
        addresses.attackers,
        addresses.benign,
        addresses.benign_blocked,
        addresses.benign_reviewed,
    )
}
