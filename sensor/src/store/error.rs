//! What can go wrong with the file, told by what was being done to it. Nothing here decides what follows.

use std::io;
use std::path::PathBuf;

/// The store could not do something.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file cannot be opened.
    #[error("cannot open {path}: {source}")]
    Open {
        /// Which.
        path: PathBuf,
        /// Why.
        source: rusqlite::Error,
    },
    /// The file can be read and not written.
    #[error("cannot write {path}: it is read-only")]
    ReadOnly {
        /// Which.
        path: PathBuf,
    },
    /// A newer program has written the file.
    #[error("{path} is of version {found}, and this program knows {known}: use the newer program")]
    Newer {
        /// Which.
        path: PathBuf,
        /// Its version.
        found: u32,
        /// The latest version this program knows.
        known: u32,
    },
    /// The tables cannot be brought up to date.
    #[error("cannot bring {path} to version {version}: {source}")]
    Migrate {
        /// Which.
        path: PathBuf,
        /// What it was to become.
        version: u32,
        /// Why.
        source: rusqlite::Error,
    },
    /// Entries cannot be written.
    #[error("cannot write {path}: {source}")]
    Write {
        /// To which file.
        path: PathBuf,
        /// Why.
        source: rusqlite::Error,
    },
    /// Something cannot be read.
    #[error("cannot read {what} from {path}: {source}")]
    Read {
        /// What.
        what: &'static str,
        /// From which file.
        path: PathBuf,
        /// Why.
        source: rusqlite::Error,
    },
    /// A corrupt file cannot be moved out of the way.
    #[error("cannot move {path} aside: {source}")]
    MoveAside {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is damaged.
    #[error("{path} is damaged: {damage}")]
    Damaged {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        damage: String,
    },
    /// The file that replaced a damaged one is damaged too.
    #[error("{path} is damaged again within a day, so its disk probably is: {damage}")]
    DamagedAgain {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        damage: String,
    },
    /// The writer's thread cannot be started.
    #[error("cannot start the thread that writes {path}: {source}")]
    Thread {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl StoreError {
    /// Whether the file's content is damaged, so that no later try can succeed.
    pub(super) fn is_corruption(&self) -> bool {
        match self {
            Self::Open { source, .. }
            | Self::Migrate { source, .. }
            | Self::Write { source, .. }
            | Self::Read { source, .. } => is_corruption(source),
            _ => false,
        }
    }
}

/// Whether SQLite says that the file is damaged or is none of its own.
pub(super) fn is_corruption(error: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
    matches!(
        error.sqlite_error_code(),
        Some(DatabaseCorrupt | NotADatabase)
    )
}

/// Whether this one entry can never be written, whatever becomes of the file.
pub(super) fn is_of_the_entry(error: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode::{ConstraintViolation, TooBig, TypeMismatch};
    matches!(
        error,
        rusqlite::Error::ToSqlConversionFailure(_)
            | rusqlite::Error::FromSqlConversionFailure(..)
            | rusqlite::Error::IntegralValueOutOfRange(..)
    ) || matches!(
        error.sqlite_error_code(),
        Some(ConstraintViolation | TooBig | TypeMismatch)
    )
}
