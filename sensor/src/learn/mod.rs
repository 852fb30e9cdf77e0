//! Makes models: labelled snapshots in, a checked model out, and the numbers that tell what it is worth.
//! It reads no capture and no clock; the same rows, settings and seed give the same bytes.

mod calibrate;
pub mod dataset;
mod folds;
mod forest;
pub mod labels;
pub mod random;
mod scaled;
mod simulate;
#[cfg(test)]
mod synthetic;
mod task;

pub use calibrate::logistic_curve;
pub use dataset::{Capture, Dataset, Pool, Sample, Sampling};
pub use folds::{Fold, Grouping, folds};
pub use forest::ForestSettings;
pub use scaled::ScaledSettings;
pub use simulate::{
    Blocked, Judged, Rule, Track, Truth, choose_bias, evidence_rule, simulate, tracks,
};
use task::Task;

/// Why a model could not be made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// smartcore refused the rows.
    #[error("the model cannot be fitted: {0}")]
    Fit(#[source] smartcore::error::Failed),
    /// smartcore's fitted model has not the form we copy from.
    #[error("the fitted model cannot be exported: {0}")]
    Export(String),
    /// The copy answers differently from the original.
    #[error("tree {tree} answers differently from the one smartcore fitted")]
    Disagrees {
        /// Number of the tree.
        tree: usize,
    },
    /// A thread ended early.
    #[error("a training thread stopped before its work was done")]
    Stopped,
}

/// How far a fit has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Parts done.
    pub done: usize,
    /// Parts in all.
    pub total: usize,
}

/// Called as a fit goes on, from any thread.
pub type Watch<'a> = dyn Fn(Progress) + Sync + 'a;
