//! The learned model: loaded and checked whole, then scoring and explaining snapshots.
//! It never trains, never reads a clock, and a model that fails any check is not used in part.

mod calibration;
mod file;
mod forest;
mod packed;
mod scaler;

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

pub use calibration::Calibration;
pub use file::{FORMAT, MAX_BYTES};
pub use forest::{Forest, Node};
pub use scaler::{Scaled, Scaler};

use crate::class::Class;

/// The most features a model may ask for; rows in scaled models live on the stack.
pub const MAX_FEATURES: usize = 128;

/// How far a self-test may drift: exponentials differ in the last places between machines, votes do not.
const SELF_TEST_TOLERANCE: f32 = 1e-3;

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

/// The features a program computes, as a model must have been trained on them.
#[derive(Clone, Copy, Debug)]
pub struct Schema<'a> {
    /// Names, in order.
    pub names: &'a [&'a str],
    /// Raised whenever a feature changes its meaning under the same name.
    pub revision: u32,
}

/// How a model was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Algorithm {
    /// Random forest.
    Forest,
    /// Support vector machines, one class against the rest.
    Svm,
    /// Nearest neighbours.
    Knn,
    /// Multinomial logistic regression.
    Logistic,
}

/// Where a model comes from.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Provenance {
    /// Date of training, as the caller gives it.
    pub date: String,
    /// Sources of the training captures.
    pub sources: Vec<String>,
    /// Captures trained on.
    pub captures: u32,
    /// Snapshots trained on, after caps.
    pub rows: u32,
    /// Seed of every random choice.
    pub seed: u64,
    /// What else a reader should know, such as parameters and measured numbers.
    pub notes: String,
}

/// One row and what the model said of it when it was trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SelfTest {
    /// Features.
    #[serde(with = "packed")]
    pub row: Vec<f32>,
    /// Share per class of the model.
    #[serde(with = "packed")]
    pub shares: Vec<f32>,
}

/// What votes, by algorithm.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Scorer {
    /// Trees.
    Forest(Forest),
}

/// A model that passed every check.
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    content: Content,
    sha256: String,
}

/// All a model file says, before it is checked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Content {
    /// How it was made.
    pub algorithm: Algorithm,
    /// Classes it tells apart, in their fixed order, benign first.
    pub classes: Vec<Class>,
    /// Feature names, in order.
    pub features: Vec<String>,
    /// Hash of the feature list and its revision.
    pub schema: String,
    /// From shares to evidence.
    pub calibration: Calibration,
    /// Where it comes from.
    pub provenance: Provenance,
    /// What votes.
    pub scorer: Scorer,
    /// Rows with known answers.
    pub self_tests: Vec<SelfTest>,
}

/// Share of each class in one answer; sums to one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Score {
    shares: [f32; Class::ALL.len()],
}

/// What one feature did to the attack share of one answer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Contribution {
    /// Position in the feature list.
    pub feature: usize,
    /// The feature's value.
    pub value: f32,
    /// Change of the attack share; positive speaks for an attack.
    pub weight: f32,
}

impl Schema<'_> {
    /// Hash of names and revision, 16 hexadecimal digits.
    pub fn hash(&self) -> String {
        let text = format!("{}\n{}", self.revision, self.names.join("\n"));
        hex(&Sha256::digest(text.as_bytes()))
            .chars()
            .take(16)
            .collect()
    }
}

impl Score {
    /// All of it on one class.
    pub fn sure(class: Class) -> Self {
        let mut shares = [0.0; Class::ALL.len()];
        shares[class.index()] = 1.0;
        Self { shares }
    }

    /// Share of one class, 0 to 1.
    pub fn share(&self, class: Class) -> f32 {
        self.shares[class.index()]
    }

    /// Share of everything but benign.
    pub fn attack(&self) -> f32 {
        1.0 - self.share(Class::Benign)
    }

    /// The class with the largest share, the earlier one on a tie.
    pub fn top(&self) -> Class {
        self.best(&Class::ALL)
    }

    /// The attack with the largest share, the earlier one on a tie.
    pub fn top_attack(&self) -> Class {
        self.best(&Class::ALL[1..])
    }

    fn best(&self, classes: &[Class]) -> Class {
        let first = classes.first().copied().unwrap_or(Class::Benign);
        classes.iter().fold(first, |best, &class| {
            if self.share(class) > self.share(best) {
                class
            } else {
                best
            }
        })
    }
}

impl Model {
    /// Checks everything a loaded model is checked for.
    ///
    /// # Errors
    /// The first check that fails.
    pub fn new(content: Content, schema: &Schema<'_>) -> Result<Self, Error> {
        let payload = file::encode(&content)?;
        Self::checked(content, schema, hex(&Sha256::digest(&payload)))
    }

    /// Reads a model file, refusing whatever differs from what was written or from this program's features.
    ///
    /// # Errors
    /// The first check that fails.
    pub fn load(bytes: &[u8], schema: &Schema<'_>) -> Result<Self, Error> {
        let payload = file::open(bytes)?;
        let sha256 = hex(&Sha256::digest(payload));
        Self::checked(file::decode(payload)?, schema, sha256)
    }

