//! Support vector machines with a Gaussian kernel, as fitted: one class against the rest, over shared support vectors.

use serde::{Deserialize, Serialize};

use super::Scaled;
use super::scorer::Shares;
use contract::class::Class;

/// One machine a class; a machine's margin becomes a share by its own logistic curve.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Machines {
    width: u32,
    gamma: f32,
    /// Scaled rows that support some machine, one after the other.
    #[serde(with = "super::packed")]
    vectors: Vec<f32>,
    /// For each vector, its weight in each machine.
    #[serde(with = "super::packed")]
    weights: Vec<f32>,
    machines: Vec<Machine>,
}

/// What one machine adds to the kernel sums.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    /// Added to the margin.
    pub intercept: f32,
    /// Slope of the curve from margin to share.
    pub slope: f32,
    /// Offset of the curve from margin to share.
    pub offset: f32,
}

impl Machines {
    /// Machines without support vectors over `width` features.
    pub fn new(width: usize, gamma: f32, machines: Vec<Machine>) -> Self {
        Self {
            width: width as u32,
            gamma,
            vectors: Vec::new(),
            weights: Vec::new(),
            machines,
        }
    }

    /// Adds a support vector with its weight in each machine.
    pub fn support(&mut self, vector: &[f32], weights: &[f32]) {
        self.vectors.extend(vector);
        self.weights.extend(weights);
    }

    /// How far a scaled row is on each machine's side of its boundary.
    pub fn margins(&self, scaled: &[f32]) -> [f32; Class::ALL.len()] {
        let mut margins = Shares::default();
        for (margin, machine) in margins.iter_mut().zip(&self.machines) {
            *margin = machine.intercept;
        }
        let vectors = self.vectors.chunks(self.width.max(1) as usize);
        for (vector, weights) in vectors.zip(self.weights.chunks(self.machines.len().max(1))) {
            let kernel = (-self.gamma * distance(vector, scaled)).exp();
            for (margin, weight) in margins.iter_mut().zip(weights) {
                *margin += weight * kernel;
            }
        }
        margins
    }

    /// The machines, by class position.
    pub fn machines_mut(&mut self) -> &mut [Machine] {
        &mut self.machines
    }

    pub(super) fn shares(&self, scaled: &Scaled) -> Shares {
        let mut shares = Shares::default();
        let margins = self.margins(scaled);
        for (share, (margin, machine)) in
            (shares.iter_mut()).zip(margins.into_iter().zip(&self.machines))
        {
            *share = 1.0 / (1.0 + (-machine.slope * margin - machine.offset).exp());
        }
        // A row no machine wants still gets shares: f32's exp never yields all zeros below a margin of 80.
        let total = shares.iter().sum::<f32>().max(f32::MIN_POSITIVE);
        shares.iter_mut().for_each(|share| *share /= total);
        shares
    }

    pub(super) fn verify(&self, features: usize, classes: usize) -> bool {
        let vectors = self.vectors.len() / features.max(1);
        let curves = self
            .machines
            .iter()
            .flat_map(|m| [m.intercept, m.slope, m.offset]);
        self.width as usize == features
            && features > 0
            && self.gamma > 0.0
            && self.vectors.len() == vectors * features
            && self.weights.len() == vectors * classes
            && self.machines.len() == classes
            && (self.vectors.iter().chain(&self.weights).copied())
                .chain(curves)
                .chain([self.gamma])
                .all(f32::is_finite)
    }
}

/// Squared Euclidean distance.
pub(super) fn distance(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum()
}
