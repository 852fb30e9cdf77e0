//! The command line against control over its socket: what an administrator types, reads, and may not do.
//! Nothing on the machine is blocked by it.

mod blocklist;
mod listing;
mod rights;
mod testbed;

use std::fs;
use std::net::IpAddr;
use std::process::Command;

use serde_json::Value;

use crate::garita::{Run, command, run};
use blocklist::{EXEMPT, SUSPECT};
use testbed::{HEADERS, Memory, Stage};

#[test]
fn a_block_is_added_listed_explained_and_lifted() {
    let stage = Stage::open();
    assert_eq!(stage.print(&["blocks", "list"]), "Nothing is blocked.\n");
    let known = stage.print(&["explain", "203.0.113.7"]);
    assert!(known.contains("nothing is known of 203.0.113.7"), "{known}");

    let added = stage.print(&[
        "blocks",
        "add",
        "203.0.113.7/24",
        "--ttl",
        "4h",
        "--reason",
        "too \u{1b}[2Jloud",
    ]);
    assert_eq!(added, "203.0.113.0/24 is blocked.\n");
    let listed = stage.print(&["blocks", "list"]);
    let lines: Vec<&str> = listed.lines().collect();
    assert!(
        lines[0].starts_with("TARGET") && lines.len() == 2,
        "{listed}"
    );
    for part in [
        "203.0.113.0/24",
        "enforced",
        "too [2Jloud",
        "root (uid 0)",
        "3h 59m",
    ] {
        assert!(lines[1].contains(part), "{part:?} is not in {listed}");
    }
    let document: Value = serde_json::from_str(&stage.print(&["blocks", "list", "--json"]))
        .expect("one block is one document");
    assert_eq!(document["origin"], "operator");

    let found = stage.print(&["blocks", "search", "203.0.113.7"]);
    assert!(found.contains("203.0.113.0/24"), "{found}");
    let known = stage.print(&["explain", "203.0.113.7"]);
    for part in [
        "203.0.113.7 is blocked: the kernel drops its traffic.",
        "203.0.113.0/24, which contains it",
        "too [2Jloud",
        "root (uid 0)",
        "undo     garita blocks remove 203.0.113.0/24",
    ] {
        assert!(known.contains(part), "{part:?} is not in {known}");
    }
    let inside = stage.garita(&["blocks", "remove", "203.0.113.7"]);
    inside.assert_refused(1, &["203.0.113.7", "garita blocks remove 203.0.113.0/24"]);
    stage.print(&["blocks", "remove", "203.0.113.0/24"]);
    stage
        .garita(&["blocks", "remove", "203.0.113.0/24"])
        .assert_refused(1, &["203.0.113.0/24 is not blocked"]);
}

#[test]
fn a_damaged_configuration_keeps_nobody_from_undoing_a_block() {
    let stage = Stage::open();
    stage.print(&["blocks", "add", "203.0.113.7"]);
    let damaged = stage.path("damaged.toml");
    fs::write(&damaged, "[policy]\nblock_ttl = \"soon\"\n").expect("the folder is ours");
    let garita = |arguments: &[&str]| {
        let output = command(&[&["--config", &damaged], arguments].concat())
            .env("GARITA__CONTROL__SOCKET", stage.path("control.sock"))
            .output();
        Run::from(output.expect("garita starts"))
    };
    for arguments in [
        &["status"][..],
        &["explain", "203.0.113.7"],
        &["blocks", "remove", "203.0.113.7"],
    ] {
        let run = garita(arguments);
        assert_eq!(run.code, 0, "{arguments:?}: {}", run.said);
        assert!(!run.out.is_empty(), "{arguments:?}");
        run.assert_sentence(&["policy.block_ttl is \"soon\"", "all the same"]);
    }
    assert_eq!(stage.print(&["blocks", "list"]), "Nothing is blocked.\n");
    // What would act on the damaged settings does not.
    garita(&["replay", "none.pcap"]).assert_refused(78, &["policy.block_ttl"]);
}

#[test]
fn a_block_that_awaits_confirmation_says_so_until_it_is_confirmed() {
    let stage = Stage::open();
    stage.print(&["blocks", "add", "203.0.113.7", "--confirm", "60s"]);
    let waits = || {
        stage
            .print(&["blocks", "list"])
            .contains("awaits confirmation")
    };
    assert!(waits());
    assert!(
        stage
            .print(&["explain", "203.0.113.7"])
            .contains("garita blocks confirm")
    );
    stage.print(&["blocks", "confirm", "203.0.113.7"]);
    assert!(!waits());
}

