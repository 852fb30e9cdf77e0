//! Makes models: labelled snapshots in, a checked model out, and the numbers that tell what it is worth.
//! It reads no capture and no clock; the same rows, settings and seed give the same bytes.

pub mod dataset;
mod forest;
pub mod random;
#[cfg(test)]
mod synthetic;

pub use dataset::{Capture, Dataset, Pool, Sample, Sampling};
pub use forest::ForestSettings;

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
