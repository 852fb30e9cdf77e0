//! What a person cannot do even by force, and what many actions at once leave in the audit.

use contract::printable::hex;
use sha2::{Digest, Sha256};

use super::*;

#[test]
fn nobody_is_forced_out_who_could_undo_it() {
    let mut fixture = fixture("");
    let local_network = LocalNetwork {
        protected: vec![
            ("192.0.2.1".parse().unwrap(), Role::Gateway),
            ("198.51.100.20".parse().unwrap(), Role::Session),
        ],
        ..LocalNetwork::default()
    };
    fixture.blocklist.surround(local_network, at(1_000));
    let forced = |target: &str| Action::Block {
        target: net(target),
        ttl: Lifetime::Default,
        reason: String::new(),
        confirm: None,
        force: true,
    };
    for target in ["198.51.100.20", "198.51.100.0/24", "0.0.0.0/0"] {
        let refused = fixture.act(forced(target), 1_000).unwrap_err().to_string();
        assert_eq!(
            refused,
            format!(
                "{target} holds 198.51.100.20, which --force cannot block either: somebody is logged in from it"
            )
        );
    }
    fixture.act(forced("192.0.2.1"), 1_000).unwrap();
}

#[test]
fn many_actions_are_one_entry_in_the_audit_and_reasons_are_kept() {
    let mut fixture = fixture("[policy]\nexempt = [\"198.51.100.0/24\"]\n");
    fixture.act(block("203.0.113.7", 60), 1_000).unwrap();
    let alice = Actor {
        origin: Origin::Operator,
        name: "alice (uid 1000)".to_owned(),
    };
    let wanted = ["203.0.113.1", "198.51.100.7", "203.0.113.2"];
    let actions = wanted.map(|target| block(target, 60)).to_vec();
    let outcomes = fixture.blocklist.act_on_all(&alice, actions, at(1_000));
    let done: Vec<bool> = outcomes.iter().map(Result::is_ok).collect();
    assert_eq!(done, [true, false, true]);
    fixture.store.clone().close();
    let audit = fixture.store.reader().unwrap().audit(0, 10).unwrap();
    let told: Vec<_> = audit
        .iter()
        .map(|entry| {
            (
                entry.action.as_str(),
                entry.object.as_str(),
                entry.outcome.as_str(),
            )
        })
        .collect();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].2.ends_with("; reason: seen in the log"), "{told:?}");
    // printf '203.0.113.1\n198.51.100.7\n203.0.113.2\n' | sha256sum
    let hash = hex(&Sha256::digest("203.0.113.1\n198.51.100.7\n203.0.113.2\n"));
    assert_eq!(
        told[1],
        (
            "blocks add",
            format!("3 targets, one a line: SHA-256 {hash}").as_str(),
            "2 done, 1 refused"
        )
    );
}
