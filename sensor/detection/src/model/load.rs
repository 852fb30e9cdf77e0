//! Which model scores: the one inside the program, or a file that takes its place.
//! The only file of the model that reads another.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::signature::{beside, is_signed};
use super::{Error, MAX_BYTES, Model, Schema};

/// The model inside the program, as a file.
const SHIPPED: &[u8] = include_bytes!("../../../../config/model.garita");

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
    /// The configuration asks for a signature, and there is none.
    #[error("model {} is refused: model.keys asks for its signature, and {} cannot be read", path.display(), beside(path).display())]
    Unsigned {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// What stands beside the file is no signature of it by anybody trusted.
    #[error("model {} is refused: {} is not its signature by any of model.keys", path.display(), beside(path).display())]
    Distrusted {
        /// The file.
        path: PathBuf,
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
    /// The model that somebody names, or else the configured one, or else the one inside the program.
    ///
    /// # Errors
    /// When the file cannot be read, the configured one is not signed as it should be, or the model fails a check.
    pub fn load(
        named: Option<&Path>,
        settings: &settings::Model,
        schema: &Schema<'_>,
    ) -> Result<Self, LoadError> {
        match (named, settings.path.get()) {
            (Some(path), _) => Self::from_file(path, &[], schema),
            (None, Some(path)) => Self::from_file(path, &settings.keys, schema),
            (None, None) => Self::check(SHIPPED, (SHIPPED_NAME, SHIPPED_NAME.to_owned()), schema),
        }
    }

    fn from_file(
        path: &Path,
        keys: &[settings::PublicKey],
        schema: &Schema<'_>,
    ) -> Result<Self, LoadError> {
        let bytes = read(path).map_err(|source| LoadError::Read {
            path: path.to_owned(),
            source,
        })?;
        if !keys.is_empty() {
            let path = path.to_owned();
            match fs::read_to_string(beside(&path)) {
                Err(source) => return Err(LoadError::Unsigned { path, source }),
                Ok(text) if is_signed(&bytes, &text, keys) => {}
                Ok(_) => return Err(LoadError::Distrusted { path }),
            }
        }
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
