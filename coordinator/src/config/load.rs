//! Defaults, under a TOML file, under the environment. What is wrong is one sentence that names file, key and value.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use config::{Environment, File, FileFormat, Value, ValueKind};

use super::Config;

/// The file that is read where none is named.
pub const DEFAULT_FILE: &str = "/etc/garita-coordinator/coordinator.toml";
/// `GARITA_COORDINATOR__SECTION__KEY` sets a key.
const PREFIX: &str = "GARITA_COORDINATOR";
/// Settings that hold several values, which the environment separates by commas.
const LISTS: [&str; 3] = ["mqtt.sites", "fleet.enforce_sites", "fleet.exempt"];

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be read.
    #[error("cannot read the configuration {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is no TOML.
    #[error("{place} is not valid TOML: {reason}")]
    Syntax {
        /// The file.
        place: String,
        /// Why.
        reason: String,
    },
    /// A setting does not exist, or its value is not allowed.
    #[error("{place}: {key}: {reason}")]
    Setting {
        /// The file.
        place: String,
        /// The setting.
        key: String,
        /// What is wrong, and what is allowed.
        reason: String,
    },
}

impl Config {
    /// The defaults, under the named file or else [`DEFAULT_FILE`] where it exists, under the environment.
    ///
    /// # Errors
    /// A file that cannot be read, a key that does not exist, a value that is not allowed.
    pub fn load(file: Option<&Path>) -> Result<Self, Error> {
        let path = file.unwrap_or(Path::new(DEFAULT_FILE));
        let text = match fs::read_to_string(path) {
            Err(error) if file.is_none() && error.kind() == io::ErrorKind::NotFound => {
                String::new()
            }
            text => text.map_err(|source| Error::Read {
                path: path.to_owned(),
                source,
            })?,
        };
        let variables = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .filter(|(name, _)| name.starts_with(PREFIX))
            .collect();
        Self::layered(&text, &path.display().to_string(), variables)
    }

    /// The defaults under a file's text, which errors call `place`, under environment variables.
    ///
    /// # Errors
    /// A key that does not exist, a value that is not allowed.
    pub fn layered(
        text: &str,
        place: &str,
        mut variables: HashMap<String, String>,
    ) -> Result<Self, Error> {
        let syntax = |error: config::ConfigError| Error::Syntax {
            place: place.to_owned(),
            reason: error.to_string().replace('\n', " "),
        };
        // The crate turns lists into values only together with guessing numbers, which would break names such as 007.
        let mut lists = Vec::new();
        for key in LISTS {
            let name = format!("{PREFIX}__{}", key.to_uppercase().replace('.', "__"));
            if let Some(value) = variables.remove(&name) {
                let items = value
                    .split(',')
                    .map(str::trim)
                    .filter(|item| !item.is_empty());
                lists.push((key, items.map(str::to_owned).collect::<Vec<_>>()));
            }
        }
        let environment = Environment::with_prefix(PREFIX)
            .prefix_separator("__")
            .separator("__")
            .source(Some(variables));
        let mut layers = config::Config::builder()
            .add_source(File::from_str(text, FileFormat::Toml))
            .add_source(environment);
        for (key, items) in lists {
            layers = layers.set_override(key, items).map_err(syntax)?;
        }
        let table = layers.build().and_then(|layers| {
            use config::Source;
            layers.collect()
        });
        let root = Value::new(None, ValueKind::Table(table.map_err(syntax)?));
        let config: Self = serde_path_to_error::deserialize(root).map_err(|error| {
            let key = error.path().to_string();
            Error::Setting {
                place: place.to_owned(),
                key,
                reason: sentence(&error.inner().to_string()),
            }
        })?;
        config.check(place)?;
        Ok(config)
    }

    /// What no single value can say.
    fn check(&self, place: &str) -> Result<(), Error> {
        let wrong = |key: &str, reason: &str| {
            Err(Error::Setting {
                place: place.to_owned(),
                key: key.to_owned(),
                reason: reason.to_owned(),
            })
        };
        let url = &self.database.url;
        if !["sqlite:", "postgres:", "postgresql:"]
            .iter()
            .any(|scheme| url.starts_with(scheme))
        {
            return wrong(
                "database.url",
                "allowed is sqlite://FILE or postgres://USER@HOST/NAME",
            );
        }
        for (key, value, least) in [
            ("database.connections", self.database.connections, 2),
            ("mqtt.window", self.mqtt.window.into(), 1),
            ("mqtt.max_packet_kib", self.mqtt.max_packet_kib, 16),
            ("intake.batch", self.intake.batch, 1),
            ("intake.max_gaps", self.intake.max_gaps, 1),
            ("intake.max_sensors", self.intake.max_sensors, 1),
            ("intake.max_quarantine", self.intake.max_quarantine, 1),
            ("http.max_body_kib", self.http.max_body_kib, 1),
            ("http.requests_per_minute", self.http.requests_per_minute, 1),
            ("http.logins_per_minute", self.http.logins_per_minute, 1),
            ("fleet.min_sensors", self.fleet.min_sensors, 1),
            ("fleet.max_per_minute", self.fleet.max_per_minute, 1),
            (
                "correlate.guessing_sources",
                self.correlate.guessing_sources,
                2,
            ),
            (
                "correlate.network_offenders",
                self.correlate.network_offenders,
                2,
            ),
            (
                "correlate.victim_offenders",
                self.correlate.victim_offenders,
                2,
            ),
            ("correlate.max_offenders", self.correlate.max_offenders, 16),
            ("access.lock_after", self.access.lock_after, 1),
            ("retention.events", self.retention.events, 1_000),
        ] {
            if value < least {
                let reason = format!("it is {value}; allowed is a whole number from {least} on");
                return wrong(key, &reason);
            }
        }
        if self.intake.batch > 1_000 {
            return wrong("intake.batch", "allowed is a whole number from 1 to 1000");
        }
        for (key, sites) in [
            ("mqtt.sites", &self.mqtt.sites),
            ("fleet.enforce_sites", &self.fleet.enforce_sites),
        ] {
            if let Some(site) = sites.iter().find(|site| !contract::topics::is_name(site)) {
                let reason = format!(
                    "{site:?} is no site; allowed is 1 to 63 of the characters a-z, 0-9 and -, but not \"all\""
                );
                return wrong(key, &reason);
            }
        }
        Ok(())
    }
}

/// The libraries word their errors over several lines and with their own names in front.
fn sentence(text: &str) -> String {
    let line = text.split('\n').next().unwrap_or_default();
    line.replace('`', "")
        .replace(", expected ", "; allowed is ")
}