    /// The model as a file; the same model gives the same bytes.
    ///
    /// # Errors
    /// When it would be larger than [`Model::load`] accepts.
    pub fn save(&self) -> Result<Vec<u8>, Error> {
        file::seal(&file::encode(&self.content)?)
    }

    /// What the model says of itself.
    pub fn content(&self) -> &Content {
        &self.content
    }

    /// From shares to evidence.
    pub fn calibration(&self) -> &Calibration {
        &self.content.calibration
    }

    /// SHA-256 of the content, in hexadecimal: the model's name in incidents.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// Share of each class for one row of features; does not allocate.
    pub fn score(&self, row: &[f32]) -> Score {
        self.content.scorer.score(row, &self.content.classes)
    }

    /// The `top` features that moved the attack share most, largest first.
    pub fn explain(&self, row: &[f32], top: usize) -> Vec<Contribution> {
        let mut weights = [0.0; MAX_FEATURES];
        self.content
            .scorer
            .contribute(row, &self.content.classes, &mut weights);
        let mut all: Vec<Contribution> = (row.iter().zip(weights))
            .enumerate()
            .filter(|(_, (_, weight))| *weight != 0.0)
            .map(|(feature, (&value, weight))| Contribution {
                feature,
                value,
                weight,
            })
            .collect();
        all.sort_by(|a, b| {
            (b.weight.abs().total_cmp(&a.weight.abs())).then(a.feature.cmp(&b.feature))
        });
        all.truncate(top);
        all
    }

    fn checked(content: Content, schema: &Schema<'_>, sha256: String) -> Result<Self, Error> {
        check_features(&content, schema)?;
        let ordered = content.classes.is_sorted_by(|a, b| a < b);
        if !ordered || content.classes.len() < 2 || content.classes.first() != Some(&Class::Benign)
        {
            return Err(Error::Classes);
        }
        if !content.calibration.is_sound() {
            return Err(Error::Calibration);
        }
        let (features, classes) = (content.features.len(), content.classes.len());
        content.scorer.verify(features, classes)?;
        let model = Self { content, sha256 };
        for (number, test) in model.content.self_tests.iter().enumerate() {
            if !model.agrees(test) {
                return Err(Error::SelfTest { number });
            }
        }
        Ok(model)
    }

    fn agrees(&self, test: &SelfTest) -> bool {
        let score = self.score(&test.row);
        test.shares.len() == self.content.classes.len()
            && (self.content.classes.iter().zip(&test.shares)).all(|(class, expected)| {
                (score.share(*class) - expected).abs() <= SELF_TEST_TOLERANCE
            })
    }
}

impl Scorer {
    /// Share of each of `classes` for one row.
    pub fn score(&self, row: &[f32], classes: &[Class]) -> Score {
        let mut shares = [0.0; Class::ALL.len()];
        match self {
            Self::Forest(forest) => {
                let mut votes = [0u32; Class::ALL.len()];
                for vote in forest.votes(row) {
                    if let Some(count) = votes.get_mut(usize::from(vote)) {
                        *count += 1;
                    }
                }
                for (class, count) in classes.iter().zip(votes) {
                    shares[class.index()] = count as f32 / forest.trees() as f32;
                }
            }
        }
        Score { shares }
    }

    fn contribute(&self, row: &[f32], classes: &[Class], weights: &mut [f32]) {
        match self {
            Self::Forest(forest) => {
                let mut attack = [false; Class::ALL.len()];
                for (flag, class) in attack.iter_mut().zip(classes) {
                    *flag = class.is_attack();
                }
                forest.contribute(row, &attack, weights);
            }
        }
    }

    fn verify(&self, features: usize, classes: usize) -> Result<(), Error> {
        match self {
            Self::Forest(forest) => forest.verify(features, classes),
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Forest => "forest",
            Self::Svm => "svm",
            Self::Knn => "knn",
            Self::Logistic => "logistic",
        })
    }
}

fn check_features(content: &Content, schema: &Schema<'_>) -> Result<(), Error> {
    let longest = content.features.len().max(schema.names.len());
    for position in 0..longest {
        let found = content.features.get(position).map(String::as_str);
        let expected = schema.names.get(position).copied();
        if found != expected {
            return Err(Error::Feature {
                position,
                found: name_or_nothing(found),
                expected: name_or_nothing(expected),
            });
        }
    }
    if content.features.len() > MAX_FEATURES {
        return Err(Error::Structure("it has too many features".into()));
    }
    let expected = schema.hash();
    if content.schema != expected {
        return Err(Error::Schema {
            found: content.schema.clone(),
            expected,
        });
    }
    Ok(())
}

fn name_or_nothing(name: Option<&str>) -> String {
    name.map_or("missing".to_owned(), |name| format!("{name:?}"))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests;
