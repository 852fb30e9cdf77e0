//! Replays scored snapshots as evidence against addresses, to choose the bias that blocks attackers and nobody else.
//! The rule is given; [`evidence_rule`] is the engine's own.

use std::collections::BTreeMap;

use serde::Serialize;

use super::dataset::Dataset;
use detection::evidence::{Evidence, Observation};
use detection::model::{Calibration, Score};

/// Biases tried, log-odds: from generous to one only near certainty passes.
const BIASES: std::ops::RangeInclusive<i32> = -8..=24;

/// Steps of the bias in one unit of log-odds.
const STEPS: f32 = 4.0;

/// Missed attackers, in shares of all, that one benign share is worth: a block of 0.1 % of benign addresses outweighs 4 % of the attackers.
const BENIGN_PRICE: f64 = 40.0;

/// What is true of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Truth {
    /// Must not be blocked.
    Benign,
    /// Should be blocked, for a class the model claims.
    Attacker,
    /// Part of an attack the model does not claim: counts neither way.
    Other,
}

/// One scored snapshot charged to an address.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Judged {
    /// Its row in the dataset.
    pub row: u32,
    /// Capture time, microseconds.
    pub time: u64,
    /// What the model said.
    pub score: Score,
    /// Whether it may speak against the address.
    pub active: bool,
}

/// What was seen of one address of one capture, in time order.
#[derive(Clone, Debug, PartialEq)]
pub struct Track {
    /// Number of the capture.
    pub capture: u32,
    /// Number of the address within it.
    pub address: u32,
    /// What is true of it.
    pub truth: Truth,
    /// Its snapshots.
    pub snapshots: Vec<Judged>,
}

/// Which addresses a rule would have blocked.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Blocked {
    /// Attackers of claimed classes.
    pub attackers: usize,
    /// Those blocked.
    pub attackers_blocked: usize,
    /// Mean over captures of the share of their attackers that is blocked.
    pub attacker_share: f64,
    /// Benign addresses.
    pub benign: usize,
    /// Those blocked.
    pub benign_blocked: usize,
    /// Capture, address and snapshot of each block.
    pub blocks: Vec<(u32, u32, usize)>,
}

/// Gives the position of the snapshot that blocks the address, if one does.
pub type Rule<'a> = dyn Fn(&Track, &Calibration) -> Option<usize> + 'a;

/// Puts scored rows together by capture and address; rows without a score are left out.
pub fn tracks(data: &Dataset, scores: &[Option<Score>]) -> Vec<Track> {
    let mut tracks: BTreeMap<(u32, u32), Track> = BTreeMap::new();
    for ((row, sample), score) in (0u32..).zip(data.samples()).zip(scores) {
        let Some(score) = *score else { continue };
        let truth = match (sample.attacker, sample.class.is_claimed()) {
            (false, _) => Truth::Benign,
            (true, true) => Truth::Attacker,
            (true, false) => Truth::Other,
        };
        let track = tracks
            .entry((sample.capture, sample.address))
            .or_insert(Track {
                capture: sample.capture,
                address: sample.address,
                truth,
                snapshots: Vec::new(),
            });
        // An attacker also has harmless flows: one snapshot of a claimed attack decides.
        if truth == Truth::Attacker {
            track.truth = truth;
        }
        track.snapshots.push(Judged {
            row,
            time: sample.time,
            score,
            active: sample.active,
        });
    }
    let mut tracks: Vec<Track> = tracks.into_values().collect();
    for track in &mut tracks {
        track
            .snapshots
            .sort_by_key(|judged| (judged.time, judged.row));
    }
    tracks
}

/// The engine's own rule: evidence that fades, and blocks once it suffices.
pub fn evidence_rule(track: &Track, calibration: &Calibration) -> Option<usize> {
    let mut evidence = Evidence::default();
    track.snapshots.iter().position(|judged| {
        let observation = Observation {
            time: judged.time,
            weight: calibration.evidence(judged.score.attack()),
            class: judged.active.then(|| judged.score.top_attack()),
            proven: false,
        };
        evidence.hear(&observation, calibration);
        evidence.suffices(calibration)
    })
}

/// Replays all tracks under a rule.
pub fn simulate(tracks: &[Track], calibration: &Calibration, rule: &Rule<'_>) -> Blocked {
    let mut blocked = Blocked::default();
    let mut captures: BTreeMap<u32, (usize, usize)> = BTreeMap::new();
    for track in tracks {
        let block = rule(track, calibration);
        let hit = usize::from(block.is_some());
        match track.truth {
            Truth::Benign => {
                blocked.benign += 1;
                blocked.benign_blocked += hit;
            }
            Truth::Attacker => {
                blocked.attackers += 1;
                blocked.attackers_blocked += hit;
                let capture = captures.entry(track.capture).or_default();
                *capture = (capture.0 + 1, capture.1 + hit);
            }
            Truth::Other => {}
        }
        let at = block.map(|position| (track.capture, track.address, position));
        blocked.blocks.extend(at);
    }
    let shares = captures
        .values()
        .map(|(all, hit)| *hit as f64 / *all as f64);
    blocked.attacker_share = shares.sum::<f64>() / captures.len().max(1) as f64;
    blocked
}

