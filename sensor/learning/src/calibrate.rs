//! Fits the curve from a score to a probability (Platt 1999), by Newton's method on two numbers.
//! It sees points only, never rows.

/// Rounds of Newton's method; it settles in under ten.
const ROUNDS: usize = 50;

/// Keeps the curve finite when the points can be told apart without error, in units of one point.
const RIDGE: f64 = 1e-3;

/// Slope and offset of the logistic curve that best tells the hits from the others.
///
/// Targets are softened as Platt did, so that perfect separation gives a steep curve and no infinite one.
pub fn logistic_curve(points: impl Iterator<Item = (f32, bool)>) -> (f32, f32) {
    let points: Vec<(f64, bool)> = points.map(|(x, hit)| (f64::from(x), hit)).collect();
    let hits = points.iter().filter(|(_, hit)| *hit).count() as f64;
    let misses = points.len() as f64 - hits;
    let (high, low) = ((hits + 1.0) / (hits + 2.0), 1.0 / (misses + 2.0));
    let loss = |slope: f64, offset: f64| -> f64 {
        let point = |&(x, hit): &(f64, bool)| {
            let (z, target) = (slope * x + offset, if hit { high } else { low });
            // ln(1 + e^z) without overflow.
            z.max(0.0) + (-z.abs()).exp().ln_1p() - target * z
        };
        points.iter().map(point).sum::<f64>() + RIDGE * slope * slope / 2.0
    };
    let (mut slope, mut offset) = (0.0, ((hits + 1.0) / (misses + 1.0)).ln());
    for _ in 0..ROUNDS {
        let (mut gs, mut go) = (RIDGE * slope, 0.0);
        let (mut hss, mut hso, mut hoo) = (RIDGE, 0.0, 1e-12);
        for &(x, hit) in &points {
            let p = 1.0 / (1.0 + (-slope * x - offset).exp());
            let (error, weight) = (p - if hit { high } else { low }, p * (1.0 - p));
            gs += error * x;
            go += error;
            hss += weight * x * x;
            hso += weight * x;
            hoo += weight;
        }
        let determinant = hss * hoo - hso * hso;
        if determinant <= 0.0 || gs.abs() + go.abs() < 1e-9 {
            break;
        }
        let step_slope = (hoo * gs - hso * go) / determinant;
        let step_offset = (hss * go - hso * gs) / determinant;
        let before = loss(slope, offset);
        // Half the step until it helps.
        let helps = (0..20)
            .map(|halving| 0.5f64.powi(halving))
            .find(|part| loss(slope - part * step_slope, offset - part * step_offset) < before);
        let Some(part) = helps else { break };
        slope -= part * step_slope;
        offset -= part * step_offset;
    }
    (slope as f32, offset as f32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    #[test]
    fn the_curve_that_made_the_points_is_found_again() {
        let mut random = Random::new(4, 4);
        let points: Vec<(f32, bool)> = (0..40_000)
            .map(|_| {
                let x = random.unit() * 8.0 - 4.0;
                let p = 1.0 / (1.0 + (-1.5 * x + 0.7).exp());
                (x as f32, random.unit() < p)
            })
            .collect();
        let (slope, offset) = logistic_curve(points.into_iter());
        assert!((slope - 1.5).abs() < 0.06 && (offset + 0.7).abs() < 0.06);
    }

    #[test]
    fn perfect_separation_and_one_side_only_stay_finite() {
        let apart = (-50..50).map(|x| (x as f32, x >= 0));
        let (slope, offset) = logistic_curve(apart);
        assert!(slope > 0.1 && slope.is_finite() && offset.is_finite());
        let (slope, offset) = logistic_curve((0..9).map(|x| (x as f32, false)));
        assert!(slope.is_finite() && offset < 0.0);
    }
}
