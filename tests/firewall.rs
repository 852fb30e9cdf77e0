//! The firewall against the real kernel, in network namespaces; the `nft` program is the oracle.
//! The machine's own rules are never looked at.

mod elements;
mod machine;
mod ruleset;
mod services;
mod speed;
mod tampering;
mod traffic;
mod unproven;

use std::net::IpAddr;
use std::time::Duration;

use contract::record::Scope;
use sensor::firewall::{DesiredState, Element, Firewall, Host, Nftables};
use serde_json::Value;

use crate::netns::Namespace;
use crate::skip::skip;

/// A namespace and the firewall in it, installed and empty; nothing where this machine has none.
fn verifier(test: &str) -> Option<(Namespace, Nftables)> {
    let namespace = Namespace::new(test, "gate")?;
    if std::process::Command::new("nft")
        .arg("--version")
        .output()
        .is_err()
    {
        skip(test, "`nft` is not installed");
        return None;
    }
    let firewall = guard(&namespace);
    Some((namespace, firewall))
}

/// A firewall that is installed in `namespace`.
fn guard(namespace: &Namespace) -> Nftables {
    let mut firewall = namespace.run(Nftables::open).unwrap();
    firewall.install(&DesiredState::default()).unwrap();
    firewall
}

/// What `nft` prints in the namespace; fails the test if it fails.
fn nft(namespace: &Namespace, arguments: &str) -> String {
    let output = namespace
        .command("nft")
        .args(arguments.split(' '))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "nft {arguments}: {said}");
    String::from_utf8(output.stdout).unwrap()
}

/// The elements of a set as `nft` sees them: who, and the seconds of its timeout and of what is left of it.
fn seen(namespace: &Namespace, set: &str) -> Vec<(String, Option<(u64, u64)>)> {
    let text = nft(namespace, &format!("-j list set inet garita {set}"));
    let listed: Value = serde_json::from_str(&text).unwrap();
    let sets = listed["nftables"].as_array().unwrap();
    let set = sets.iter().find_map(|item| item.get("set")).unwrap();
    let mut found: Vec<_> = set["elem"]
        .as_array()
        .into_iter()
        .flatten()
        .map(one)
        .collect();
    found.sort();
    found
}

fn one(element: &Value) -> (String, Option<(u64, u64)>) {
    let inner = element.get("elem");
    let value = inner.map_or(element, |inner| &inner["val"]);
    let who = match value.get("prefix") {
        Some(prefix) => format!("{}/{}", prefix["addr"].as_str().unwrap(), prefix["len"]),
        None => value.as_str().unwrap().to_owned(),
    };
    let times = inner.map(|inner| {
        let seconds = |key: &str| inner[key].as_u64().unwrap();
        (seconds("timeout"), seconds("expires"))
    });
    (who, times)
}

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn host(text: &str, seconds: u64) -> Host {
    Host {
        address: address(text),
        left: Some(Duration::from_secs(seconds)),
        scope: Scope::All,
    }
}

/// The same, of whom nothing is proven.
fn unproven(text: &str, seconds: u64) -> Host {
    Host {
        scope: Scope::Opening,
        ..host(text, seconds)
    }
}

fn prefix(text: &str, seconds: u64) -> Element {
    Element {
        target: text.parse().unwrap(),
        left: Some(Duration::from_secs(seconds)),
        scope: Scope::All,
    }
}

/// Who stands, by the firewall's own word.
fn standing(firewall: &mut Nftables) -> Vec<String> {
    let elements = firewall.elements().unwrap();
    let mut found: Vec<_> = elements
        .iter()
        .map(|element| element.target.to_string())
        .collect();
    found.sort();
    found
}