/// The bias that blocks most attackers at the price set on benign addresses, and what it blocks.
///
/// Where several do equally well the middle one is taken, as far from both mistakes as the captures allow.
pub fn choose_bias(
    tracks: &[Track],
    calibration: &Calibration,
    rule: &Rule<'_>,
) -> (Calibration, Blocked) {
    let tried: Vec<(Calibration, Blocked, f64)> = BIASES
        .map(|step| {
            let bias = step as f32 / STEPS;
            let calibration = Calibration {
                bias,
                ..*calibration
            };
            let blocked = simulate(tracks, &calibration, rule);
            let benign = blocked.benign_blocked as f64 / blocked.benign.max(1) as f64;
            let worth = blocked.attacker_share - BENIGN_PRICE * benign;
            (calibration, blocked, worth)
        })
        .collect();
    let best = tried
        .iter()
        .map(|(.., worth)| *worth)
        .fold(f64::MIN, f64::max);
    let mut equal = tried
        .into_iter()
        .filter(|(.., worth)| *worth >= best - 1e-9);
    let mut all: Vec<(Calibration, Blocked)> = equal.by_ref().map(|(c, b, _)| (c, b)).collect();
    match all.len() {
        0 => (*calibration, Blocked::default()),
        count => all.swap_remove((count - 1) / 2),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::{Capture, Sample};
    use contract::class::Class;

    #[test]
    fn enough_sure_snapshots_in_time_block_and_fewer_or_slower_do_not() {
        let at =
            |shares: &[f32], gap: u64| evidence_rule(&track(shares, gap), &Calibration::UNFITTED);
        assert_eq!(at(&[0.99; 4], 1), Some(3));
        assert_eq!(at(&[0.99; 3], 1), None);
        assert_eq!(at(&[0.99; 4], 20), None, "the first has faded too far");
        assert_eq!(at(&[0.99; 20], 400), None, "forgotten between snapshots");
        assert_eq!(at(&[0.99, 0.99, 0.1, 0.99, 0.99, 0.99], 1), Some(5));
        assert_eq!(at(&[0.7; 10], 1), Some(9), "many doubtful ones add up");
    }

    #[test]
    fn inactive_addresses_gain_nothing_but_still_lose() {
        let mut idle = track(&[0.99; 9], 1);
        idle.snapshots
            .iter_mut()
            .for_each(|judged| judged.active = false);
        assert_eq!(evidence_rule(&idle, &Calibration::UNFITTED), None);
    }

    #[test]
    fn the_bias_spares_the_benign_and_takes_the_attackers() {
        let mut tracks = Vec::new();
        for number in 0..50 {
            let mut benign = track(&[0.75; 20], 1);
            benign.address = number;
            let mut attacker = track(&[0.95; 20], 1);
            (attacker.capture, attacker.truth) = (1 + number % 5, Truth::Attacker);
            tracks.extend([benign, attacker]);
        }
        let unbiased = simulate(&tracks, &Calibration::UNFITTED, &evidence_rule);
        assert_eq!(
            (unbiased.benign_blocked, unbiased.attackers_blocked),
            (50, 50)
        );
        let (chosen, blocked) = choose_bias(&tracks, &Calibration::UNFITTED, &evidence_rule);
        assert_eq!((blocked.benign_blocked, blocked.attackers_blocked), (0, 50));
        assert!((1.1..2.9).contains(&chosen.bias), "{}", chosen.bias);
    }

    #[test]
    fn tracks_are_in_time_order_and_leave_unscored_rows_out() {
        let mut data = Dataset::new(1);
        data.add_capture(Capture {
            name: "x".into(),
            source: "x".into(),
            split: "train".into(),
        });
        let classes = [Class::Benign, Class::Scan, Class::C2, Class::Benign];
        for (number, class) in classes.into_iter().enumerate() {
            let sample = Sample {
                capture: 0,
                address: u32::from(class == Class::C2),
                time: 10 - number as u64,
                class,
                attacker: number < 3,
                active: true,
            };
            data.push(sample, &[0.0]);
        }
        let mut scores = vec![Some(Score::sure(Class::Scan)); 4];
        scores[3] = None;
        let tracks = tracks(&data, &scores);
        let rows = |at: usize| {
            tracks[at]
                .snapshots
                .iter()
                .map(|s| s.row)
                .collect::<Vec<_>>()
        };
        assert_eq!((rows(0), tracks[0].truth), (vec![1, 0], Truth::Attacker));
        assert_eq!((rows(1), tracks[1].truth), (vec![2], Truth::Other));
    }

    fn track(shares: &[f32], gap: u64) -> Track {
        let judged = |(number, share): (usize, &f32)| Judged {
            row: number as u32,
            time: number as u64 * gap * 1_000_000,
            score: Score::between(Class::Scan, *share),
            active: true,
        };
        Track {
            capture: 0,
            address: 0,
            truth: Truth::Benign,
            snapshots: shares.iter().enumerate().map(judged).collect(),
        }
    }
}
