//! Makes models: labelled snapshots in, a checked model out, and the numbers that tell what it is worth.
//! It reads no capture and no clock; the same rows, settings and seed give the same bytes.

mod calibrate;
pub mod dataset;
mod figures;
mod finish;
mod folds;
mod forest;
pub mod labels;
mod metrics;
mod parallel;
pub mod random;
pub mod report_folder;
mod scaled;
mod simulate;
mod smote;
#[cfg(test)]
mod synthetic;
mod task;
mod train;
mod unseen;

pub use calibrate::logistic_curve;
pub use dataset::{Capture, Dataset, Pool, Sample, Sampling};
pub use folds::{Fold, Grouping, folds};
pub use forest::ForestSettings;
pub use metrics::{Bin, ClassMetrics, Metrics, called};
pub use parallel::parallel;
pub use scaled::ScaledSettings;
pub use simulate::{
    Blocked, Judged, Rule, Track, Truth, choose_bias, evidence_rule, simulate, tracks,
};
pub use smote::Smote;
use task::Task;
pub use train::{Fitted, Settings, Trained, Trainer};
pub use unseen::Unseen;

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
    /// Nothing to tell apart.
    #[error("the rows to learn from hold no attack, or nothing benign")]
    OneClass,
    /// The finished model fails its own checks.
    #[error("the trained model is refused: {0}")]
    Model(#[source] detection::model::Error),
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

impl Progress {
    /// This progress as the `width` parts from `first` on, of `parts` that cost the same.
    fn part(self, first: usize, width: usize, parts: usize) -> Self {
        Self {
            done: first * self.total + width * self.done,
            total: parts * self.total,
        }
    }
}

/// Called as a fit goes on, from any thread.
pub type Watch<'a> = dyn Fn(Progress) + Sync + 'a;
