//! Which model scores: the one inside the program, or a file that takes its place.
//! The only file of the model that reads another.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Error, MAX_BYTES, Model, Schema};

/// The model inside the program, as a file.
const SHIPPED: &[u8] = include_bytes!("../../../config/model.garita");

/// What the model inside the program is called in incidents.
const SHIPPED_NAME: &str = "shipped";

/// A model that passed its checks, and what it is called.
#[derive(Clone, Debug)]
pub struct Named {
    /// The name of its file, or `shipped`.
    pub name: String,
    /// The model.
    pub model: Arc<Model>,
}

/// Why there is no model to score with.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file is missing or not ours to read.
    #[error("cannot read model {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The file was read, and is not used.
    #[error("model {name} is refused")]
    Refused {
        /// The file, or the name of the model inside the program.
        name: String,
        /// The check that failed.
        #[source]
        source: Error,
    },
}

impl Named {
    /// The model in a file, or the one inside the program where none is named.
    ///
    /// # Errors
    /// When the file cannot be read, or the model fails a check.
    pub fn load(path: Option<&Path>, schema: &Schema<'_>) -> Result<Self, LoadError> {
        let Some(path) = path else {
            return Self::check(SHIPPED, (SHIPPED_NAME, SHIPPED_NAME.to_owned()), schema);
        };
        let bytes = read(path).map_err(|source| LoadError::Read {
            path: path.to_owned(),
            source,
        })?;
        let name = path.file_name().unwrap_or(path.as_os_str());
        let names = (
            &*path.to_string_lossy(),
            name.to_string_lossy().into_owned(),
        );
        Self::check(&bytes, names, schema)
    }

    fn check(
        bytes: &[u8],
        (place, name): (&str, String),
        schema: &Schema<'_>,
    ) -> Result<Self, LoadError> {
        let model = Model::load(bytes, schema).map_err(|source| LoadError::Refused {
            name: place.to_owned(),
            source,
        })?;
        Ok(Self {
            name,
            model: Arc::new(model),
        })
    }
}

/// The file, or as much of it as shows that it is too large.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let most = MAX_BYTES as u64 + 1;
    File::open(path)?.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}
