//! Multinomial logistic regression, as fitted: one weighted sum a class, then softmax.

use serde::{Deserialize, Serialize};

use super::Scaled;
use super::scorer::Shares;

/// Weights of each class, on scaled features.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Linear {
    width: u32,
    /// Row by row, one row a class.
    #[serde(with = "super::packed")]
    weights: Vec<f32>,
    #[serde(with = "super::packed")]
    intercepts: Vec<f32>,
}

impl Linear {
    /// From one row of `width` weights and one intercept a class.
    pub fn new(width: usize, weights: Vec<f32>, intercepts: Vec<f32>) -> Self {
        Self {
            width: width as u32,
            weights,
            intercepts,
        }
    }

    pub(super) fn shares(&self, scaled: &Scaled) -> Shares {
        let mut shares = Shares::default();
        let rows = self.weights.chunks(self.width.max(1) as usize);
        let fitted = rows.zip(&self.intercepts);
        for (share, (row, intercept)) in shares.iter_mut().zip(fitted) {
            *share = intercept + row.iter().zip(scaled).map(|(w, x)| w * x).sum::<f32>();
        }
        let classes = self.intercepts.len().min(shares.len());
        softmax(&mut shares[..classes]);
        shares
    }

    pub(super) fn verify(&self, features: usize, classes: usize) -> bool {
        self.width as usize == features
            && self.weights.len() == features * classes
            && self.intercepts.len() == classes
            && (self.weights.iter().chain(&self.intercepts)).all(|x| x.is_finite())
    }
}

fn softmax(sums: &mut [f32]) {
    let top = sums.iter().copied().fold(f32::MIN, f32::max);
    sums.iter_mut().for_each(|sum| *sum = (*sum - top).exp());
    let total: f32 = sums.iter().sum();
    sums.iter_mut().for_each(|sum| *sum /= total);
}