#[test]
fn what_is_safe_from_blocks_is_refused_with_its_reason_unless_forced() {
    let stage = Stage::open();
    let refused = stage.garita(&["blocks", "add", "198.51.100.9"]);
    refused.assert_refused(1, &["198.51.100.9/32 cannot be blocked", EXEMPT]);
    let known = stage.print(&["explain", "198.51.100.9"]);
    assert!(
        known.contains("is not blocked, and cannot be: 198.51.100.0/24"),
        "{known}"
    );
    let checked = stage.print(&["allow", "check", "198.51.100.9"]);
    assert!(
        checked.contains("cannot be blocked: 198.51.100.0/24 is exempt"),
        "{checked}"
    );
    stage.print(&["blocks", "add", "198.51.100.9", "--force"]);
    let known = stage.print(&["explain", "198.51.100.9"]);
    assert!(known.contains("It is exempt from other blocks"), "{known}");
}

#[test]
fn allowances_are_listed_checked_and_taken_back() {
    let stage = Stage::open();
    stage.print(&[
        "allow",
        "add",
        "203.0.113.0/28",
        "--ttl",
        "7days",
        "--reason",
        "partner",
    ]);
    let listed = stage.print(&["allow", "list"]);
    assert!(
        listed.contains("203.0.113.0/28") && listed.contains("partner"),
        "{listed}"
    );
    let checked = stage.print(&["allow", "check", "203.0.113.5"]);
    assert!(
        checked.contains("203.0.113.0/28, which holds 203.0.113.5"),
        "{checked}"
    );
    let known = stage.print(&["explain", "203.0.113.5"]);
    assert!(
        known.contains("garita allow remove 203.0.113.0/28"),
        "{known}"
    );
    stage.print(&["allow", "remove", "203.0.113.0/28"]);
    let checked = stage.print(&["allow", "check", "203.0.113.5"]);
    assert!(checked.contains("it can be blocked"), "{checked}");
    assert!(
        stage
            .print(&["allow", "check", "192.0.2.5"])
            .contains("home")
    );
}

#[test]
fn the_switch_is_told_wherever_it_matters() {
    let stage = Stage::open();
    stage.print(&["enforce", "off", "--for", "1h"]);
    let status = stage.print(&["status"]);
    assert!(
        status.contains("enforcement is switched off until"),
        "{status}"
    );
    stage.print(&["enforce", "on"]);
    assert!(stage.print(&["status"]).contains("blocks are enforced"));
    assert_eq!(stage.garita(&["enforce", "on", "--for", "1h"]).code, 2);
}

#[test]
fn the_status_says_what_is_wrong() {
    let stage = Stage::open();
    let status = stage.print(&["status"]);
    for part in [
        "gate-1 at san-juan",
        "3h 12m",
        "ruleset-tampered, since 2023-11-14 22:13:20Z: somebody removed the table\n",
        "pcap (the kernel's meter does not load)",
        "wan0: 12345 packets; no packets are seen now: it is down",
        "17 flows (3 evicted)",
        "kernel-drop 9",
        "nowhere (report.url is not set)",
        "2 wait for a person",
        "21 packets, 1.31 KiB: from_blocked4 21",
        "changes of [capture] count after `systemctl restart garita`",
    ] {
        assert!(status.contains(part), "{part:?} is not in {status}");
    }
    let status: Value = serde_json::from_str(&stage.print(&["status", "--json"]))
        .expect("the status is one document");
    assert_eq!(status["capture"]["interfaces"][0]["packets"], 12_345);
    assert_eq!(status["enforcement"]["switch"], "on");
}

#[test]
fn reviews_are_answered_by_the_beginning_of_their_id() {
    let stage = Stage::open();
    let listed = stage.print(&["review", "list"]);
    assert!(
        listed.contains("203.0.113.50") && listed.contains("DNS [31mall day"),
        "{listed}"
    );
    let known = stage.print(&["explain", "203.0.113.50"]);
    assert!(
        known.contains(&format!("garita review approve {}", "ab12".repeat(8))),
        "{known}"
    );
    stage.print(&["review", "approve", "ab12ab12ab"]);
    stage.print(&[
        "review",
        "dismiss",
        &"cd34".repeat(8),
        "--reason",
        "our own",
    ]);
    assert_eq!(
        stage.print(&["review", "list"]),
        "Nothing waits for a person.\n"
    );
    stage
        .garita(&["review", "approve", "ab12ab12ab"])
        .assert_refused(1, &["ab12ab12ab"]);
    stage
        .garita(&["review", "dismiss", "../status"])
        .assert_refused(1, &["\"../status\" is not the id"]);
    let answered = stage.print(&["review", "list", "--state", "dismissed", "--json"]);
    assert!(answered.contains("203.0.113.60"), "{answered}");
}

