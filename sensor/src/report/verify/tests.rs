//! Every way in which a command is refused, and that nothing else than a right one is accepted.
//! Nothing here touches a broker.

use std::collections::HashMap;

use contract::signature::sign;
use ed25519_dalek::SigningKey;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use settings::{Config, Setting};

/// 2026-06-01T00:00:00Z.
const NOW: i64 = 1_780_272_000_000_000;

fn key() -> SigningKey {
    SigningKey::from_bytes(&[7; 32])
}

fn verifier() -> CommandVerifier {
    // The public half of the key above.
    let public = "6kpsY+KcUgq+9VB7Ey7F+ZVHdq6+vnuSQh7qaRRG0iw=";
    let text = format!(
        "[report]\ncommand_keys = [\"ops-1:{public}\"]\ncommand_memory = 16\n[policy]\nhome = [\"198.51.100.0/24\"]\n"
    );
    let config = Config::layered(&text, "test", HashMap::new()).unwrap();
    assert!(config.report.command_keys[0].write().starts_with("ops-1:"));
    CommandVerifier::new(
        &config,
        Topics::new("lab", "edge-1"),
        ReceivedCommands::default(),
    )
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(NOW + seconds * 1_000_000)
}

fn command(id: &str) -> Value {
    json!({
        "id": id, "site": "lab", "sensor": "edge-1",
        "issued_at": at(-1).to_string(), "expires_at": at(60).to_string(),
        "command": {"action": "block", "target": "203.0.113.9"},
    })
}

fn signed(payload: &[u8]) -> SignedCommand {
    SignedCommand {
        payload: payload.to_vec(),
        sig: Some(sign(&key(), payload)),
        kid: Some("ops-1".to_owned()),
        ..SignedCommand::default()
    }
}

fn message(command: &Value) -> SignedCommand {
    signed(command.to_string().as_bytes())
}

fn with(path: &str, value: Value) -> SignedCommand {
    let mut command = command("a");
    *command.pointer_mut(path).unwrap() = value;
    message(&command)
}

fn rejection(message: &SignedCommand) -> Rejection {
    verifier().verify_command(message, at(0)).unwrap_err().why
}

#[test]
fn a_signed_command_for_us_in_its_time_is_admitted_once() {
    let mut verifier = verifier();
    let accepted = verifier
        .verify_command(&message(&command("a")), at(0))
        .unwrap();
    assert_eq!(
        (accepted.kid.as_str(), accepted.audience),
        ("ops-1", Audience::Us)
    );
    let rejected = verifier
        .verify_command(&message(&command("a")), at(1))
        .unwrap_err();
    assert_eq!(
        (
            rejected.why,
            rejected.kid.as_deref(),
            rejected.id.as_deref()
        ),
        (Rejection::Repeated, Some("ops-1"), Some("a"))
    );
    let kept = ReceivedCommands::read(verifier.seen().as_deref());
    let mut restarted = CommandVerifier {
        seen: kept,
        ..self::verifier()
    };
    assert_eq!(
        restarted
            .verify_command(&message(&command("a")), at(2))
            .unwrap_err()
            .why,
        Rejection::Repeated
    );
}

#[test]
fn who_signs_must_be_known_and_must_have_signed_this() {
    let good = message(&command("a"));
    assert_eq!(
        rejection(&SignedCommand {
            sig: None,
            ..good.clone()
        }),
        Rejection::Unsigned
    );
    assert_eq!(
        rejection(&SignedCommand {
            kid: None,
            ..good.clone()
        }),
        Rejection::Unsigned
    );
    let other = Some("ops-2".to_owned());
    assert_eq!(
        rejection(&SignedCommand {
            kid: other,
            ..good.clone()
        }),
        Rejection::UnknownKey
    );
    let payload = command("b").to_string().into_bytes();
    assert_eq!(
        rejection(&SignedCommand {
            payload,
            ..good.clone()
        }),
        Rejection::BadSignature
    );
    let forged = sign(&SigningKey::from_bytes(&[8; 32]), &good.payload);
    for sig in [
        forged,
        String::new(),
        "!".to_owned(),
        format!("{}==", "A".repeat(86)),
    ] {
        assert_eq!(
            rejection(&SignedCommand {
                sig: Some(sig),
                ..good.clone()
            }),
            Rejection::BadSignature
        );
    }
    let long = vec![b' '; MAX_PAYLOAD + 1];
    assert_eq!(rejection(&signed(&long)), Rejection::TooLarge(MAX_PAYLOAD));
}

#[test]
fn what_is_late_early_or_valid_for_too_long_is_refused() {
    assert_eq!(
        rejection(&with("/expires_at", json!(at(0).to_string()))),
        Rejection::Expired
    );
    assert_eq!(
        rejection(&with("/expires_at", json!(at(-2).to_string()))),
        Rejection::Expired
    );
    assert_eq!(
        rejection(&with("/issued_at", json!(at(31).to_string()))),
        Rejection::Future
    );
    assert!(
        verifier()
            .verify_command(&with("/issued_at", json!(at(29).to_string())), at(0))
            .is_ok()
    );
    assert_eq!(
        rejection(&with("/expires_at", json!(at(3_600).to_string()))),
        Rejection::TooLong
    );
    let unset = Timestamp::from_micros(0);
    assert_eq!(
        verifier()
            .verify_command(&message(&command("a")), unset)
            .unwrap_err()
            .why,
        Rejection::NoClock
    );
    let mut verifier = verifier();
    verifier
        .verify_command(&message(&command("a")), at(0))
        .unwrap();
    assert_eq!(
        verifier
            .verify_command(&message(&command("b")), at(-31))
            .unwrap_err()
            .why,
        Rejection::NoClock
    );
}

