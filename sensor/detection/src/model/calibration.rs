//! How a share of votes becomes evidence, with the numbers fitted when the model was.
//! It keeps no state: what accumulates lives with the evidence.

use serde::{Deserialize, Serialize};

/// Half a vote of a hundred trees: unanimity is no certainty.
const SHARE_FLOOR: f32 = 0.005;

/// From attack share to log-odds, and what accumulated log-odds mean; fitted out of fold, never copied.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// Slope on the logit of the attack share.
    pub slope: f32,
    /// Intercept, log-odds.
    pub intercept: f32,
    /// Taken off every snapshot, log-odds: what keeps benign addresses at zero.
    pub bias: f32,
    /// The least one snapshot may count, log-odds.
    pub least: f32,
    /// The most one snapshot may count, log-odds.
    pub most: f32,
    /// Evidence halves in this time, seconds.
    pub half_life: f32,
    /// Evidence that blocks, log-odds.
    pub block_at: f32,
    /// Snapshots that must have counted for an attack before a block.
    pub min_positive: u32,
}

impl Calibration {
    /// The rule the prototype found, before a fit: identity on the logit.
    pub const UNFITTED: Self = Self {
        slope: 1.0,
        intercept: 0.0,
        bias: 0.0,
        least: -1.0,
        most: 2.0,
        half_life: 120.0,
        // Four unanimous snapshots in a row, less what fades between them.
        block_at: 7.5,
        min_positive: 4,
    };

    /// The logit of an attack share, kept finite.
    pub fn logit(share: f32) -> f32 {
        let p = share.clamp(SHARE_FLOOR, 1.0 - SHARE_FLOOR);
        (p / (1.0 - p)).ln()
    }

    /// What one snapshot with this attack share adds to the evidence, in log-odds.
    pub fn evidence(&self, share: f32) -> f32 {
        let odds = self.slope * Self::logit(share) + self.intercept;
        (odds - self.bias).clamp(self.least, self.most)
    }

    /// The calibrated probability that a snapshot is part of an attack.
    pub fn probability(&self, share: f32) -> f32 {
        1.0 / (1.0 + (-self.slope * Self::logit(share) - self.intercept).exp())
    }

    pub(super) fn is_sound(&self) -> bool {
        let numbers = [
            self.slope,
            self.intercept,
            self.bias,
            self.least,
            self.most,
            self.half_life,
            self.block_at,
        ];
        numbers.iter().all(|x| x.is_finite())
            && self.slope > 0.0
            && self.least <= 0.0
            && self.most > 0.0
            && self.half_life > 0.0
            && self.block_at > 0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn evidence_is_clipped_and_never_infinite() {
        let rule = Calibration::UNFITTED;
        assert_eq!(rule.evidence(1.0), rule.most);
        assert_eq!(rule.evidence(0.0), rule.least);
        assert_eq!(rule.evidence(0.5), 0.0);
        assert!((rule.probability(0.8) - 0.8).abs() < 1e-6);
    }

    #[test]
    fn bias_moves_the_break_even_share() {
        let rule = Calibration {
            bias: 1.0,
            ..Calibration::UNFITTED
        };
        assert!(rule.evidence(0.7) < 0.0 && rule.evidence(0.75) > 0.0);
    }

    #[test]
    fn a_rule_that_rewards_benign_shares_is_unsound() {
        assert!(Calibration::UNFITTED.is_sound());
        let turned = Calibration {
            slope: -1.0,
            ..Calibration::UNFITTED
        };
        let lost = Calibration {
            bias: f32::NAN,
            ..Calibration::UNFITTED
        };
        assert!(!turned.is_sound() && !lost.is_sound());
    }
}
