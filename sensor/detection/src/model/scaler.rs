//! Puts features on one scale for the models that measure distances.
//! Fitted on training rows only; applied without allocation.

use serde::{Deserialize, Serialize};

use super::{Error, MAX_FEATURES};

/// Standard deviations beyond which a value counts no further: one unseen extreme must not decide alone.
const REACH: f32 = 8.0;

/// Mean and deviation per feature, some after `ln(1 + x)`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Scaler {
    log: Vec<bool>,
    #[serde(with = "super::packed")]
    mean: Vec<f32>,
    #[serde(with = "super::packed")]
    deviation: Vec<f32>,
}

/// One scaled row; what is beyond the features stays zero.
pub type Scaled = [f32; MAX_FEATURES];

impl Scaler {
    /// Fits on rows of `log.len()` features; a feature that never varies scales to zero.
    pub fn fit<'a>(rows: impl Iterator<Item = &'a [f32]> + Clone, log: Vec<bool>) -> Self {
        let count = rows.clone().count().max(1) as f64;
        let (mean, deviation) = (0..log.len())
            .map(|at| {
                let value = |row: &[f32]| f64::from(shape(row.get(at), log.get(at)));
                let mean = rows.clone().map(value).sum::<f64>() / count;
                let square = |row| (value(row) - mean).powi(2);
                let variance = rows.clone().map(square).sum::<f64>() / count;
                (mean as f32, variance.sqrt() as f32)
            })
            .unzip();
        Self {
            log,
            mean,
            deviation,
        }
    }

    /// The row in standard deviations from the training mean.
    pub fn apply(&self, row: &[f32]) -> Scaled {
        let mut scaled = [0.0; MAX_FEATURES];
        let fitted = self.log.iter().zip(&self.mean).zip(&self.deviation);
        for ((out, value), ((log, mean), deviation)) in scaled.iter_mut().zip(row).zip(fitted) {
            if *deviation > 0.0 {
                let z = (shape(Some(value), Some(log)) - mean) / deviation;
                *out = z.clamp(-REACH, REACH);
            }
        }
        scaled
    }

    pub(super) fn verify(&self, features: usize) -> Result<(), Error> {
        let lengths = [self.log.len(), self.mean.len(), self.deviation.len()];
        let finite = self
            .mean
            .iter()
            .chain(&self.deviation)
            .all(|x| x.is_finite());
        if lengths != [features; 3] || !finite {
            return Err(Error::Structure(
                "the scaler does not fit the features".into(),
            ));
        }
        Ok(())
    }
}

fn shape(value: Option<&f32>, log: Option<&bool>) -> f32 {
    let value = value.copied().unwrap_or(0.0);
    if log == Some(&true) {
        value.signum() * value.abs().ln_1p()
    } else {
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn training_rows_come_out_centred_with_unit_deviation() {
        let rows: Vec<[f32; 3]> = (0..50).map(|i| [i as f32, 7.0, (i * i) as f32]).collect();
        let scaler = Scaler::fit(
            rows.iter().map(|row| row.as_slice()),
            vec![false, false, true],
        );
        for at in [0, 2] {
            let column: Vec<f32> = rows.iter().map(|row| scaler.apply(row)[at]).collect();
            let mean = column.iter().sum::<f32>() / 50.0;
            let square = column.iter().map(|z| z * z).sum::<f32>() / 50.0;
            assert!(mean.abs() < 1e-4 && (square - 1.0).abs() < 1e-3);
        }
        assert_eq!(
            scaler.apply(&[0.0, 99.0, 0.0])[1],
            0.0,
            "a constant says nothing"
        );
        assert_eq!(scaler.apply(&[1e30, 7.0, 0.0])[0], REACH);
    }
}
