//! `garita schema`: writes the JSON Schemas of everything that is published, for the repository and for packages.
//! It needs no configuration and touches nothing but the folder it is given.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};

/// `garita schema`
#[derive(clap::Args)]
pub struct Arguments {
    /// The folder to write into
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

/// Writes one file a schema.
pub fn run(arguments: &Arguments) -> Result<()> {
    for (path, text) in contract::schema::schemas() {
        let file = arguments.folder.join(path);
        let folder = file.parent().unwrap_or(&arguments.folder);
        let made = fs::create_dir_all(folder).and_then(|()| fs::write(&file, text));
        made.with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(())
}
