//! `kill -9` in the middle of writing: nothing older than a second is lost, and what is there fits together.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use sensor::store::{AuditCheck, Entry, IncidentQuery, Page, Store};

use super::sample::{block, config, incident, now, said};

/// Where the child writes; unset nobody is a child.
const FILE: &str = "GARITA_TEST_STORE";
/// The first number the child uses.
const FROM: &str = "GARITA_TEST_FROM";

/// The program that is killed. It writes until then, and says on stdout what it has recorded.
#[test]
fn writes_until_it_is_killed() {
    let (Some(path), Ok(from)) = (std::env::var_os(FILE), std::env::var(FROM)) else {
        return;
    };
    let (store, _) = Store::open(&config(Path::new(&path), ""), now);
    let (_open, never) = mpsc::channel::<()>();
    let mut out = std::io::stdout();
    for number in from.parse::<u32>().unwrap().. {
        let address = std::net::Ipv4Addr::from(0xcb00_7100 | number & 0xff);
        store.record(said(&number.to_string()));
        store.record(incident(&number.to_string(), &address.to_string(), 1));
        store.record(Entry::Block(block(
            &format!("2001:db8::{number:x}/128"),
            0,
            Some(600),
        )));
        if writeln!(out, "recorded {number}")
            .and_then(|()| out.flush())
            .is_err()
        {
            return;
        }
        _ = never.recv_timeout(Duration::from_micros(500));
    }
}

#[test]
fn killed_at_any_moment_it_loses_nothing_older_than_a_second() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("garita.db");
    let mut from = 1;
    // Together with the commits every tenth of a second these spans end at ever other points of a transaction.
    for span in [1_100, 1_137, 1_251, 1_313, 1_492] {
        let recorded = run_and_kill(&path, from, Duration::from_millis(span));
        let (now_known, old) = check(&path);
        let killed = recorded.last().unwrap().1;
        let due = recorded
            .iter()
            .filter(|(_, at)| killed.duration_since(*at) > Duration::from_secs(1));
        let due: Vec<u32> = due.map(|(number, _)| *number).collect();
        assert!(!due.is_empty(), "nothing was a second old");
        let lost: Vec<_> = due
            .iter()
            .filter(|number| !now_known.contains(number))
            .collect();
        assert!(lost.is_empty(), "{lost:?} of {old} are lost");
        from = recorded.last().unwrap().0 + 1;
    }
}

/// Runs the child for about `span` after its first word; returns what it said, and when.
fn run_and_kill(path: &Path, from: u32, span: Duration) -> Vec<(u32, Instant)> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "store::crash::writes_until_it_is_killed",
            "--nocapture",
        ])
        .env(FILE, path)
        .env(FROM, from.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut recorded: Vec<(u32, Instant)> = Vec::new();
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        let Some((_, number)) = line.split_once("recorded ") else {
            continue;
        };
        recorded.push((number.parse().unwrap(), Instant::now()));
        if recorded[0].1.elapsed() > span {
            child.kill().unwrap();
            break;
        }
    }
    child.wait().unwrap();
    recorded
}

/// Opens what the child left, and returns the numbers of which all is there.
fn check(path: &Path) -> (BTreeSet<u32>, usize) {
    let (store, recovered) = Store::open(&config(path, ""), now);
    let reader = store.reader().unwrap();
    let AuditCheck::Whole { entries, .. } = reader.verify_audit().unwrap() else {
        panic!("the audit trail is broken: {:?}", reader.verify_audit());
    };
    let page = Page {
        limit: 1_000_000,
        skip: 0,
    };
    let incidents = reader.incidents(&IncidentQuery::default(), page).unwrap();
    let posted = reader.outbox(0, 1_000_000).unwrap();
    assert!(
        posted.iter().map(|p| p.seq).eq(1..=posted.len() as u64),
        "a number is missing or twice"
    );
    let told: BTreeSet<_> = posted.iter().map(|p| p.message.id.clone()).collect();
    assert_eq!(
        told.len(),
        incidents.len(),
        "an incident without its message, or twice"
    );
    let said = reader.audit(1, 1_000_000).unwrap();
    assert_eq!(said.len() as u64, entries);
    let blocked: BTreeSet<_> = recovered
        .blocks
        .iter()
        .map(|block| block.target.to_string())
        .collect();
    let known = said
        .iter()
        .map(|entry| entry.object.parse::<u32>().unwrap())
        .filter(|number| {
            told.contains(&format!("{number}/1"))
                && blocked.contains(&format!("2001:db8::{number:x}/128"))
        });
    (known.collect(), said.len())
}
