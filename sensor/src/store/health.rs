//! How the store is doing, as `status`, the metrics and the conditions tell it. Nothing here mends it.

use std::collections::BTreeMap;

use super::entry::Kind;
use contract::timestamp::Timestamp;

/// How the store is doing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Health {
    /// Whether entries reach the disk.
    pub state: State,
    /// A file that was damaged and has been moved aside in this run, in a sentence.
    pub replaced: Option<String>,
    /// Entries that wait to be written.
    pub waiting: usize,
    /// Their memory.
    pub waiting_bytes: usize,
    /// Entries given up because too many waited, or because they could never be written.
    pub lost: BTreeMap<Kind, u64>,
    /// Size of the file with its log.
    pub file_bytes: u64,
    /// Transactions committed since the program began.
    pub commits: u64,
}

/// Whether entries reach the disk.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum State {
    /// They do.
    #[default]
    Ok,
    /// They wait, and it is tried again and again.
    Failing {
        /// Since when.
        since: Timestamp,
        /// What is wrong, in a sentence.
        why: String,
    },
}
