//! Nearest neighbours: the training rows kept, and how near they are decides.

use serde::{Deserialize, Serialize};

use super::Scaled;
use super::machines::distance;
use super::scorer::Shares;

/// The most neighbours a model may ask.
pub const MAX_ASKED: usize = 32;

/// Scaled training rows with their classes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Neighbours {
    width: u32,
    asked: u32,
    /// Rows, one after the other.
    #[serde(with = "super::packed")]
    rows: Vec<f32>,
    /// Class position of each row.
    classes: Vec<u8>,
}

impl Neighbours {
    /// Will ask this many of the rows it is given.
    pub fn new(width: usize, asked: usize) -> Self {
        Self {
            width: width as u32,
            asked: asked as u32,
            rows: Vec::new(),
            classes: Vec::new(),
        }
    }

    /// Adds a row with its class position.
    pub fn add(&mut self, row: &[f32], class: u8) {
        self.rows.extend(row);
        self.classes.push(class);
    }

    /// Each class's share of the asked neighbours, weighted by one over distance; an exact hit outweighs all others.
    pub(super) fn shares(&self, scaled: &Scaled) -> Shares {
        let asked = (self.asked as usize).clamp(1, MAX_ASKED);
        let mut nearest = [(f32::INFINITY, 0u8); MAX_ASKED];
        for (row, &class) in (self.rows.chunks(self.width.max(1) as usize)).zip(&self.classes) {
            let distance = distance(row, scaled);
            if distance < nearest[asked - 1].0 {
                let place = nearest[..asked].partition_point(|(near, _)| *near <= distance);
                nearest[place..asked].rotate_right(1);
                nearest[place] = (distance, class);
            }
        }
        let exact = nearest[0].0 == 0.0;
        let mut shares = Shares::default();
        for (distance, class) in &nearest[..asked] {
            let weight = match (exact, *distance == 0.0) {
                (true, hit) => f32::from(u8::from(hit)),
                (false, _) => 1.0 / distance.sqrt(),
            };
            if let Some(share) = shares.get_mut(usize::from(*class)) {
                *share += weight;
            }
        }
        let total = shares.iter().sum::<f32>().max(f32::MIN_POSITIVE);
        shares.iter_mut().for_each(|share| *share /= total);
        shares
    }

    pub(super) fn verify(&self, features: usize, classes: usize) -> bool {
        self.width as usize == features
            && features > 0
            && (1..=MAX_ASKED).contains(&(self.asked as usize))
            && self.classes.len() >= self.asked as usize
            && self.rows.len() == self.classes.len() * features
            && self.rows.iter().all(|x| x.is_finite())
            && self
                .classes
                .iter()
                .all(|&class| usize::from(class) < classes)
    }
}
