//! Disks and files that fail: the store says so, keeps what comes, and goes on by itself once it can.

use std::fs;
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;
use std::process::Command;
use std::thread;

use nix::sched::{CloneFlags, unshare};

use sensor::store::{AuditCheck, Entry, Kind, State, Store};

use super::sample::{block, config, eventually, message, now, said};
use crate::skip::skip;

fn why(store: &Store) -> String {
    match store.health().state {
        State::Ok => String::new(),
        State::Failing { why, .. } => why,
    }
}

fn audited(store: &Store) -> Vec<String> {
    let reader = store.reader().unwrap();
    assert!(matches!(
        reader.verify_audit().unwrap(),
        AuditCheck::Whole { .. }
    ));
    reader
        .audit(1, 100_000)
        .unwrap()
        .into_iter()
        .map(|entry| entry.object)
        .collect()
}

/// Runs `test` on a thread whose mounts nobody else sees, and which go with it.
fn with_own_mounts(name: &str, test: impl FnOnce() + Send + 'static) {
    let done = thread::spawn(move || {
        if unshare(CloneFlags::CLONE_NEWNS).is_err() || !mount(&["--make-rprivate", "/"]) {
            return Err("no mount namespace can be made");
        }
        test();
        Ok(())
    });
    match done.join() {
        Ok(Ok(())) => {}
        Ok(Err(reason)) => skip(name, reason),
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

fn mount(arguments: &[&str]) -> bool {
    Command::new("mount")
        .args(arguments)
        .status()
        .is_ok_and(|status| status.success())
}

#[test]
fn without_a_folder_it_says_so_and_begins_when_there_is_one() {
    let folder = tempfile::tempdir().unwrap();
    let parent = folder.path().join("parent");
    fs::write(&parent, "a file").unwrap();
    let path = parent.join("garita.db");
    let (store, recovered) = Store::open(&config(&path, ""), now);
    assert_eq!(recovered, sensor::store::Recovered::default());
    assert!(why(&store).contains("garita.db"), "{}", why(&store));
    assert!(store.reader().is_err() && store.epoch().is_none());
    for number in 0..10 {
        store.record(said(&number.to_string()));
    }
    assert_eq!(store.health().waiting, 10);

    fs::remove_file(&parent).unwrap();
    fs::create_dir(&parent).unwrap();
    eventually("it works", || store.health().state == State::Ok);
    assert_eq!(store.health().waiting, 0);
    assert!(
        audited(&store)
            .iter()
            .map(String::as_str)
            .eq(["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"])
    );
    assert!(store.epoch().is_some());
}

#[test]
fn what_waits_is_bounded_and_messages_go_before_blocks_and_audit() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("missing/garita.db");
    let (store, _) = Store::open(&config(&path, "[store]\nmax_waiting_mib = 1\n"), now);
    for number in 0..1_000_u32 {
        store.record(Entry::Publish(message(&number.to_string(), 4)));
        store.record(Entry::Block(block(
            &format!("2001:db8::{number:x}/128"),
            0,
            Some(600),
        )));
        store.record(said(&number.to_string()));
    }
    let health = store.health();
    assert!(health.waiting_bytes <= 1 << 20, "{}", health.waiting_bytes);
    assert!(health.lost[&Kind::Message] > 500, "{:?}", health.lost);
    assert_eq!(health.lost.len(), 1, "{:?}", health.lost);
    fs::create_dir(folder.path().join("missing")).unwrap();
    eventually("it works", || {
        store.health().state == State::Ok && store.health().waiting == 0
    });
    assert_eq!(audited(&store).len(), 1_000);
    store.close();
    let (_store, recovered) = Store::open(&config(&path, ""), now);
    assert_eq!(recovered.blocks.len(), 1_000);
}

#[test]
fn a_file_system_that_is_read_only_still_gives_its_blocks_and_is_written_once_it_can_be() {
    with_own_mounts("read-only store", || {
        let folder = tempfile::tempdir().unwrap();
        let disk = folder.path().to_str().unwrap();
        assert!(mount(&[
            "-t",
            "tmpfs",
            "-o",
            "size=16m",
            "garita-test",
            disk
        ]));
        let config = config(&folder.path().join("garita.db"), "");
        let (store, _) = Store::open(&config, now);
        store.record(Entry::Block(block("203.0.113.7/32", 0, Some(600))));
        store.close();
        assert!(mount(&["-o", "remount,ro", disk]));

        let (store, recovered) = Store::open(&config, now);
        assert_eq!(recovered.blocks.len(), 1);
        assert!(why(&store).contains("read-only"), "{}", why(&store));
        store.record(said("while read-only"));
        assert!(store.reader().unwrap().audit(1, 10).unwrap().is_empty());
        assert!(mount(&["-o", "remount,rw", disk]));
        eventually("it works", || store.health().state == State::Ok);
        assert_eq!(audited(&store), ["while read-only"]);
        store.close();
    });
}

#[test]
fn a_full_disk_loses_nothing_that_has_room_in_memory() {
    with_own_mounts("full disk", || {
        let folder = tempfile::tempdir().unwrap();
        let disk = folder.path().to_str().unwrap();
        assert!(mount(&[
            "-t",
            "tmpfs",
            "-o",
            "size=8m",
            "garita-test",
            disk
        ]));
        let (store, _) = Store::open(&config(&folder.path().join("garita.db"), ""), now);
        let mut filler = fs::File::create(folder.path().join("filler")).unwrap();
        while filler.write_all(&[0; 4_096]).is_ok() {}
        for number in 0..2_000_u32 {
            store.record(said(&number.to_string()));
            store.record(Entry::Publish(message(&number.to_string(), 1)));
        }
        eventually("it fails", || why(&store).contains("full"));
        drop(filler);
        fs::remove_file(folder.path().join("filler")).unwrap();
        assert!(mount(&["-o", "remount,size=64m", disk]));
        eventually("all is written", || {
            store.health().state == State::Ok && store.health().waiting == 0
        });
        let health = store.health();
        assert!(health.lost.is_empty(), "{:?}", health.lost);
        let expected: Vec<String> = (0..2_000).map(|number| number.to_string()).collect();
        assert_eq!(audited(&store), expected);
        assert_eq!(
            store.reader().unwrap().outbox_extent().unwrap().pending,
            2_000
        );
        store.close();
    });
}

#[test]
fn a_file_that_is_no_database_is_moved_aside() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("garita.db");
    fs::write(&path, "this is no database, and as long as a header of one would have to be: one hundred bytes and more").unwrap();
    let (store, recovered) = Store::open(&config(&path, ""), now);
    assert!(recovered.blocks.is_empty());
    let health = store.health();
    assert_eq!(health.state, State::Ok);
    assert!(health.replaced.unwrap().contains(".corrupt-1700000000"));
    let aside = fs::read_to_string(folder.path().join("garita.db.corrupt-1700000000")).unwrap();
    assert!(aside.starts_with("this is no database"));
    store.record(said("new"));
    store.clone().close();
    assert_eq!(audited(&store), [path.to_str().unwrap(), "new"]);
}

