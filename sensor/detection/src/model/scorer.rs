//! What a model answers with, whichever algorithm made it.

use serde::{Deserialize, Serialize};

use super::{Error, Forest, Linear, MAX_FEATURES, Machines, Neighbours, Scaled, Scaler, Score};
use contract::class::Class;

/// A share or vote for each class position of a model; positions beyond its classes stay zero.
pub(super) type Shares = [f32; Class::ALL.len()];

/// A fitted algorithm.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scorer {
    /// Trees, one vote each.
    Forest(Forest),
    /// Multinomial logistic regression on scaled features.
    Logistic(Scaler, Linear),
    /// Support vector machines on scaled features, one class against the rest.
    Svm(Scaler, Machines),
    /// Nearest neighbours among scaled training rows.
    Knn(Scaler, Neighbours),
}

impl Scorer {
    /// Share of each of `classes` for one row; does not allocate.
    pub fn score(&self, row: &[f32], classes: &[Class]) -> Score {
        let shares = match self {
            Self::Forest(forest) => forest.shares(row),
            Self::Logistic(scaler, ..) | Self::Svm(scaler, _) | Self::Knn(scaler, _) => {
                self.scaled_shares(&scaler.apply(row))
            }
        };
        Score::new(classes, &shares)
    }

    /// Adds to `weights` what each feature did to the attack share.
    ///
    /// A forest's paths say it; for the others it is what the share loses when the feature is put to its training mean.
    pub(super) fn contribute(&self, row: &[f32], classes: &[Class], weights: &mut Scaled) {
        let scaler = match self {
            Self::Forest(forest) => return forest.contribute(row, &attacks(classes), weights),
            Self::Logistic(scaler, ..) | Self::Svm(scaler, _) | Self::Knn(scaler, _) => scaler,
        };
        let mut scaled = scaler.apply(row);
        let whole = Score::new(classes, &self.scaled_shares(&scaled)).attack();
        for feature in 0..row.len().min(MAX_FEATURES) {
            let kept = std::mem::take(&mut scaled[feature]);
            if kept != 0.0 {
                let without = Score::new(classes, &self.scaled_shares(&scaled)).attack();
                weights[feature] += whole - without;
            }
            scaled[feature] = kept;
        }
    }

    pub(super) fn verify(&self, features: usize, classes: usize) -> Result<(), Error> {
        match self {
            Self::Forest(forest) => return forest.verify(features, classes),
            Self::Logistic(scaler, linear) => {
                scaler.verify(features)?;
                linear.verify(features, classes)
            }
            Self::Svm(scaler, machines) => {
                scaler.verify(features)?;
                machines.verify(features, classes)
            }
            Self::Knn(scaler, neighbours) => {
                scaler.verify(features)?;
                neighbours.verify(features, classes)
            }
        }
        .then_some(())
        .ok_or_else(|| Error::Structure("its arrays do not fit each other".into()))
    }

    fn scaled_shares(&self, scaled: &Scaled) -> Shares {
        match self {
            Self::Forest(_) => Shares::default(),
            Self::Logistic(_, linear) => linear.shares(scaled),
            Self::Svm(_, machines) => machines.shares(scaled),
            Self::Knn(_, neighbours) => neighbours.shares(scaled),
        }
    }
}

fn attacks(classes: &[Class]) -> [bool; Class::ALL.len()] {
    let mut attacks = [false; Class::ALL.len()];
    for (attack, class) in attacks.iter_mut().zip(classes) {
        *attack = class.is_attack();
    }
    attacks
}