#[test]
fn what_is_for_others_or_wants_its_answer_elsewhere_is_refused() {
    assert_eq!(
        rejection(&with("/site", json!("dmz"))),
        Rejection::NotForUs("dmz/edge-1".to_owned())
    );
    assert_eq!(
        rejection(&with("/sensor", json!("edge-2"))),
        Rejection::NotForUs("lab/edge-2".to_owned())
    );
    let reply = "garita/v1/lab/edge-1/reply/a";
    for elsewhere in [
        "garita/v1/lab/edge-2/reply/a",
        "garita/v1/lab/edge-1/reply/b",
        "garita/v1/lab/edge-1/command",
        "",
    ] {
        let response = Some(elsewhere.to_owned());
        let message = SignedCommand {
            response,
            ..message(&command("a"))
        };
        assert_eq!(
            rejection(&message),
            Rejection::ResponseElsewhere(reply.to_owned())
        );
    }
    let response = Some(reply.to_owned());
    assert!(
        verifier()
            .verify_command(
                &SignedCommand {
                    response,
                    ..message(&command("a"))
                },
                at(0)
            )
            .is_ok()
    );
}

#[test]
fn a_command_to_all_never_blocks_a_private_or_home_address() {
    let to_all = |target: &str| {
        let mut command = command("a");
        command["sensor"] = json!("all");
        command["command"]["target"] = json!(target);
        message(&command)
    };
    for target in [
        "10.1.2.3",
        "172.16.0.0/12",
        "192.168.1.1",
        "192.0.0.0/8",
        "100.64.0.1",
        "fd00::1",
        "::ffff:10.1.2.3",
        "198.51.100.7",
        "198.51.0.0/16",
    ] {
        let rejected = rejection(&to_all(target));
        assert!(
            matches!(rejected, Rejection::PrivateToAll(_)),
            "{target}: {rejected}"
        );
        let mut to_us = command("a");
        to_us["command"]["target"] = json!(target);
        assert!(
            verifier().verify_command(&message(&to_us), at(0)).is_ok(),
            "{target}"
        );
    }
    let accepted = verifier()
        .verify_command(&to_all("203.0.113.9"), at(0))
        .unwrap();
    assert_eq!(accepted.audience, Audience::All);
    let mut to_sites = command("a");
    to_sites["site"] = json!("all");
    to_sites["command"] = json!({"action": "dismiss", "review": "0123"});
    assert_eq!(rejection(&message(&to_sites)), Rejection::ReviewToAll);
}

#[test]
fn force_and_what_is_no_command_are_refused() {
    let mut forced = command("a");
    forced["command"]["force"] = json!(true);
    assert_eq!(rejection(&message(&forced)), Rejection::Forced);
    for payload in [
        "",
        "null",
        "[]",
        "{}",
        "{\"id\":\"a\"}",
        &command("").to_string(),
        &command("a/b").to_string(),
        &command("+").to_string(),
        &"[".repeat(10_000),
    ] {
        let rejected = rejection(&signed(payload.as_bytes()));
        assert!(
            matches!(rejected, Rejection::Malformed(_)),
            "{payload}: {rejected}"
        );
    }
    for (path, value) in [
        ("/command", json!({"action": "erase"})),
        ("/command", json!({"action": "resync"})),
        ("/command", json!({"action": "resync", "from_seq": -1})),
        ("/command/target", json!("203.0.113.0/33")),
        ("/issued_at", json!("yesterday")),
        ("/site", json!(1)),
    ] {
        assert!(
            matches!(rejection(&with(path, value)), Rejection::Malformed(_)),
            "{path}"
        );
    }
}

#[test]
fn a_full_memory_refuses() {
    let mut verifier = verifier();
    for id in 0..16 {
        verifier
            .verify_command(&message(&command(&id.to_string())), at(0))
            .unwrap();
    }
    let rejected = verifier
        .verify_command(&message(&command("one-more")), at(0))
        .unwrap_err();
    assert_eq!(rejected.why, Rejection::Overrun);
}

proptest! {
    #[test]
    fn no_bytes_pass_without_a_signature(payload in prop::collection::vec(any::<u8>(), 0..400), sig in ".*", kid in ".*") {
        let mut verifier = verifier();
        let message = SignedCommand { payload, sig: Some(sig), kid: Some(kid), ..SignedCommand::default() };
        prop_assert!(verifier.verify_command(&message, at(0)).is_err());
        prop_assert_eq!(verifier.seen, ReceivedCommands::default());
    }

    #[test]
    fn no_changed_byte_passes(at_byte in 0usize..150, bit in 0u8..8) {
        let mut good = message(&command("a"));
        let place = at_byte % good.payload.len();
        good.payload[place] ^= 1 << bit;
        prop_assert_eq!(verifier().verify_command(&good, at(0)).unwrap_err().why, Rejection::BadSignature);
    }

    #[test]
    fn signed_nonsense_never_panics_and_changes_nothing(payload in prop::collection::vec(any::<u8>(), 0..400)) {
        let mut verifier = verifier();
        prop_assert!(verifier.verify_command(&signed(&payload), at(0)).is_err());
        prop_assert_eq!(verifier.seen, ReceivedCommands::default());
    }
}
