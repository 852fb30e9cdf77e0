//! `garita train`: a model from labelled captures.
//! The same captures, settings and seed give the same bytes, but for the date.

use std::collections::BTreeSet;
use std::env;
use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use contract::class::Class;
use detection::features::SCHEMA;
use detection::model::{Algorithm, Score, signature};
use learning::labels::Labels;
use learning::report_folder;
use learning::report_folder::{Report, Section};
use learning::{Dataset, Metrics, Settings, Smote, Trained, Trainer, evidence_rule};
use sensor::corpus;
use sensor::replay::Setup;
use settings::Config;
use time::OffsetDateTime;

use super::progress::Parts;
use super::table::Table;

/// The split that models are trained on.
pub const SPLIT: &str = "train";

/// Rows that the importance of features is measured on; more do not change the order.
const EXPLAINED: usize = 1_000;

/// `garita train`
#[derive(clap::Args)]
pub struct Arguments {
    /// Labels of the captures; those of split "train" are learnt from
    #[arg(long, required = true, num_args = 1.., value_name = "FILE")]
    labels: Vec<PathBuf>,
    /// Where the model is written
    #[arg(short, long, value_name = "MODEL")]
    output: PathBuf,
    /// Kind of model: forest, svm, knn or logistic
    #[arg(long, default_value = "forest", value_parser = algorithm, value_name = "NAME")]
    algorithm: Algorithm,
    /// Write figures and numbers into this folder
    #[arg(long, value_name = "DIR")]
    report: Option<PathBuf>,
    /// Seed of every random choice
    #[arg(long, default_value_t = 1, value_name = "N")]
    seed: u64,
    /// Sign the model with this ed25519 private key, into a file beside it
    #[arg(long, value_name = "KEY")]
    sign: Option<PathBuf>,
    /// Add synthetic rows of rare classes (SMOTE)
    #[arg(long)]
    smote: bool,
}

/// Trains, writes the model, and prints what is known of it.
pub fn run(config: &Config, arguments: &Arguments) -> Result<()> {
    // An hour of work is not to end at a mistyped folder.
    let folder = parent(&arguments.output);
    ensure!(folder.is_dir(), "there is no folder {}", folder.display());
    let key = arguments.sign.as_deref().map(private_key).transpose()?;
    let settings = Settings {
        algorithm: arguments.algorithm,
        smote: arguments.smote.then(Smote::default),
        seed: arguments.seed,
        date: date()?,
        ..Settings::default()
    };
    let data = learnt(&read_labels(&arguments.labels)?, &Setup::from(config))?;
    let rows = learnable(&data);
    let fitting = Parts::new(&format!("fitting on {} snapshots", rows.len()));
    let trainer = Trainer {
        data: &data,
        settings: &settings,
        watch: &|done| fitting.show(done),
    };
    let trained = trainer.train(&rows, &SCHEMA, &evidence_rule)?;
    drop(fitting);
    let bytes = trained.model.save()?;
    write_whole(&arguments.output, &bytes)
        .with_context(|| format!("cannot write {}", arguments.output.display()))?;
    if let Some(key) = key {
        let path = signature::beside(&arguments.output);
        let signature = signature::sign(&bytes, &key).unwrap_or_default();
        write_whole(&path, signature.as_bytes())
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    let section = out_of_fold(&data, &trained);
    let text = summary(&arguments.output, &trained, &section);
    if let Some(folder) = &arguments.report {
        let step = rows.len().div_ceil(EXPLAINED).max(1);
        let explained = rows.iter().step_by(step).map(|&row| data.row(row));
        let report = Report {
            model: &trained.model,
            importance: report_folder::importance(&trained.model, explained),
            sections: &[section],
        };
        report.write(folder)?;
    }
    Ok(io::stdout().lock().write_all(text.as_bytes())?)
}

/// Reads the key that is to sign, and makes sure that it can.
fn private_key(path: &Path) -> Result<String> {
    let name = path.display();
    let pem = fs::read_to_string(path).with_context(|| format!("cannot read the key {name}"))?;
    ensure!(
        signature::sign(&[], &pem).is_some(),
        "{name} is no ed25519 private key as `openssl genpkey -algorithm ed25519` writes it"
    );
    Ok(pem)
}

/// Labels files, in the order given.
pub fn read_labels(files: &[PathBuf]) -> Result<Vec<Labels>> {
    let labels = files.iter().map(|file| Labels::read(file));
    Ok(labels.collect::<Result<_, _>>()?)
}

/// The captures that models are trained on; what is left out of them is said.
pub fn learnt(labels: &[Labels], setup: &Setup) -> Result<Dataset> {
    let metering = Parts::new("captures metered");
    let corpus = corpus::corpus(labels, &[SPLIT], setup, &|done| metering.show(done))?;
    drop(metering);
    let reasons: BTreeSet<String> = corpus.skipped.iter().map(ToString::to_string).collect();
    for reason in reasons {
        super::say(&format!("{reason}; it is left out"));
    }
    ensure!(
        !corpus.dataset.is_empty(),
        "no capture to learn from: none has the split {SPLIT:?}"
    );
    Ok(corpus.dataset)
}

/// The rows of the classes that models learn.
pub fn learnable(data: &Dataset) -> Vec<u32> {
    data.rows(|_, sample| sample.class.is_learnt())
}

/// The algorithm of this name.
pub fn algorithm(word: &str) -> Result<Algorithm, String> {
    let known = [
        Algorithm::Forest,
        Algorithm::Svm,
        Algorithm::Knn,
        Algorithm::Logistic,
    ];
    let found = known.into_iter().find(|one| one.to_string() == word);
    found.ok_or_else(|| "allowed is forest, svm, knn or logistic".to_owned())
}

/// Today, or what `SOURCE_DATE_EPOCH` says so that a model can be made again byte for byte.
fn date() -> Result<String> {
    let seconds = match env::var("SOURCE_DATE_EPOCH") {
        Ok(text) => text.parse().ok(),
        Err(_) => {
            let now = SystemTime::now().duration_since(UNIX_EPOCH);
            now.ok().and_then(|now| i64::try_from(now.as_secs()).ok())
        }
    };
    let moment = seconds.and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok());
    let moment = moment.context("SOURCE_DATE_EPOCH, or the clock, is no time in seconds")?;
    Ok(moment.date().to_string())
}

