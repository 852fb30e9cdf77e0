//! The learned model: loaded and checked whole, then scoring and explaining snapshots.
//! It never trains, never reads a clock, and a model that fails any check is not used in part.

mod calibration;
mod error;
mod file;
mod forest;
mod linear;
mod load;
mod machines;
mod neighbours;
mod packed;
mod scaler;
mod score;
mod scorer;
pub mod signature;

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

pub use calibration::Calibration;
pub use error::Error;
pub use file::{FORMAT, MAX_BYTES};
pub use forest::{Forest, Node};
pub use linear::Linear;
pub use load::{LoadError, Named};
pub use machines::{Machine, Machines};
pub use neighbours::{MAX_ASKED, Neighbours};
pub use scaler::{Scaled, Scaler};
pub use score::{Contribution, Score};
pub use scorer::Scorer;

use contract::class::Class;
use contract::printable::hex;

/// The most features a model may ask for; rows in scaled models live on the stack.
pub const MAX_FEATURES: usize = 128;

/// How far a self-test may drift: exponentials differ in the last places between machines, votes do not.
const SELF_TEST_TOLERANCE: f32 = 1e-3;

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

#[cfg(test)]
mod tests;
