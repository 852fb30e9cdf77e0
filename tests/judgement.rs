//! Who is accused, and of what: traffic written from schedules, replayed, and judged by the incidents alone.
//! Every scene stands for a kind: numbers, addresses and the length of TCP's options are no matter, so each is tried with
//! 0, 12 and 20 bytes of options.

pub(crate) mod scenes;

use std::fs;

use serde_json::Value;

use crate::garita::garita;
use scenes::{OPTIONS, Scene, attacks, innocents, pcap};

/// Replays a scene and returns its incidents.
fn incidents(scene: &Scene, options: usize) -> Vec<Value> {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let path = folder.path().join("scene.pcap");
    fs::write(&path, pcap(&scene.frames(options))).expect("a capture can be written");
    let run = garita(&["replay", "--json", path.to_str().expect("UTF-8")]);
    assert_eq!((run.code, run.said.as_str()), (0, ""), "{}", scene.name);
    let lines = run.out.lines();
    lines
        .map(|line| serde_json::from_str(line).expect("a line is JSON"))
        .collect()
}

fn text<'a>(incident: &'a Value, path: &str) -> &'a str {
    incident.pointer(path).and_then(Value::as_str).unwrap_or("")
}

#[test]
fn nobody_innocent_is_accused() {
    let mut wrong = Vec::new();
    for scene in innocents() {
        for options in OPTIONS {
            let told = incidents(&scene, options);
            let messages = told.iter().map(|incident| text(incident, "/message"));
            wrong.extend(messages.map(|message| format!("{}, {options}: {message}", scene.name)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn attacks_are_named_by_what_they_are_and_whose() {
    let mut wrong = Vec::new();
    for scene in attacks() {
        for options in OPTIONS {
            let told = incidents(&scene, options);
            let fits = |incident: &&Value| {
                text(incident, "/garita/class") == scene.class
                    && text(incident, "/garita/decision") == scene.decision
                    && [
                        text(incident, "/garita/offender"),
                        text(incident, "/garita/victim"),
                        text(incident, "/garita/block/target"),
                    ]
                    .contains(&scene.whom)
            };
            if !told.iter().any(|incident| fits(&incident)) {
                wrong.push(format!("{}, {options}: {told:?}", scene.name));
            }
            for incident in &told {
                let known = ["scan", "brute-force", "flood", "slow-dos"];
                let offender = text(incident, "/garita/offender");
                if known.contains(&text(incident, "/garita/class")) && !offender.is_empty() {
                    assert_eq!(text(incident, "/source/ip"), offender, "{}", scene.name);
                    assert_ne!(text(incident, "/destination/ip"), offender);
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_scan_is_found_after_as_many_probes_whatever_its_packets_look_like() {
    for name in ["refused ports after a visit", "a sweep for a database"] {
        let found: Vec<u64> = OPTIONS
            .into_iter()
            .map(|options| {
                let scene = attacks().find(|scene| scene.name == name);
                let told = incidents(&scene.expect("the scene is there"), options);
                let snapshots = told[0].pointer("/garita/evidence/snapshots");
                snapshots.and_then(Value::as_u64).expect("a number")
            })
            .collect();
        assert!(
            found.iter().all(|probes| *probes == found[0]),
            "{name}: {found:?}"
        );
    }
}