/// Replaces a file at once: whoever reads it meanwhile sees the old bytes or the new ones.
fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    // A link stays a link, and a device a device.
    let path = &fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    if fs::metadata(path).is_ok_and(|file| !file.is_file()) {
        return fs::write(path, bytes);
    }
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}", std::process::id()));
    let beside = path.with_file_name(name);
    let written = fs::File::create(&beside)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
        .and_then(|()| fs::rename(&beside, path));
    if written.is_err() {
        // The first error is the one to tell.
        let _ = fs::remove_file(&beside);
    }
    written
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    }
}

fn out_of_fold(data: &Dataset, trained: &Trained) -> Section {
    let samples = data.samples().iter().zip(&trained.out_of_fold);
    let scored: Vec<(Class, Score)> = samples
        .filter_map(|(sample, score)| Some((sample.class, (*score)?)))
        .collect();
    Section {
        title: "Out of fold, by source".to_owned(),
        snapshots: Metrics::of(&scored, trained.model.calibration()),
        addresses: trained.blocked.clone(),
    }
}

fn summary(path: &Path, trained: &Trained, section: &Section) -> String {
    let content = trained.model.content();
    let (from, rule) = (&content.provenance, &content.calibration);
    let (all, who) = (&section.snapshots, &section.addresses);
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = write!(
        text,
        "{}: {} on {} features, SHA-256 {}\n\
         Trained on {} with {} snapshots of {} captures from {} sources, seed {}.\n\
         Calibration: slope {:.3}, intercept {:.3}, bias {:.2}; blocks at {:.1} log-odds over {} snapshots, half-life {} s.\n\
         {}: {} snapshots, accuracy {:.4}, macro-F1 {:.4}, ROC area {:.4}, recall {:.4} at 0.5 % false positives.\n\
         Addresses: {} of {} attackers blocked, {} of {} benign ones.\n\n",
        path.display(),
        content.algorithm,
        content.features.len(),
        trained.model.sha256(),
        from.date,
        from.rows,
        from.captures,
        from.sources.len(),
        from.seed,
        rule.slope,
        rule.intercept,
        rule.bias,
        rule.block_at,
        rule.min_positive,
        rule.half_life,
        section.title,
        all.total,
        all.accuracy,
        all.macro_f1,
        all.roc_area,
        all.recall_at_half_percent,
        who.attackers_blocked,
        who.attackers,
        who.benign_blocked,
        who.benign,
    );
    let mut table = Table::new(["CLASS", "PRECISION", "RECALL", "SNAPSHOTS"]);
    for (class, one) in &all.per_class {
        table.push([
            class.to_string(),
            format!("{:.4}", one.precision),
            format!("{:.4}", one.recall),
            one.support.to_string(),
        ]);
    }
    text + &table.to_string()
}
