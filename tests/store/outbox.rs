//! The outbox as a publisher uses it: numbers, acknowledgements, sending again, and what a full one gives up.

use sensor::store::{Dropped, Entry, Store};

use super::sample::{config, eventually, message, now};

#[test]
fn numbers_go_on_after_a_restart_and_what_was_sent_can_be_sent_again() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(&folder.path().join("garita.db"), "");
    let (store, _) = Store::open(&config, now);
    let mut changed = store.outbox_changed();
    assert_eq!(*changed.borrow_and_update(), 0);
    for id in ["a", "b", "c"] {
        store.record(Entry::Publish(message(id, 2)));
    }
    eventually("the publisher hears of the messages", || {
        *changed.borrow_and_update() == 3
    });
    for seq in [1, 3] {
        store.record(Entry::Sent { seq });
    }
    store.close();

    let (store, _) = Store::open(&config, now);
    assert_eq!(*store.outbox_changed().borrow(), 3);
    store.record(Entry::Publish(message("d", 2)));
    store.clone().close();
    let reader = store.reader().unwrap();
    let seqs = |posted: Vec<sensor::store::Posted>| {
        posted.iter().map(|p| (p.seq, p.sent)).collect::<Vec<_>>()
    };
    assert_eq!(
        seqs(reader.outbox(0, 10).unwrap()),
        [(2, false), (4, false)]
    );
    assert_eq!(seqs(reader.outbox(2, 10).unwrap()), [(4, false)]);
    assert_eq!(
        seqs(reader.messages_from(2, 2).unwrap()),
        [(2, false), (3, true)]
    );
    assert!(reader.messages_from(u64::MAX, 2).unwrap().is_empty());
    let extent = reader.outbox_extent().unwrap();
    assert_eq!(
        (extent.pending, extent.sent, extent.first, extent.last),
        (2, 2, Some(1), 4)
    );
}

#[test]
fn a_full_outbox_gives_up_the_least_severe_and_says_which() {
    let folder = tempfile::tempdir().unwrap();
    let settings = "[report]\noutbox_max_messages = 100\n";
    let config = config(&folder.path().join("garita.db"), settings);
    let (store, _) = Store::open(&config, now);
    for number in 0..150 {
        // The first matters most, and the sixty after it least.
        let severity = match number {
            0 => 4,
            1..=60 => 1,
            _ => 3,
        };
        store.record(Entry::Publish(message(&number.to_string(), severity)));
    }
    store.clone().close();
    let reader = store.reader().unwrap();
    assert_eq!(reader.outbox_extent().unwrap().pending, 100);
    let next: Vec<_> = reader.outbox(0, 2).unwrap().iter().map(|p| p.seq).collect();
    assert_eq!(next, [1, 52]);
    assert_eq!(
        reader.dropped_ranges(10).unwrap(),
        [Dropped { first: 2, last: 51 }]
    );
    drop(store);

    let (store, _) = Store::open(&config, now);
    store.record(Entry::LossReported { first: 2, last: 51 });
    store.record(Entry::Publish(message("one more", 4)));
    store.clone().close();
    let reader = store.reader().unwrap();
    assert_eq!(
        reader.dropped_ranges(10).unwrap(),
        [Dropped {
            first: 52,
            last: 52
        }]
    );
    assert_eq!(reader.dropped_from(50, 10).unwrap().len(), 2);
}
