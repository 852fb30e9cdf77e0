//! `garita flows`: what a model sees of captures, one row a snapshot.
//! Nothing is scored, so a row does not depend on a model.

use std::fs;
use std::fs::File;
use std::io;
use std::io::{BufWriter, Write};
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};
use contract::timestamp::Timestamp;
use detection::dataplane::DataPlane;

use detection::features;

use detection::features::features;

use detection::timeline::Timeline;
use ebpf::snapshot::{Snapshot, reason};
use learning::labels::{CaptureLabels, Labels};
use sensor::capture::CaptureError;
use sensor::replay::Setup;
use settings::Config;

use super::progress::Bytes;
use super::read;
use super::table::Table;

/// What stands before the features in a row.
const COLUMNS: [&str; 8] = [
    "capture",
    "time",
    "initiator",
    "initiator_port",
    "responder",
    "responder_port",
    "transport",
    "reason",
];

/// Why a snapshot was taken, in a word.
const REASONS: [(u32, &str); 9] = [
    (reason::PACKETS, "packets"),
    (reason::CLOSED, "closed"),
    (reason::IDLE, "idle"),
    (reason::FLOWS, "flows"),
    (reason::UNANSWERED, "unanswered"),
    (reason::ATTEMPTS, "attempts"),
    (reason::INITIATORS, "initiators"),
    (reason::SUSPECT, "suspect"),
    (reason::SILENT, "silent"),
];

/// `garita flows`
#[derive(clap::Args)]
pub struct Arguments {
    /// Captures (pcap, pcapng, snoop or ERF, also with gzip, zstd or lz4), each metered by itself
    #[arg(required_unless_present = "describe", value_name = "CAPTURE")]
    captures: Vec<PathBuf>,
    /// Add the class and whether the initiator is an attacker, from this labels file
    #[arg(long, value_name = "FILE")]
    labels: Option<PathBuf>,
    /// Write here, instead of stdout
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Print name, unit and meaning of every feature
    #[arg(long)]
    describe: bool,
}

/// Writes the rows of the captures, or describes their columns.
pub fn run(config: &Config, arguments: &Arguments) -> Result<()> {
    if arguments.describe {
        return describe();
    }
    let labels = (arguments.labels.as_deref())
        .map(Labels::read)
        .transpose()?;
    let labelled: Vec<Option<&CaptureLabels>> = match (&labels, &arguments.labels) {
        (Some(labels), Some(file)) => (arguments.captures.iter())
            .map(|path| {
                find(labels, path)
                    .map(Some)
                    .ok_or_else(|| unlabelled(file, path))
            })
            .collect::<Result<_>>()?,
        _ => vec![None; arguments.captures.len()],
    };
    let to_file = arguments.output.is_some();
    let output = (arguments.output.as_deref())
        .map(|path| Output::create(path, &arguments.captures))
        .transpose()?;
    let out: Box<dyn Write> = match &output {
        Some(output) => Box::new(output.file.try_clone()?),
        None => Box::new(io::stdout().lock()),
    };
    let mut rows = Rows {
        csv: csv::Writer::from_writer(BufWriter::new(out)),
        cells: Vec::new(),
    };
    rows.header(labels.is_some())?;
    let mut progress = Bytes::new(arguments.captures.iter().map(PathBuf::as_path), to_file);
    let mut damages = Vec::new();
    for (path, labels) in arguments.captures.iter().zip(labelled) {
        damages.extend(meter(
            &Setup::from(config),
            (path, labels),
            (&mut rows, &mut progress),
        )?);
    }
    rows.csv.flush()?;
    output.map_or(Ok(()), Output::keep)?;
    let Some(last) = damages.pop() else {
        return Ok(());
    };
    for damage in damages {
        progress.say(&damage.to_string());
    }
    Err(last.into())
}

/// A file that takes its place only when it is complete, so that a failure costs nobody the one that was there.
struct Output {
    path: PathBuf,
    partial: Option<PathBuf>,
    file: File,
}

impl Output {
    fn create(path: &Path, captures: &[PathBuf]) -> Result<Self> {
        let place = fs::canonicalize(path).ok();
        let is_input =
            |capture: &PathBuf| place.is_some() && fs::canonicalize(capture).ok() == place;
        anyhow::ensure!(
            !captures.iter().any(is_input),
            "cannot write {}: it is one of the captures",
            path.display()
        );
        // A device or a pipe is written to as it is.
        let special = fs::metadata(path).is_ok_and(|found| !found.is_file());
        let partial = (!special).then(|| {
            let mut name = path.as_os_str().to_owned();
            name.push(".partial");
            PathBuf::from(name)
        });
        let file = File::create(partial.as_deref().unwrap_or(path))
            .with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Self {
            path: path.to_owned(),
            partial,
            file,
        })
    }

    fn keep(mut self) -> Result<()> {
        if let Some(partial) = self.partial.take() {
            fs::rename(partial, &self.path)
                .with_context(|| format!("cannot write {}", self.path.display()))?;
        }
        Ok(())
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        if let Some(partial) = &self.partial {
            // Nothing more can be done about it than to leave it behind.
            let _ = fs::remove_file(partial);
        }
    }
}

