//! `garita replay`: what the sensor would report and block in captures, in capture time.
//! The firewall only observes, and nothing but the captures, the configuration and the model has a say.

use std::io;
use std::io::{BufWriter, Write};
use std::path::PathBuf;

use anyhow::Result;
use contract::incident::{Identity, Incident};
use detection::engine::Engine;
use detection::features::SCHEMA;
use detection::frame::Frame;
use detection::model::Named;
use detection::policy::{Guard, LocalNetwork, Policy};
use detection::timeline::Timeline;
use detection::verdict::Verdict;
use sensor::capture::CaptureError;
use sensor::incident::{IncidentLog, Observer, Revision, Stage};
use sensor::replay::{Replay, Setup};
use settings::Config;

use super::progress::Bytes;
use super::replay_tables::Outcome;
use super::{merge, replay_tables};

/// What the sensor is called in a replay whose configuration does not name it.
const NAME: &str = "replay";

/// `garita replay`
#[derive(clap::Args)]
pub struct Arguments {
    /// Captures (pcap, pcapng, snoop or ERF, also with gzip, zstd or lz4); several are merged by time
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

/// Replays the captures and prints what follows.
pub fn run(config: &Config, arguments: &Arguments) -> Result<()> {
    let model = Named::load(arguments.model.as_deref(), &config.model, &SCHEMA)?;
    let other = (arguments.compare.as_deref())
        .map(|path| Named::load(Some(path), &config.model, &SCHEMA))
        .transpose()?;
    let (outcome, damage) = replay(config, &arguments.captures, &model)?;
    let mut out = BufWriter::new(io::stdout().lock());
    if arguments.json {
        for incident in &outcome.incidents {
            serde_json::to_writer(&mut out, incident).map_err(io::Error::from)?;
            out.write_all(b"\n")?;
        }
    } else if let Some(other) = other {
        let (otherwise, _) = replay(config, &arguments.captures, &other)?;
        let models = [(&model, &outcome), (&other, &otherwise)];
        out.write_all(replay_tables::comparison(models).as_bytes())?;
    } else {
        out.write_all(replay_tables::incidents(&outcome).as_bytes())?;
    }
    out.flush()?;
    damage.map_or(Ok(()), |damage| Err(damage.into()))
}

/// What the captures come to, and the last one's damage that is still to be told.
fn replay(
    config: &Config,
    captures: &[PathBuf],
    model: &Named,
) -> Result<(Outcome, Option<CaptureError>)> {
    let mut session = Session::new(config, model);
    let mut progress = Bytes::new(captures.iter().map(PathBuf::as_path), true);
    // Frames of each capture, and those that held a packet.
    let mut read = vec![(0u64, 0u64); captures.len()];
    let damage = merge::frames(captures, &mut progress, |place, frame| {
        let before = session.packets;
        session.take(frame);
        if let Some((frames, packets)) = read.get_mut(place) {
            *frames += 1;
            *packets += session.packets - before;
        }
        Ok(())
    })?;
    let causes = session.causes();
    for (path, (frames, packets)) in captures.iter().zip(read) {
        if frames > 0 && packets == 0 && damage.is_none() {
            progress.say(&format!(
                "capture {}: none of its {frames} frames held a packet that could be read ({causes})",
                path.display()
            ));
        }
    }
    Ok((session.finish(), damage))
}

/// A replay, and the log of what it concludes.
pub struct Session {
    replay: Replay,
    log: IncidentLog,
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
            log: IncidentLog::new(&config.incident, observer(config, model)),
            verdicts: Vec::new(),
            incidents: Vec::new(),
            packets: 0,
        }
    }

    /// Takes one frame through to the log.
    pub fn take(&mut self, frame: &Frame<'_>) {
        let metered = self.replay.take(frame, &mut self.verdicts);
        self.packets += u64::from(metered.ends.is_some());
        if !self.verdicts.is_empty() {
            self.record();
        }
    }

    /// Why packets could not be metered as they should, with counts.
    fn causes(&mut self) -> String {
        let losses = self.replay.plane().losses().filter(|(_, count)| *count > 0);
        let causes: Vec<String> = losses
            .map(|(cause, count)| format!("{cause} {count}"))
            .collect();
        causes.join(", ")
    }

    /// Ends every incident, and says what it all came to. Nothing is concluded from time that nobody recorded.
    pub fn finish(mut self) -> Outcome {
        keep_last(&mut self.incidents, self.log.end_all());
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
        self.log.set_timeline(timeline);
        for verdict in self.verdicts.drain(..) {
            keep_last(&mut self.incidents, self.log.record(&verdict));
        }
    }
}

fn keep_last(incidents: &mut Vec<Incident>, told: Vec<Revision>) {
    let last = told.into_iter().filter(|one| one.stage == Stage::Ended);
    incidents.extend(last.map(|revision| revision.incident));
}

fn engine(config: &Config, model: &Named) -> Engine {
    // A replay has no local_network: the machine it runs on is not the one that captured.
    let guard = Guard::new(&config.policy, LocalNetwork::default());
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
