//! One answer of a model: how much of it each class has, and which features moved it.

use super::scorer::Shares;
use contract::class::Class;

/// Share of each class in one answer; sums to one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Score {
    shares: Shares,
}

/// What one feature did to the attack share of one answer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Contribution {
    /// Position in the feature list.
    pub feature: usize,
    /// The feature's value.
    pub value: f32,
    /// Change of the attack share; positive speaks for an attack.
    pub weight: f32,
}

impl Score {
    /// Shares by position, as a model's classes name them.
    pub(super) fn new(classes: &[Class], by_position: &Shares) -> Self {
        let mut shares = Shares::default();
        for (class, share) in classes.iter().zip(by_position) {
            shares[class.index()] = *share;
        }
        Self { shares }
    }

    /// All of it on one class.
    pub fn sure(class: Class) -> Self {
        Self::between(class, 1.0)
    }

    /// This share on an attack, the rest benign.
    pub fn between(attack: Class, share: f32) -> Self {
        let mut shares = Shares::default();
        shares[Class::Benign.index()] = 1.0 - share;
        shares[attack.index()] += share;
        Self { shares }
    }

    /// Share of one class, 0 to 1.
    pub fn share(&self, class: Class) -> f32 {
        self.shares[class.index()]
    }

    /// Share of everything but benign.
    pub fn attack(&self) -> f32 {
        1.0 - self.share(Class::Benign)
    }

    /// The class with the largest share, the earlier one on a tie.
    pub fn top(&self) -> Class {
        self.best(&Class::ALL)
    }

    /// The attack with the largest share, the earlier one on a tie.
    pub fn top_attack(&self) -> Class {
        self.best(&Class::ALL[1..])
    }

    fn best(&self, classes: &[Class]) -> Class {
        let first = classes.first().copied().unwrap_or(Class::Benign);
        classes.iter().fold(first, |best, &class| {
            if self.share(class) > self.share(best) {
                class
            } else {
                best
            }
        })
    }
}
