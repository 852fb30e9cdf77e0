//! Files of other versions: an older one is brought up to date, a newer one is left alone.

use rusqlite::Connection;

use sensor::store::{Entry, State, Store};

use super::sample::{NOW, config, message, now, said};

#[test]
fn an_older_file_is_brought_up_to_date_with_what_it_holds() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("garita.db");
    let old = Connection::open(&path).unwrap();
    old.execute_batch(include_str!(
        "../../sensor/src/store/migrations/0001-records.sql"
    ))
    .unwrap();
    old.execute(
        "INSERT INTO block (target, low, high, state, origin, by, reason, offence, begun) VALUES
         ('203.0.113.7/32', zeroblob(16), zeroblob(16), 'observed', 'operator', 'root', 'by hand', 0, ?1)",
        [NOW.micros()],
    )
    .unwrap();
    old.pragma_update(None, "user_version", 1).unwrap();
    drop(old);

    let (store, recovered) = Store::open(&config(&path, ""), now);
    assert_eq!(recovered.blocks.len(), 1);
    assert_eq!(recovered.blocks[0].target.to_string(), "203.0.113.7/32");
    assert_eq!(store.health().state, State::Ok);
    store.record(Entry::Publish(message("new", 1)));
    store.record(said("new"));
    store.clone().close();
    let reader = store.reader().unwrap();
    assert_eq!(reader.outbox_extent().unwrap().pending, 1);
    assert_eq!(reader.audit(1, 10).unwrap().len(), 1);
}

#[test]
fn a_newer_file_is_refused_and_not_touched() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("garita.db");
    let newer = Connection::open(&path).unwrap();
    newer
        .execute_batch("CREATE TABLE future (a); PRAGMA user_version = 99")
        .unwrap();
    drop(newer);
    let (store, _) = Store::open(&config(&path, ""), now);
    store.record(said("waits"));
    let State::Failing { why, .. } = store.health().state else {
        panic!("a newer file was opened");
    };
    assert!(
        why.contains("version 99") && why.contains("garita.db"),
        "{why}"
    );
    store.close();
    let newer = Connection::open(&path).unwrap();
    let tables: u32 = newer
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .unwrap();
    assert_eq!(tables, 1);
}
