//! Replay: captures through the whole pipeline, in capture time.
//! What it concludes is what the daemon would; only the firewall is one that touches nothing.

use ebpf::account::Limits;
use ebpf::host::HostKey;
use ebpf::snapshot::Snapshot;
use ipnet::IpNet;

use crate::firewall::{Firewall, Observe};
use detection::dataplane::{DataPlane, Metered};

use detection::decode::{Decoder, Ports};
use detection::engine::{Engine, Request};

use detection::frame::Frame;

use detection::meter::Caps;
use detection::policy::Outcome;
use detection::verdict::Verdict;
use settings::Config;

/// What replaying depends on besides the capture and the model.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Table sizes.
    pub caps: Caps,
    /// Settings of the meter.
    pub limits: Limits,
    /// What is remembered against an address.
    pub evidence: settings::Evidence,
    /// TunnelEnds ends of tunnels whose inner addresses are believed.
    pub trusted_tunnels: Vec<IpNet>,
    /// Where tunnels and mirrors are looked for.
    pub decoder: Decoder,
}

/// Seed of the bitmap hashes in replay: fixed, so that the same frames give the same bytes.
pub const REPLAY_SEED: u64 = 0x6761_7269_7461_2131;

impl Default for Setup {
    fn default() -> Self {
        Self::from(&Config::default())
    }
}

impl From<&Config> for Setup {
    fn from(config: &Config) -> Self {
        let meter = &config.meter;
        Self {
            caps: Caps {
                flows: meter.max_flows.size(),
                unanswered: meter.max_unanswered_flows.size(),
                hosts: meter.max_hosts.size(),
                pairs: meter.max_pairs.size(),
            },
            limits: Limits {
                seed: REPLAY_SEED,
                flood_guard: meter.flood_guard.get(),
                separate_tags: u32::from(meter.tags == settings::Tags::Separate),
            },
            evidence: config.evidence.clone(),
            trusted_tunnels: config.policy.trusted_tunnels.to_vec(),
            decoder: Decoder::new(Ports::from(&config.carriers), &config.capture.mirrors),
        }
    }
}

/// How often time passes for the engine, microseconds of capture time.
const TICK: u64 = 1_000_000;

/// Data plane, engine and an observing firewall in a row.
#[derive(Debug)]
pub struct Replay {
    plane: DataPlane,
    engine: Engine,
    firewall: Observe,
    snapshots: Vec<Snapshot>,
    next_tick: u64,
    heard: u64,
}

impl Replay {
    /// A replay that has seen nothing.
    pub fn new(setup: &Setup, engine: Engine) -> Self {
        let mut plane = DataPlane::new(setup.caps, setup.limits);
        plane.trust(&setup.trusted_tunnels);
        plane.decode_with(setup.decoder.clone());
        Self {
            plane,
            engine,
            firewall: Observe,
            snapshots: Vec::new(),
            next_tick: 0,
            heard: 0,
        }
    }

    /// Takes one frame through to the firewall; verdicts it leads to are appended to `verdicts`.
    pub fn take(&mut self, frame: &Frame<'_>, verdicts: &mut Vec<Verdict>) -> Metered {
        let metered = self.plane.take(frame, &mut self.snapshots);
        self.judge(metered.time, verdicts);
        metered
    }

    /// The data plane, for its counters and its clock.
    pub fn plane(&mut self) -> &mut DataPlane {
        &mut self.plane
    }

    /// Snapshots the meter took and, of these, the model scored.
    pub fn snapshots(&self) -> (u64, u64) {
        (self.heard, self.engine.scored())
    }

    fn judge(&mut self, time: u64, verdicts: &mut Vec<Verdict>) {
        self.heard += self.snapshots.len() as u64;
        for snapshot in &self.snapshots {
            self.engine.hear(snapshot);
        }
        self.snapshots.clear();
        if time >= self.next_tick {
            self.engine.tick(time);
            self.next_tick = time + TICK;
        }
        self.obey(verdicts);
    }

    fn obey(&mut self, verdicts: &mut Vec<Verdict>) {
        while let Some(request) = self.engine.next_request() {
            match request {
                Request::Suspect(host, suspected) => self.plane.meter().suspect(host, suspected),
                Request::Forget(addresses) => self.plane.meter().forget(&addresses),
                // Nothing is blocked in a replay, so everybody goes on.
                Request::Doubt(_) => {}
                Request::Conclude(mut verdict) => {
                    let carrier = |initiator: &HostKey| self.plane.tunnel(initiator);
                    verdict.tunnel = verdict.carried(carrier);
                    verdict.outcome = verdict.decision.block().map(|block| {
                        // Policy has asked already; whoever enforces asks again.
                        match self.engine.policy().guard().exemption(block.target) {
                            Some(exemption) => Outcome::Exempt(exemption),
                            None => self.firewall.outcome(),
                        }
                    });
                    verdicts.push(*verdict);
                }
            }
        }
    }
}
