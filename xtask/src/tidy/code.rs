//! Rules on Rust code: which file may say what. They look at tokens, never at comments or strings.

use super::source::{Source, Token};

/// A crate and the only places that name it. Tests at the boundary may use any of them as an oracle.
const CRATES: &[(&str, &[&str])] = &[
    ("pcap", &["sensor/src/capture"]),
    ("aya", &["sensor/src/capture/kernel"]),
    ("etherparse", &["sensor/detection/src/decode"]),
    ("smartcore", &["sensor/learning"]),
    ("plotters", &["sensor/learning"]),
    ("nftnl", &["sensor/src/firewall"]),
    ("mnl", &["sensor/src/firewall"]),
    ("rusqlite", &["sensor/src/store"]),
    ("rumqttc", &["sensor/src/report", "coordinator/src/intake"]),
    (
        "axum",
        &[
            "sensor/src/control",
            "coordinator/src/api",
            "coordinator/src/web",
        ],
    ),
    ("askama", &["coordinator/src/web"]),
    ("systemd_journal_logger", &["sensor/src/telemetry"]),
    ("config", &["sensor/settings", "coordinator/src/config"]),
    ("sqlx", &["coordinator/src/store"]),
    ("argon2", &["coordinator/src/access"]),
    ("governor", &["coordinator/src/api"]),
    ("jsonwebtoken", &["coordinator/src/access"]),
    ("ureq", &["coordinator/src/access"]),
];

/// What has no IO: the decision core, the contract, and of the coordinator what decides. Loading a model is the one of them
/// that may read a file.
const CORE: &[&str] = &[
    "contract/src",
    "coordinator/src/correlate",
    "coordinator/src/desk",
    "coordinator/src/intake/document",
    "coordinator/src/intake/ledger",
    "coordinator/src/intake/post",
    "coordinator/src/intake/reading",
    "coordinator/src/intake/sequence",
    "coordinator/src/orders/book",
    "sensor/detection/src",
];
const CORE_EXCEPT: &[&str] = &["sensor/detection/src/model/load"];

/// The crates a folder may depend on, beside libraries that do no IO: a border that a manifest could cross unseen.
const BORDERS: &[(&str, &[&str])] = &[
    ("contract/src", EDGES),
    ("sensor/detection/src", EDGES),
    ("sensor/learning/src", EDGES),
    ("sensor/settings/src", EDGES),
];

/// What is at the edge of the world, and asynchronous.
const EDGES: &[&str] = &[
    "aya",
    "axum",
    "hyper",
    "mnl",
    "nftnl",
    "nix",
    "pcap",
    "rtnetlink",
    "rumqttc",
    "rusqlite",
    "sensor",
    "tokio",
    "tracing",
];

/// What reads a clock or reaches outside. Addresses of `std::net` are values and stay allowed; its sockets are not.
const IMPURE: &[&str] = &[
    "Instant::now",
    "SystemTime::now",
    "now_utc",
    "now_local",
    "std::fs",
    "fs::",
    "env::",
    "process::",
    "thread::",
    "tokio::",
    "TcpStream",
    "TcpListener",
    "UdpSocket",
    "UnixStream",
    "UnixDatagram",
    "ToSocketAddrs",
];

/// Netlink calls into C; the kernel program and the maps it shares with user space.
const UNSAFE: &[&str] = &[
    "ebpf/src/main.rs",
    "ebpf/src/traffic.rs",
    "sensor/src/capture/kernel.rs",
    "sensor/src/firewall/netlink.rs",
    "tests/kernel/program.rs",
];

/// A crate bracketed in the code map is named nowhere but there.
pub(super) fn crates_in_their_place(sources: &[Source]) -> Vec<String> {
    let mut found = Vec::new();
    for source in sources
        .iter()
        .filter(|source| source.is_in(&["coordinator/", "ebpf/", "sensor/"]))
    {
        for (name, _) in CRATES.iter().filter(|(_, places)| !source.is_in(places)) {
            for line in crate_uses(source.shipped(), name) {
                found.push(source.at(line, &format!("names the crate {name}")));
            }
        }
    }
    found
}

