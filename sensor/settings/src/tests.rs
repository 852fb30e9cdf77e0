//! The shipped file against the defaults. How a file is read is tested where it is.

use std::collections::HashMap;

use super::*;

const SHIPPED: &str = include_str!("../../../config/garita.toml");

#[test]
fn the_shipped_file_says_the_defaults() {
    let shipped = Config::layered(SHIPPED, "config/garita.toml", HashMap::new());
    assert_eq!(shipped.unwrap(), Config::default());
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
fn defaults_are_inside_their_ranges() {
    let text = toml::to_string(&Config::default()).unwrap();
    let read = Config::layered(&text, "the defaults", HashMap::new());
    assert_eq!(read.unwrap(), Config::default());
    assert_eq!(Config::default().policy.max_blocks_per_minute.get(), 120);
    assert_eq!(
        Config::default().policy.max_block_ttl.get().as_secs(),
        7 * DAY
    );
}
