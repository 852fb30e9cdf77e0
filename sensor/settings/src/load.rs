//! Lays file and environment over the defaults, and words what is wrong with them in one sentence.
//! It must not know what a setting means.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

use config::{Environment, File, FileFormat, Source, Value, ValueKind};
use serde_path_to_error::Segment;

use super::Config;

/// The file that is read when none is named; it may be absent.
pub const DEFAULT_FILE: &str = "/etc/garita/garita.toml";

/// Before a variable's section and key; `GARITA__POLICY__BLOCK_TTL` is `policy.block_ttl`.
const PREFIX: &str = "GARITA";

/// Why there is no configuration. The program ends with exit code 78 on any of these.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be read.
    #[error("cannot read the configuration {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is not TOML.
    #[error("{place} is not valid TOML: {reason}")]
    Syntax {
        /// The file.
        place: String,
        /// The parser's words, with line and column.
        reason: String,
    },
    /// There is no such setting.
    #[error("{place}: there is no setting {key}{near}")]
    UnknownKey {
        /// The file, or the variable.
        place: String,
        /// The key in full.
        key: String,
        /// The settings there are, in words.
        near: String,
    },
    /// The value is not one of those a setting allows.
    #[error("{place}: {key} is {value}; allowed is {allowed}")]
    Value {
        /// The file, or the variable.
        place: String,
        /// The key in full.
        key: String,
        /// The value as it stands there.
        value: String,
        /// What would be accepted.
        allowed: String,
    },
    /// A variable is not text.
    #[error("the environment variable {name} is not valid UTF-8")]
    Variable {
        /// The variable, as far as it can be shown.
        name: String,
    },
}