/// The lines that name a crate: `use name`, `::name`, and `name::` where no longer path leads to it.
fn crate_uses<'a>(tokens: &'a [Token], name: &str) -> Vec<usize> {
    let text = |at: Option<usize>| {
        at.and_then(|at| tokens.get(at))
            .map_or("", |token: &'a Token| &token.text)
    };
    let is_use = |at: usize| {
        let before = text(at.checked_sub(1));
        let path_before = before == ":" && text(at.checked_sub(2)) == ":";
        let path_after = text(Some(at + 1)) == ":" && text(Some(at + 2)) == ":";
        let absolute = path_before && !is_name(text(at.checked_sub(3)));
        let relative = path_after && !path_before;
        before == "use" || absolute || relative
    };
    (0..tokens.len())
        .filter(|&at| tokens[at].text == name && is_use(at))
        .map(|at| tokens[at].line)
        .collect()
}

fn is_name(text: &str) -> bool {
    text != "use" && text.starts_with(|first: char| first.is_alphabetic() || first == '_')
}

/// The decision core and the contract get time and frames as arguments.
pub(super) fn core_is_pure(sources: &[Source]) -> Vec<String> {
    let mut found = Vec::new();
    for source in sources
        .iter()
        .filter(|source| source.is_in(CORE) && !source.is_in(CORE_EXCEPT))
    {
        for pattern in IMPURE {
            for line in Source::find(source.shipped(), pattern) {
                found.push(source.at(line, &format!("`{pattern}`")));
            }
        }
    }
    found
}

/// The crates that decide, and what they are told and tell, name nothing at the edge.
pub(super) fn borders_hold(sources: &[Source]) -> Vec<String> {
    let mut found = Vec::new();
    for (folder, beyond) in BORDERS {
        for source in sources.iter().filter(|source| source.is_in(&[folder])) {
            for name in *beyond {
                for line in crate_uses(source.shipped(), name) {
                    found.push(source.at(line, &format!("names the crate {name}")));
                }
            }
        }
    }
    found
}

/// `unsafe` is in the files named for it.
pub(super) fn unsafe_in_its_files(sources: &[Source]) -> Vec<String> {
    sources
        .iter()
        .filter(|source| !source.is_in(UNSAFE))
        .flat_map(|source| {
            Source::find(&source.tokens, "unsafe").map(|line| source.at(line, "`unsafe`"))
        })
        .collect()
}

/// Neither the sensor nor a test waits for time to pass.
pub(super) fn nothing_sleeps(sources: &[Source]) -> Vec<String> {
    sources
        .iter()
        .filter(|source| source.is_in(&["coordinator/", "ebpf/", "sensor/", "tests/"]))
        .flat_map(|source| {
            ["thread::sleep", "time::sleep", "sleep("]
                .iter()
                .flat_map(|pattern| Source::find(&source.tokens, pattern))
                .map(|line| source.at(line, "sleeps"))
        })
        .collect::<std::collections::BTreeSet<_>>()
        .into_iter()
        .collect()
}

/// Every test runs.
pub(super) fn no_test_is_ignored(sources: &[Source]) -> Vec<String> {
    sources
        .iter()
        .flat_map(|source| {
            Source::find(&source.tokens, "#[ignore").map(|line| source.at(line, "`#[ignore]`"))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(path: &str, text: &str) -> [Source; 1] {
        [Source::new(path, text.to_owned()).unwrap()]
    }

    #[test]
    fn a_crate_is_named_by_import_or_path_only_in_its_place() {
        for text in [
            "use pcap::Capture;",
            "use pcap;",
            "use ::pcap as p;",
            "fn a() { pcap::Device::list() }",
            "fn a(b: Vec<pcap::Error>) {}",
            "fn a(b: &::pcap::Error) {}",
        ] {
            let outside = crates_in_their_place(&source("sensor/src/agent.rs", text));
            assert_eq!(
                outside,
                ["sensor/src/agent.rs:1: names the crate pcap"],
                "{text}"
            );
            let inside = crates_in_their_place(&source("sensor/src/capture/live.rs", text));
            assert!(inside.is_empty(), "{text}");
        }
    }

    #[test]
    fn a_field_a_module_or_a_test_of_the_same_name_is_no_crate() {
        for text in [
            "fn a() { self.pcap.next() }",
            "use crate::capture::pcap::Live;",
            "#[cfg(test)] mod tests { use etherparse::PacketBuilder; }",
        ] {
            let found = crates_in_their_place(&source("sensor/src/agent.rs", text));
            assert!(found.is_empty(), "{text}: {found:?}");
        }
    }

    #[test]
    fn a_border_is_crossed_by_naming_what_lies_beyond() {
        let text = "use tokio::sync::mpsc;";
        for path in ["contract/src/topics.rs", "sensor/detection/src/engine.rs"] {
            assert_eq!(borders_hold(&source(path, text)).len(), 1, "{path}");
        }
        assert!(borders_hold(&source("sensor/src/agent.rs", text)).is_empty());
    }

    #[test]
    fn a_clock_or_a_file_is_found_in_what_decides_and_nowhere_else() {
        let text = "fn a() { let now = std::time::Instant::now(); }";
        assert_eq!(
            core_is_pure(&source("sensor/detection/src/policy.rs", text)).len(),
            1
        );
        assert_eq!(
            core_is_pure(&source("sensor/detection/src/model/score.rs", text)).len(),
            1
        );
        assert!(core_is_pure(&source("sensor/detection/src/model/load.rs", text)).is_empty());
        assert!(core_is_pure(&source("sensor/src/agent.rs", text)).is_empty());
        let address = "use std::net::IpAddr;";
        assert!(core_is_pure(&source("sensor/detection/src/policy.rs", address)).is_empty());
    }

    #[test]
    fn unsafe_is_found_outside_its_files() {
        let text = "fn a() { unsafe { b() } }";
        assert_eq!(unsafe_in_its_files(&source("tests/main.rs", text)).len(), 1);
        assert!(unsafe_in_its_files(&source("sensor/src/firewall/netlink.rs", text)).is_empty());
    }

    #[test]
    fn a_sleep_is_found_once_however_it_is_written() {
        for text in [
            "fn a() { std::thread::sleep(b) }",
            "use std::thread::sleep;",
            "async fn a() { sleep(b).await }",
        ] {
            assert_eq!(
                nothing_sleeps(&source("tests/main.rs", text)).len(),
                1,
                "{text}"
            );
        }
    }

    #[test]
    fn an_ignored_test_is_found_with_and_without_a_reason() {
        for text in ["#[ignore] fn a() {}", "#[ignore = \"slow\"] fn a() {}"] {
            assert_eq!(
                no_test_is_ignored(&source("tests/main.rs", text)).len(),
                1,
                "{text}"
            );
        }
    }
}