#[test]
fn incidents_are_listed_told_and_handed_on_as_evidence() {
    let stage = Stage::with(Memory::of_a_capture());
    let incident = &stage.archive.incidents[0];
    let text = |value: &Value| value.as_str().expect("it is text").to_owned();
    let (id, message) = (text(&incident["event"]["id"]), text(&incident["message"]));
    let offender = text(&incident["garita"]["offender"]);

    let listed = stage.print(&["incidents", "list", &offender, "--class", "brute-force"]);
    assert!(
        listed.contains(&id[..10]) && listed.contains(&message),
        "{listed}"
    );
    let none = stage.print(&["incidents", "list", "--since", "1h"]);
    assert_eq!(none, "No incident is recorded.\n");
    let told = stage.print(&["incidents", "show", &id[..10]]);
    for part in [
        &message,
        "What raised the score most:",
        "How it went on:\n- ",
    ] {
        assert!(told.contains(part), "{part:?} is not in {told}");
    }
    let known = stage.print(&["explain", &offender]);
    assert!(
        known.contains(&message) && known.contains("is not blocked."),
        "{known}"
    );

    let folder = stage.path("evidence");
    stage.print(&["incidents", "export", &id, "-o", &folder]);
    let checked = Command::new("sha256sum")
        .args(["--check", "--strict", "SHA256SUMS"])
        .current_dir(&folder)
        .output()
        .expect("sha256sum starts");
    let checked = String::from_utf8_lossy(&checked.stdout).into_owned();
    assert_eq!(
        checked,
        "incident.jsonl: OK\nfeatures.csv: OK\nheaders.pcap: OK\n"
    );
    let read = |name: &str| fs::read(format!("{folder}/{name}")).expect("the file is there");
    assert_eq!(read("headers.pcap"), HEADERS);
    let kept: Value = serde_json::from_slice(&read("incident.jsonl")).expect("it is JSON");
    assert_eq!(&kept, incident);
    let again = stage.garita(&["incidents", "export", &id, "-o", &folder]);
    again.assert_refused(1, &["evidence", "not empty"]);
    stage
        .garita(&["incidents", "show", &"0".repeat(32)])
        .assert_refused(1, &["there is no incident 000"]);
}

#[test]
fn a_store_that_fails_takes_the_past_away_and_not_the_answer() {
    let stage = Stage::with(Memory {
        failing: true,
        ..Memory::default()
    });
    let known = stage.print(&["explain", SUSPECT]);
    for part in [
        "is not blocked",
        "Suspicion: 4.2, and it is acted on at 9.0",
        "the disk is gone",
    ] {
        assert!(known.contains(part), "{part:?} is not in {known}");
    }
    stage
        .garita(&["incidents", "list"])
        .assert_refused(1, &["the store cannot be read: the disk is gone"]);
}

#[test]
fn a_prefix_is_explained_by_what_is_in_it() {
    let memory = Memory::of_a_capture();
    let offender = memory.incidents[0]["garita"]["offender"].as_str();
    let offender: IpAddr = offender
        .and_then(|text| text.parse().ok())
        .expect("an offender");
    let net = ipnet::IpNet::new(offender, 24)
        .expect("a prefix")
        .trunc()
        .to_string();
    let stage = Stage::with(memory);
    let known = stage.print(&["explain", &net]);
    let listed = stage.print(&["incidents", "list", &net]);
    assert!(known.contains("Incidents, the newest first:"), "{known}");
    assert!(listed.lines().count() > 1, "{listed}");
    for incident in listed.lines().skip(1) {
        assert!(
            known.contains(incident.trim_end()),
            "{incident:?} is not in {known}"
        );
    }
    let nothing = stage.print(&["explain", "2001:db8:ffff::/48"]);
    assert!(
        nothing.contains("Nothing in 2001:db8:ffff::/48 or around it is blocked."),
        "{nothing}"
    );
    assert!(nothing.ends_with("None is recorded.\n"), "{nothing}");
}

#[test]
fn a_command_that_makes_no_sense_is_usage_and_a_missing_sensor_is_told() {
    let stage = Stage::open();
    for wrong in [
        &["blocks", "add", "here"][..],
        &["blocks", "add", "203.0.113.7", "--ttl", "soon"],
        &["explain", "203.0.113.0/33"],
        &["incidents", "list", "--class", "rudeness"],
        &["enforce"],
    ] {
        assert_eq!(stage.garita(wrong).code, 2, "{wrong:?}");
    }
    let config = stage.path("elsewhere.toml");
    let socket = stage.path("nobody.sock");
    fs::write(&config, format!("[control]\nsocket = {socket:?}\n")).expect("the folder is ours");
    for command in [
        &["status"][..],
        &["explain", "203.0.113.7"],
        &["blocks", "list"],
        &["allow", "list"],
        &["incidents", "list"],
        &["review", "list"],
        &["enforce", "on"],
        &["audit", "verify"],
    ] {
        let run = run(&[&["--config", &config], command].concat());
        run.assert_refused(1, &["no sensor answers at", "nobody.sock", "`garita run`"]);
    }
}
