//! Captures in, incidents out: the golden cases, and what a replay promises whatever the capture.
//! `GARITA_BLESS=1` takes what is printed now for what is expected; look at the difference before committing it.

use std::fs;
use std::io::Read;
use std::process::Stdio;

use serde_json::Value;

use crate::garita::{capture, cases, command, garita};
use crate::recording::Recording;

/// The case with an attack of every common kind beside ordinary people.
const CASE: &str = "nmap-and-ssh";

#[test]
fn golden_captures_give_the_expected_incidents_every_time() {
    let bless = std::env::var_os("GARITA_BLESS").is_some_and(|value| value == "1");
    let mut wrong = Vec::new();
    for case in cases() {
        let input = case.join("input.pcap");
        let input = input.to_str().expect("the checkout's path is UTF-8");
        let run = garita(&["replay", "--json", input]);
        assert_eq!((run.code, run.said.as_str()), (0, ""), "{input}");
        let again = garita(&["replay", "--json", input]);
        assert_eq!(run.out, again.out, "{input} twice");
        let path = case.join("expected.jsonl");
        if bless {
            fs::write(&path, &run.out).expect("a golden case can be written");
        }
        let expected = fs::read_to_string(&path).unwrap_or_default();
        if run.out != expected {
            wrong.push(difference(&case.display().to_string(), &expected, &run.out));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn incidents_come_in_the_order_of_time_each_once() {
    let run = garita(&["replay", "--json", &capture("syn-flood-forged")]);
    let keys: Vec<(String, String)> = run.out.lines().map(key).collect();
    assert!(!keys.is_empty());
    let mut ordered = keys.clone();
    ordered.sort();
    ordered.dedup();
    assert_eq!(keys, ordered);
}

#[test]
fn a_rotated_capture_is_one_stream() {
    let whole = capture(CASE);
    let recording = Recording::read(&whole);
    let folder = tempfile::tempdir().expect("a folder can be made");
    let half = recording.records.len() / 2;
    let names: Vec<String> = [&recording.records[..half], &recording.records[half..]]
        .into_iter()
        .enumerate()
        .map(|(part, records)| {
            let path = folder.path().join(format!("part{part}.pcap"));
            fs::write(&path, recording.with(records)).expect("a part can be written");
            path.to_str().expect("the folder's path is UTF-8").into()
        })
        .collect();
    let parts = garita(&["replay", "--json", &names[0], &names[1]]);
    assert_eq!(parts.code, 0, "{}", parts.said);
    assert_eq!(parts.out, garita(&["replay", "--json", &whole]).out);
}

#[test]
fn a_person_reads_incidents_blocks_and_counts() {
    let run = garita(&["replay", &capture(CASE)]);
    assert_eq!((run.code, run.said.as_str()), (0, ""));
    for part in [
        "WHAT HAPPENED",
        "WOULD BE BLOCKED",
        "203.0.113.11",
        " frames, ",
    ] {
        assert!(run.out.contains(part), "{part:?} is not in\n{}", run.out);
    }
}

#[test]
fn a_model_agrees_with_itself() {
    let model = crate::garita::root().join("config/model.garita");
    let model = model.to_str().expect("the checkout's path is UTF-8");
    let run = garita(&["replay", "--compare", model, &capture(CASE)]);
    assert_eq!((run.code, run.said.as_str()), (0, ""));
    assert!(run.out.contains("They agree on everything"), "{}", run.out);
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let input = capture(CASE);
    // More rows than a pipe holds, so that writing must fail.
    let inputs = [input.as_str(); 8];
    let mut child = command(&[&["flows"], &inputs[..]].concat())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("garita starts");
    let mut byte = [0];
    let mut out = child.stdout.take().expect("its output is ours");
    out.read_exact(&mut byte).expect("it prints");
    drop(out);
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

fn key(line: &str) -> (String, String) {
    let incident: Value = serde_json::from_str(line).expect("a line is JSON");
    let text = |value: &Value| value.as_str().expect("it is text").to_owned();
    (
        text(&incident["@timestamp"]),
        text(&incident["event"]["id"]),
    )
}

/// The first line that differs, from a little before where it does.
fn difference(case: &str, expected: &str, found: &str) -> String {
    let (mut expected, mut found) = (expected.lines(), found.lines());
    for line in 1.. {
        let (wanted, got) = (expected.next(), found.next());
        if wanted != got || wanted.is_none() {
            let (wanted, got) = (wanted.unwrap_or("nothing"), got.unwrap_or("nothing"));
            let pairs = wanted.chars().zip(got.chars());
            let alike = pairs.take_while(|(one, other)| one == other).count();
            let shown = |line: &str| -> String {
                let from = alike.saturating_sub(60);
                line.chars().skip(from).take(160).collect()
            };
            return format!(
                "{case}, line {line}, character {alike}:\n  expected …{}\n  found    …{}",
                shown(wanted),
                shown(got)
            );
        }
    }
    String::new()
}