impl Config {
    /// The defaults, under the named file or else [`DEFAULT_FILE`] where it exists, under the environment.
    pub fn load(file: Option<&Path>) -> Result<Self, Error> {
        let variables = variables()?;
        let text = match file {
            Some(path) => read(path)?,
            None => match read(Path::new(DEFAULT_FILE)) {
                Err(Error::Read { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                    String::new()
                }
                text => text?,
            },
        };
        let place = file.unwrap_or(Path::new(DEFAULT_FILE));
        Self::layered(&text, &place.display().to_string(), variables)
    }

    /// What can be told of where the sensor answers, from a file that is not sound: for whom it must not stand in the way.
    pub fn salvaged(file: Option<&Path>) -> Self {
        let text = read(file.unwrap_or(Path::new(DEFAULT_FILE))).unwrap_or_default();
        let layers = config::Config::builder()
            .add_source(File::from_str(&text, FileFormat::Toml))
            .build();
        let socket = layers.and_then(|layers| layers.get_string("control.socket"));
        let told = socket.map_or(String::new(), |socket| {
            format!("[control]\nsocket = {socket:?}")
        });
        let variables = variables().unwrap_or_default();
        let layered = |text| Self::layered(text, "", variables.clone());
        layered(&told).or_else(|_| layered("")).unwrap_or_default()
    }

    /// The defaults under a file's text, which errors call `place`, under environment variables.
    pub fn layered(
        text: &str,
        place: &str,
        variables: HashMap<String, String>,
    ) -> Result<Self, Error> {
        let environment = Environment::with_prefix(PREFIX)
            .prefix_separator("__")
            .separator("__")
            .source(Some(variables));
        let layers = config::Config::builder()
            .add_source(File::from_str(text, FileFormat::Toml))
            .add_source(environment)
            .build()
            .map_err(|error| syntax(place, &error))?;
        let root = layers
            .collect()
            .map(|table| Value::new(None, ValueKind::Table(table)))
            .map_err(|error| syntax(place, &error))?;
        serde_path_to_error::deserialize(root.clone())
            .map_err(|error| describe(place, &root, &error))
    }
}

fn read(path: &Path) -> Result<String, Error> {
    fs::read_to_string(path).map_err(|source| Error::Read {
        path: path.to_owned(),
        source,
    })
}

fn variables() -> Result<HashMap<String, String>, Error> {
    let prefix = format!("{PREFIX}__");
    env::vars_os()
        .filter(|(name, _)| name.to_string_lossy().starts_with(&prefix))
        .map(
            |(name, value)| match (name.into_string(), value.into_string()) {
                (Ok(name), Ok(value)) => Ok((name, value)),
                (Ok(name), Err(_)) => Err(Error::Variable { name }),
                (Err(name), _) => Err(Error::Variable {
                    name: name.to_string_lossy().into_owned(),
                }),
            },
        )
        .collect()
}

/// The parser draws the line and points at it; one sentence needs only the position and the reason.
fn syntax(place: &str, error: &config::ConfigError) -> Error {
    let drawing = error.to_string();
    let mut lines = drawing.lines().filter(|line| !line.trim().is_empty());
    let first = lines.next().unwrap_or_default();
    let position = first.trim_start_matches("TOML parse error at ");
    let reason = lines.find(|line| !line.contains('|')).map_or_else(
        || position.to_owned(),
        |reason| format!("{reason} at {position}"),
    );
    Error::Syntax {
        place: place.to_owned(),
        reason,
    }
}

fn describe(
    place: &str,
    root: &Value,
    error: &serde_path_to_error::Error<config::ConfigError>,
) -> Error {
    let path = error.path();
    let value = path
        .iter()
        .try_fold(root, |value, segment| match (&value.kind, segment) {
            (ValueKind::Table(table), Segment::Map { key }) => table.get(key),
            (ValueKind::Array(items), Segment::Seq { index }) => items.get(*index),
            _ => None,
        });
    let key = path.to_string();
    let place = match value.and_then(Value::origin) {
        Some(_) => format!(
            "the environment variable {PREFIX}__{}",
            key.to_uppercase().replace('.', "__")
        ),
        None => place.to_owned(),
    };
    let message = innermost(error.inner());
    if let Some(rest) = message.strip_prefix("unknown field ") {
        let near = rest
            .split_once(", expected ")
            .map_or_else(String::new, |(_, known)| {
                format!("; allowed is {}", known.replace('`', ""))
            });
        return Error::UnknownKey { place, key, near };
    }
    let allowed = match message.starts_with("invalid type") {
        true if key.contains('.') => "a value, not a table".to_owned(),
        true => format!("a table, opened by [{key}]"),
        false => message,
    };
    Error::Value {
        place,
        key,
        value: value.map_or_else(String::new, quoted),
        allowed,
    }
}

/// What the setting said, without the place that the `config` crate adds to it.
fn innermost(error: &config::ConfigError) -> String {
    match error {
        config::ConfigError::At { error, .. } => innermost(error),
        config::ConfigError::Message(message) => message.clone(),
        other => other.to_string(),
    }
}

fn quoted(value: &Value) -> String {
    match &value.kind {
        ValueKind::String(text) => format!("{text:?}"),
        ValueKind::Array(items) => {
            let items: Vec<String> = items.iter().map(quoted).collect();
            format!("[{}]", items.join(", "))
        }
        ValueKind::Table(_) => "a table".to_owned(),
        _ => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str, variable: &str) -> Result<Config, String> {
        let variables = variable
            .split_once('=')
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
        Config::layered(text, "garita.toml", variables.into_iter().collect())
            .map_err(|error| error.to_string())
    }

    fn refusal(text: &str, variable: &str) -> String {
        load(text, variable).expect_err("must be refused")
    }

    #[test]
    fn the_environment_lies_over_the_file_and_the_file_over_the_defaults() {
        let text = "[meter]\nmax_flows = 100\nmax_hosts = 200\n";
        let config = load(text, "GARITA__METER__MAX_FLOWS=300").unwrap();
        assert_eq!(config.meter.max_flows.get(), 300);
        assert_eq!(config.meter.max_hosts.get(), 200);
        assert_eq!(config.meter.max_pairs, Config::default().meter.max_pairs);
    }

    #[test]
    fn a_list_in_the_environment_is_separated_by_commas() {
        let exempt = "GARITA__POLICY__EXEMPT=192.0.2.1, 2001:db8::/32,::ffff:198.51.100.0/120";
        let config = load("", exempt).unwrap();
        assert_eq!(
            config
                .policy
                .exempt
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>(),
            ["192.0.2.1/32", "2001:db8::/32", "198.51.100.0/24"]
        );
    }

    #[test]
    fn an_unknown_key_is_named_with_its_file_and_what_there_is() {
        assert_eq!(
            refusal("[meter]\nmax_flow = 3\n", ""),
            "garita.toml: there is no setting meter.max_flow; allowed is one of max_flows, \
             max_unanswered_flows, flood_guard, max_hosts, max_pairs, tags"
        );
        assert!(refusal("[polcy]\nhome = \"auto\"\n", "").contains("no setting polcy;"));
        assert!(refusal("", "GARITA__METER__MAX=3").starts_with(
            "the environment variable GARITA__METER__MAX: there is no setting meter.max;"
        ));
    }

    #[test]
    fn a_bad_value_is_named_with_its_place_and_what_is_allowed() {
        for (text, variable, sentence) in [
            (
                "[meter]\nmax_flows = 1\n",
                "",
                "garita.toml: meter.max_flows is 1; allowed is a whole number from 64 to 16777216",
            ),
            (
                "[meter]\nmax_flows = 100\n",
                "GARITA__METER__MAX_FLOWS=many",
                "the environment variable GARITA__METER__MAX_FLOWS: meter.max_flows is \"many\"; \
                 allowed is a whole number from 64 to 16777216",
            ),
            (
                "[policy]\nunproven_ttl = \"11m\"\n",
                "",
                "garita.toml: policy.unproven_ttl is \"11m\"; \
                 allowed is a duration with its unit, from 1s to 10m",
            ),
            (
                "[policy]\nexempt = [\"192.0.2.0/24\", \"here\"]\n",
                "",
                "garita.toml: policy.exempt is [\"192.0.2.0/24\", \"here\"]; \
                 allowed is a list, each item an address or a prefix such as 192.0.2.0/24",
            ),
            (
                "",
                "GARITA__FIREWALL__MODE=on",
                "the environment variable GARITA__FIREWALL__MODE: firewall.mode is \"on\"; \
                 allowed is one of: \"observe\" \"enforce\"",
            ),
            (
                "policy = 3\n",
                "",
                "garita.toml: policy is 3; allowed is a table, opened by [policy]",
            ),
            (
                "[policy.block_ttl]\nfirst = 3\n",
                "",
                "garita.toml: policy.block_ttl is a table; allowed is a value, not a table",
            ),
        ] {
            assert_eq!(refusal(text, variable), sentence);
        }
        for (key, value) in [
            ("sensor.site", "\"all\""),
            ("sensor.name", "\"Gate\""),
            ("capture.interfaces", "[\"eth0/1\"]"),
            ("policy.block_ttl", "[\"10m\"]"),
            ("policy.block_ttl", "600"),
            ("policy.home", "\"here\""),
            ("report.url", "\"http://192.0.2.1\""),
            ("metrics.listen", "9760"),
            ("evidence.auth_ports", "[0]"),
        ] {
            let (section, name) = key.split_once('.').unwrap();
            let sentence = refusal(&format!("[{section}]\n{name} = {value}\n"), "");
            assert!(
                sentence.contains(&format!("{key} is {value}; allowed is ")),
                "{sentence}"
            );
        }
    }

    #[test]
    fn broken_toml_gives_one_line_with_the_position() {
        let sentence = refusal("[policy\n", "");
        assert!(
            sentence.starts_with("garita.toml is not valid TOML: ")
                && sentence.ends_with("at line 1, column 8")
        );
        assert!(!sentence.contains('\n'));
    }

    #[test]
    fn a_named_file_must_exist() {
        let error = Config::load(Some(Path::new("/nonexistent/garita.toml"))).unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("cannot read the configuration /nonexistent/garita.toml: ")
        );
    }
}