#[test]
fn of_a_damaged_file_what_can_be_read_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("garita.db");
    let (store, _) = Store::open(&config(&path, ""), now);
    for number in 0..5_000_u32 {
        store.record(Entry::Block(block(
            &format!("2001:db8::{number:x}/128"),
            0,
            Some(600),
        )));
    }
    store.record(Entry::Setting {
        key: "enforcement",
        value: "off".to_owned(),
    });
    let epoch = store.epoch();
    store.close();
    ruin(&path, "block");

    let (store, recovered) = Store::open(&config(&path, ""), now);
    let health = store.health();
    assert_eq!(health.state, State::Ok);
    assert!(health.replaced.is_some());
    assert_ne!(store.epoch(), epoch, "other numbers need another epoch");
    assert!(
        (1..5_000).contains(&recovered.blocks.len()),
        "{}",
        recovered.blocks.len()
    );
    assert_eq!(recovered.settings["enforcement"], "off");
    store.close();
    let (_store, again) = Store::open(&config(&path, ""), now);
    assert_eq!(again.blocks.len(), recovered.blocks.len());
    assert_eq!(again.settings["enforcement"], "off");
}

#[test]
fn damage_that_shows_while_it_runs_is_survived_with_what_waits() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("garita.db");
    let (store, _) = Store::open(&config(&path, ""), now);
    for number in 0..2_000_u32 {
        store.record(said(&number.to_string()));
    }
    store.record(Entry::Setting {
        key: "enforcement",
        value: "off".to_owned(),
    });
    store.close();
    ruin(&path, "audit");

    let (store, recovered) = Store::open(&config(&path, ""), now);
    assert_eq!(recovered.settings["enforcement"], "off");
    assert!(
        store.health().replaced.is_none(),
        "the audit trail is not read at the start"
    );
    store.record(said("after the damage"));
    eventually("the file is replaced", || {
        store.health().replaced.is_some() && store.health().waiting == 0
    });
    assert_eq!(
        audited(&store),
        [path.to_str().unwrap(), "after the damage"]
    );
    store.close();
    let (_store, recovered) = Store::open(&config(&path, ""), now);
    assert_eq!(recovered.settings["enforcement"], "off");
}

/// Overwrites every page of a table but the first third.
fn ruin(path: &Path, table: &str) {
    let db = rusqlite::Connection::open(path).unwrap();
    db.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    let sql = "SELECT pageno FROM dbstat WHERE name = ?1 AND pagetype = 'leaf' ORDER BY path";
    let mut statement = db.prepare(sql).unwrap();
    let pages = statement
        .query_map([table], |row| row.get::<_, u64>(0))
        .unwrap();
    let pages: Vec<u64> = pages.map(Result::unwrap).collect();
    drop(statement);
    drop(db);
    assert!(pages.len() > 10, "{} pages", pages.len());
    let mut file = fs::OpenOptions::new().write(true).open(path).unwrap();
    for page in &pages[pages.len() / 3..] {
        file.seek(SeekFrom::Start((page - 1) * 4_096)).unwrap();
        file.write_all(&[0xff; 4_096]).unwrap();
    }
}

#[test]
fn a_file_that_somebody_deletes_is_noticed_and_begun_anew() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("garita.db");
    let (store, _) = Store::open(&config(&path, ""), now);
    store.record(Entry::Block(block("203.0.113.7/32", 0, Some(600))));
    eventually("it is written", || store.health().waiting == 0);
    fs::remove_file(&path).unwrap();
    store.record(said("later"));
    eventually("it is written anew", || store.health().waiting == 0);
    assert!(store.health().replaced.unwrap().contains("was deleted"));
    assert_eq!(audited(&store), [path.to_str().unwrap(), "later"]);
    store.close();
    let (_store, recovered) = Store::open(&config(&path, ""), now);
    assert_eq!(recovered.blocks.len(), 1);
}