fn describe() -> Result<()> {
    let mut table = Table::new(["FEATURE", "UNIT", "MEANING"]);
    for feature in &features::LIST {
        table.push([feature.name, feature.unit, feature.meaning].map(str::to_owned));
    }
    Ok(write!(io::stdout().lock(), "{table}")?)
}

fn find<'a>(labels: &'a Labels, path: &Path) -> Option<&'a CaptureLabels> {
    let wanted = fs::canonicalize(path).ok()?;
    let is_wanted = |one: &&CaptureLabels| fs::canonicalize(&one.path).is_ok_and(|p| p == wanted);
    labels.captures().iter().find(is_wanted)
}

fn unlabelled(file: &Path, path: &Path) -> anyhow::Error {
    match fs::metadata(path) {
        Ok(_) => anyhow!("labels {} do not name {}", file.display(), path.display()),
        Err(error) => anyhow!(error).context(format!("cannot open capture {}", path.display())),
    }
}

fn meter(
    setup: &Setup,
    (path, labels): (&Path, Option<&CaptureLabels>),
    (rows, progress): (&mut Rows, &mut Bytes),
) -> Result<Option<CaptureError>> {
    let mut plane = DataPlane::new(setup.caps, setup.limits);
    plane.decode_with(setup.decoder.clone());
    let mut snapshots = Vec::new();
    let name = path.to_string_lossy();
    let damage = read::frames(path, progress, |frame| {
        plane.take(frame, &mut snapshots);
        for snapshot in snapshots.drain(..) {
            rows.push(&name, (&snapshot, plane.timeline()), labels)?;
        }
        Ok(())
    })?;
    while plane.next_silence(&mut snapshots).is_some() {}
    for snapshot in snapshots.drain(..) {
        rows.push(&name, (&snapshot, plane.timeline()), labels)?;
    }
    Ok(damage)
}

struct Rows {
    csv: csv::Writer<BufWriter<Box<dyn Write>>>,
    cells: Vec<String>,
}

impl Rows {
    fn header(&mut self, labelled: bool) -> io::Result<()> {
        let label: &[&str] = if labelled {
            &["class", "attacker"]
        } else {
            &[]
        };
        let names = COLUMNS.iter().chain(&features::NAMES).chain(label);
        self.csv.write_record(names).map_err(broken)
    }

    fn push(
        &mut self,
        capture: &str,
        (snapshot, timeline): (&Snapshot, &Timeline),
        labels: Option<&CaptureLabels>,
    ) -> io::Result<()> {
        let wall = timeline.wall(snapshot.time).nanoseconds() / 1_000;
        let [(initiator, initiator_port), (responder, responder_port)] = snapshot.charged();
        let ends = [initiator, responder].map(IpAddr::from);
        self.cells.clear();
        self.cells.extend([
            harmless(capture),
            Timestamp::from_micros(wall).to_string(),
            ends[0].to_string(),
            initiator_port.to_string(),
            ends[1].to_string(),
            responder_port.to_string(),
            contract::flow::transport(snapshot.key.protocol),
            reasons(snapshot.reason),
        ]);
        let values = features(snapshot);
        self.cells.extend(values.iter().map(f32::to_string));
        if let Some(labels) = labels {
            let attacker = u8::from(labels.is_attacker(ends[0]));
            let class = labels.class_of(ends[0], ends[1]);
            self.cells.extend([class.to_string(), attacker.to_string()]);
        }
        self.csv.write_record(&self.cells).map_err(broken)
    }
}

/// The system's own error where there is one: it tells a reader that went away from a full disk.
fn broken(error: csv::Error) -> io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        other => io::Error::other(format!("{other:?}")),
    }
}

fn reasons(bits: u32) -> String {
    let due = REASONS.iter().filter(|(bit, _)| bits & bit != 0);
    due.map(|(_, word)| *word).collect::<Vec<_>>().join(" ")
}

/// Text that a spreadsheet will not take for a formula.
fn harmless(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        format!("'{text}")
    } else {
        text.to_owned()
    }
}
