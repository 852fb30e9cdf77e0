//! `garita check`: whether the sensor could start, and what to do where it could not.
//! It changes nothing.

use std::io::{self, Write};
use std::path::Path;

use anyhow::Result;
use sensor::config::{Config, DEFAULT_FILE};
use sensor::features::SCHEMA;
use sensor::model::Named;

use super::table::Table;

/// Something is not as it should be; what, has been printed.
#[derive(Debug, thiserror::Error)]
#[error("{failed} of {checked} checks failed")]
pub struct Failed {
    failed: usize,
    checked: usize,
    /// Whether the configuration is among it.
    pub configuration: bool,
}

/// Checks everything and prints a line each.
pub fn run(file: Option<&Path>) -> Result<()> {
    let config = Config::load(file);
    let mut findings = vec![("configuration", configuration(file, &config))];
    if let Ok(config) = &config {
        findings.push(("model", model(config)));
    }
    let mut table = Table::new(["", "CHECKED", "FOUND"]);
    for (name, finding) in &findings {
        let (word, text) = match finding {
            Ok(text) => ("ok", text),
            Err(text) => ("FAILED", text),
        };
        table.push([word, name, text].map(str::to_owned));
    }
    write!(io::stdout().lock(), "{table}")?;
    match findings.iter().filter(|(_, found)| found.is_err()).count() {
        0 => Ok(()),
        failed => Err(Failed {
            failed,
            checked: findings.len(),
            configuration: config.is_err(),
        }
        .into()),
    }
}

/// What was found, or what is wrong and how to mend it.
type Finding = std::result::Result<String, String>;

fn configuration(
    file: Option<&Path>,
    config: &std::result::Result<Config, sensor::config::Error>,
) -> Finding {
    if let Err(error) = config {
        return Err(format!(
            "{error}; correct it, or leave the setting out to have its default"
        ));
    }
    let default = Path::new(DEFAULT_FILE);
    let used = file.or_else(|| default.exists().then_some(default));
    Ok(used.map_or_else(
        || format!("the defaults: there is no {DEFAULT_FILE}"),
        |path| path.display().to_string(),
    ))
}

fn model(config: &Config) -> Finding {
    let path = config.model.path.get().map(|path| &**path);
    let Named { name, model } = Named::load(path, &SCHEMA).map_err(|error| {
        let sentence = super::sentence(&error.into());
        format!("{sentence}; train one with `garita train`, or unset model.path to use the one inside the program")
    })?;
    let content = model.content();
    let from = &content.provenance;
    Ok(format!(
        "{name}, {} on {} features, trained on {} with {} snapshots from {} captures, SHA-256 {}",
        content.algorithm,
        content.features.len(),
        from.date,
        from.rows,
        from.captures,
        model.sha256(),
    ))
}
