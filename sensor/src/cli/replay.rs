//! `garita replay`: what the sensor would report and block in captures, in capture time.
//! The firewall only observes, and nothing but the captures, the configuration and the model has a say.

use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use anyhow::Result;
use contract::incident::{Identity, Incident};
use detection::engine::Engine;
use detection::features::SCHEMA;
use detection::frame::Frame;
use detection::model::Named;
use detection::policy::{Guard, Policy, Surroundings};
use detection::timeline::Timeline;
use detection::verdict::Verdict;
use sensor::capture::file::File;
use sensor::incident::{Book, Observer, Revision, Stage};
use sensor::replay::{Replay, Setup};
use settings::Config;

use super::progress::Bytes;
use super::{read, report};

/// What the sensor is called in a replay whose configuration does not name it.
const NAME: &str = "replay";

/// `garita replay`
#[derive(clap::Args)]
pub struct Arguments {
    /// Captures (pcap or pcapng, gzip'd or not); several are one stream in this order
    #[arg(required = true, value_name = "CAPTURE")]
    captures: Vec<PathBuf>,
    /// Score with this model, instead of model.path or the one inside the program
    #[arg(long, value_name = "FILE")]
    model: Option<PathBuf>,
    /// Print one ECS document a line, the last revision of each incident
    #[arg(long)]
    json: bool,
    /// Print where this model would decide otherwise
    #[arg(long, value_name = "MODEL", conflicts_with = "json")]
    compare: Option<PathBuf>,
}

/// What a replay came to.
pub struct Outcome {
    /// Last revisions, by time and id.
    pub incidents: Vec<Incident>,
    /// Frames read.
    pub frames: u64,
    /// Frames that were metered.
    pub packets: u64,
    /// Snapshots taken, and of these scored.
    pub snapshots: (u64, u64),
    /// What could not be metered as it should, by cause.
    pub losses: Vec<(&'static str, u64)>,
}

/// Replays the captures and prints what follows.
pub fn run(config: &Config, arguments: &Arguments) -> Result<()> {
    let model = Named::load(arguments.model.as_deref(), &config.model, &SCHEMA)?;
    let other = (arguments.compare.as_deref())
        .map(|path| Named::load(Some(path), &config.model, &SCHEMA))
        .transpose()?;
    // A name mistyped is better said before the work than after half of it.
    if arguments.captures.len() > 1 {
        for path in &arguments.captures {
            File::open(path)?;
        }
    }
    let outcome = replay(config, &arguments.captures, &model)?;
    let mut out = BufWriter::new(io::stdout().lock());
    if arguments.json {
        for incident in &outcome.incidents {
            serde_json::to_writer(&mut out, incident).map_err(io::Error::from)?;
            out.write_all(b"\n")?;
        }
    } else if let Some(other) = other {
        let otherwise = replay(config, &arguments.captures, &other)?;
        let models = [(&model, &outcome), (&other, &otherwise)];
        out.write_all(report::comparison(models).as_bytes())?;
    } else {
        out.write_all(report::incidents(&outcome).as_bytes())?;
    }
    Ok(out.flush()?)
}

fn replay(config: &Config, captures: &[PathBuf], model: &Named) -> Result<Outcome> {
    let mut session = Session::new(config, model);
    let mut progress = Bytes::new(captures.iter().map(PathBuf::as_path), true);
    for path in captures {
        read::frames(path, &mut progress, |frame| {
            session.take(frame);
            Ok(())
        })?;
    }
    Ok(session.finish())
}

/// A replay, and the book of what it concludes.
pub struct Session {
    replay: Replay,
    book: Book,
    /// Always empty between two frames.
    verdicts: Vec<Verdict>,
    incidents: Vec<Incident>,
    packets: u64,
}

impl Session {
    /// A session that has seen nothing, with the configured policy and nothing around it to protect.
    pub fn new(config: &Config, model: &Named) -> Self {
        Self {
            replay: Replay::new(&Setup::from(config), engine(config, model)),
            book: Book::new(&config.incident, observer(config, model)),
            verdicts: Vec::new(),
            incidents: Vec::new(),
            packets: 0,
        }
    }

    /// Takes one frame through to the book.
    pub fn take(&mut self, frame: &Frame<'_>) {
        let metered = self.replay.take(frame, &mut self.verdicts);
        self.packets += u64::from(metered.ends.is_some());
        if !self.verdicts.is_empty() {
            self.record();
        }
    }

    /// Lets silence follow, ends every incident, and says what it all came to.
    pub fn finish(mut self) -> Outcome {
        self.replay.finish(&mut self.verdicts);
        self.record();
        keep_last(&mut self.incidents, self.book.end_all());
        let mut incidents = self.incidents;
        incidents.sort_by(|a, b| (a.timestamp, &a.event.id).cmp(&(b.timestamp, &b.event.id)));
        let snapshots = self.replay.snapshots();
        let plane = self.replay.plane();
        Outcome {
            incidents,
            frames: plane.frames(),
            packets: self.packets,
            snapshots,
            losses: plane.losses().filter(|(_, n)| *n > 0).collect(),
        }
    }

    fn record(&mut self) {
        let timeline = self.replay.plane().timeline().clone();
        self.book.set_timeline(timeline);
        for verdict in self.verdicts.drain(..) {
            keep_last(&mut self.incidents, self.book.record(&verdict));
        }
    }
}

fn keep_last(incidents: &mut Vec<Incident>, told: Vec<Revision>) {
    let last = told.into_iter().filter(|one| one.stage == Stage::Ended);
    incidents.extend(last.map(|revision| revision.incident));
}

fn engine(config: &Config, model: &Named) -> Engine {
    // A replay has no surroundings: the machine it runs on is not the one that captured.
    let guard = Guard::new(&config.policy, Surroundings::default());
    let policy = Policy::new(&config.policy, guard);
    Engine::new(model.model.clone(), policy, &config.evidence)
}

fn observer(config: &Config, model: &Named) -> Observer {
    let name = config.sensor.name.get();
    Observer {
        identity: Identity {
            name: name.map_or(NAME, |name| name.as_str()).to_owned(),
            version: env!("CARGO_PKG_VERSION"),
        },
        model_name: model.name.clone(),
        model_sha256: model.model.sha256().to_owned(),
        timeline: Timeline::new(),
    }
}
