//! The shipped file against the defaults, and what a wrong one is told.

use std::collections::HashMap;

use super::*;

const SHIPPED: &str = include_str!("../../../config/coordinator.toml");

fn layered(text: &str, variables: &[(&str, &str)]) -> Result<Config, Error> {
    let variables = variables
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Config::layered(text, "coordinator.toml", variables.collect())
}

#[test]
fn the_shipped_file_says_the_defaults() {
    assert_eq!(layered(SHIPPED, &[]).unwrap(), Config::default());
}

#[test]
fn the_shipped_file_has_every_setting_each_with_a_reason() {
    let shipped: toml::Table = SHIPPED.parse().unwrap();
    let known = toml::Table::try_from(Config::default()).unwrap();
    let keys = |table: &toml::Table| {
        let mut keys: Vec<String> = table
            .iter()
            .flat_map(|(section, settings)| {
                let names = settings.as_table().into_iter().flat_map(toml::Table::keys);
                names.map(move |name| format!("{section}.{name}"))
            })
            .collect();
        keys.sort();
        keys
    };
    assert_eq!(keys(&shipped), keys(&known));
    let mut above = "";
    for line in SHIPPED.lines() {
        if !line.starts_with('#') && line.contains(" = ") {
            assert!(above.starts_with("# "), "no reason above {line:?}");
        }
        above = line;
    }
}

#[test]
fn the_environment_wins_and_lists_are_separated_by_commas() {
    let text = "[fleet]\nmin_sensors = 3\n[mqtt]\nsites = [\"north\"]\n";
    let variables = [
        ("GARITA_COORDINATOR__FLEET__MODE", "enforce"),
        ("GARITA_COORDINATOR__FLEET__MIN_SENSORS", "4"),
        ("GARITA_COORDINATOR__MQTT__SITES", "south, west"),
        ("GARITA_COORDINATOR__HTTP__TLS", "/a.pem,/b.pem"),
        ("GARITA_COORDINATOR__DESK__TWO_PERSON", "true"),
    ];
    let config = layered(text, &variables).unwrap();
    assert_eq!(config.fleet.mode, FleetMode::Enforce);
    assert_eq!(config.fleet.min_sensors, 4);
    assert_eq!(config.mqtt.sites, ["south", "west"]);
    assert_eq!(
        config.http.tls,
        Tls::Files("/a.pem".into(), "/b.pem".into())
    );
    assert!(config.desk.two_person);
}

#[test]
fn tls_is_off_or_a_pair_of_files_in_any_of_its_spellings() {
    for off in ["\"off\"", "\"\"", "false"] {
        let config = layered(&format!("[http]\ntls = {off}\n"), &[]).unwrap();
        assert_eq!(config.http.tls, Tls::Off, "{off}");
    }
    let pair = Tls::Files("c.pem".into(), "k.pem".into());
    for files in [
        "\"c.pem, k.pem\"",
        "[\"c.pem\", \"k.pem\"]",
        "{certificate = \"c.pem\", key = \"k.pem\"}",
    ] {
        let config = layered(&format!("[http]\ntls = {files}\n"), &[]).unwrap();
        assert_eq!(config.http.tls, pair, "{files}");
    }
}

#[test]
fn what_is_wrong_is_one_sentence_with_file_key_and_what_is_allowed() {
    for (text, key, word) in [
        ("[fleet]\nmode = \"on\"\n", "fleet.mode", "observe"),
        (
            "[fleet]\nmin_sensors = 0\n",
            "fleet.min_sensors",
            "from 1 on",
        ),
        ("[fleet]\nmodus = \"on\"\n", "fleet.modus", "allowed is"),
        ("[mqtt]\nurl = \"http://a\"\n", "mqtt.url", "mqtt://"),
        ("[mqtt]\nsites = [\"all\"]\n", "mqtt.sites", "a-z"),
        ("[http]\nlisten = \"8420\"\n", "http.listen", "address"),
        ("[http]\ntls = \"on\"\n", "http.tls", "CERTIFICATE"),
        ("[access]\nsession = \"12\"\n", "access.session", "unit"),
        (
            "[database]\nurl = \"mysql://a\"\n",
            "database.url",
            "sqlite://",
        ),
    ] {
        let error = layered(text, &[]).unwrap_err().to_string();
        assert!(
            error.starts_with(&format!("coordinator.toml: {key}")) && error.contains(word),
            "{error}"
        );
        assert!(!error.contains('\n'), "{error}");
    }
    let error = Config::layered("[fleet\n", "coordinator.toml", HashMap::new());
    let error = error.unwrap_err().to_string();
    assert!(error.contains("is not valid TOML") && !error.contains('\n'));
}
