//! Why a model was refused or could not be written, one sentence each.

use super::file::{FORMAT, MAX_BYTES};

/// Why a model was refused or could not be written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// More bytes than any model of ours.
    #[error("the model has {found} bytes, more than the {MAX_BYTES} allowed")]
    TooLarge {
        /// Bytes given.
        found: usize,
    },
    /// The first bytes are not ours.
    #[error("this is not a Garita model")]
    NotAModel,
    /// Written by a newer or older program.
    #[error("the model has file format {found}, this program reads {FORMAT}")]
    Format {
        /// Format in the file.
        found: u16,
    },
    /// The hash in the file is not that of its content.
    #[error("the model was changed or damaged: its SHA-256 does not match its content")]
    Tampered,
    /// The content is not what the format says.
    #[error("the model's content cannot be read: {0}")]
    Decode(#[source] ciborium::de::Error<std::io::Error>),
    /// The model could not be written.
    #[error("the model cannot be written: {0}")]
    Encode(#[source] ciborium::ser::Error<std::io::Error>),
    /// The first feature that differs from this program's list.
    #[error("feature {position} of the model is {found}, of this program {expected}")]
    Feature {
        /// Position in the list, from 0.
        position: usize,
        /// Name in the model.
        found: String,
        /// Name in this program.
        expected: String,
    },
    /// Same names, other meaning.
    #[error("the model was trained with feature schema {found}, this program has {expected}")]
    Schema {
        /// Hash in the model.
        found: String,
        /// Hash in this program.
        expected: String,
    },
    /// The classes are not in order, or benign is missing.
    #[error("the model's classes are not benign and attacks in their fixed order")]
    Classes,
    /// The calibration holds a number out of range.
    #[error("the model's calibration holds a number that is out of range")]
    Calibration,
    /// The scorer is not well formed.
    #[error("the model is not well formed: {0}")]
    Structure(String),
    /// The model does not answer its own test vectors as it did when it was written.
    #[error("the model's self-test {number} gives another answer than when it was trained")]
    SelfTest {
        /// Which test, from 0.
        number: usize,
    },
}
