//! Orders through their lives, in a time of the tests' own.

use super::*;
use crate::moment::SECOND;

fn order(id: &str) -> Order {
    Order {
        id: id.to_owned(),
        cause: "fleet-1".to_owned(),
        site: "north".to_owned(),
        sensor: "a".to_owned(),
        action: "block".to_owned(),
        command:
            r#"{"action":"block","target":"203.0.113.9","ttl":3600,"reason":"seen elsewhere"}"#
                .to_owned(),
        state: OrderState::Queued,
        reason: None,
        message: None,
        ordered_by: "fleet policy".to_owned(),
        why: "{}".to_owned(),
        created: 0,
        holds_until: 3_600 * SECOND,
        attempts: 0,
        sent_at: None,
        answered_at: None,
    }
}

fn book() -> Book {
    Book::new(Orders::default(), vec![order("o1")])
}

fn ttl(sendable: &Sendable) -> u64 {
    match &sendable.command.command {
        Word::Act(Action::Block {
            ttl: Lifetime::For(span),
            ..
        }) => span.as_secs(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_order_is_sent_once_and_done_when_it_is_answered() {
    let mut book = book();
    let (sent, _) = book.due(0, |_, _| false);
    assert_eq!(
        (sent[0].command.id.as_str(), ttl(&sent[0])),
        ("o1-1", 3_600)
    );
    assert!(book.due(SECOND, |_, _| false).0.is_empty());
    let done = book
        .answer("o1-1", (ReplyOutcome::Done, None, "blocked"), 2 * SECOND)
        .unwrap();
    assert_eq!(
        (done.state, done.answered_at),
        (OrderState::Done, Some(2 * SECOND))
    );
    assert!(
        book.answer("o1-1", (ReplyOutcome::Done, None, ""), 3)
            .is_none()
            && book.is_empty()
    );
}

#[test]
fn a_sensor_that_is_away_gets_what_still_holds_with_what_is_left_of_it() {
    let mut book = book();
    book.add(Order {
        holds_until: 1_800 * SECOND,
        ..order("o2")
    });
    assert_eq!(book.due(0, |_, _| true), (Vec::new(), Vec::new()));
    let (_, gone) = book.due(1_800 * SECOND, |_, _| true);
    assert_eq!(
        (gone[0].id.as_str(), gone[0].state),
        ("o2", OrderState::Expired)
    );
    book.is_back(("north", "a"), 3_000 * SECOND);
    let (sent, _) = book.due(3_000 * SECOND, |_, _| false);
    assert_eq!((sent.len(), ttl(&sent[0])), (1, 600));
}

#[test]
fn silence_is_told_and_the_order_given_again_once_its_command_has_expired() {
    let mut book = book();
    book.due(0, |_, _| false);
    let (_, told) = book.due(10 * SECOND, |_, _| false);
    assert_eq!(told[0].state, OrderState::Silent);
    assert!(book.due(59 * SECOND, |_, _| false).0.is_empty());
    let (again, _) = book.due(60 * SECOND, |_, _| false);
    assert_eq!(again[0].command.id, "o1-2");
    assert!(book.due(179 * SECOND, |_, _| false).0.is_empty());
    assert_eq!(book.due(180 * SECOND, |_, _| false).0.len(), 1);
    let late = book.answer("o1-1", (ReplyOutcome::Done, None, ""), 181 * SECOND);
    assert_eq!(late.unwrap().state, OrderState::Done);
}

#[test]
fn a_refusal_ends_an_order_unless_it_passes() {
    let mut book = book();
    book.due(0, |_, _| false);
    assert!(
        book.answer("o1-1", (ReplyOutcome::Refused, Some("repeated"), ""), 1)
            .is_none()
    );
    let passing = book
        .answer("o1-1", (ReplyOutcome::Refused, Some("overrun"), ""), 1)
        .unwrap();
    assert!(passing.state.is_open());
    book.due(60 * SECOND, |_, _| false);
    let end = book
        .answer("o1-2", (ReplyOutcome::Refused, Some("exempt"), "home"), 61)
        .unwrap();
    assert_eq!(
        (end.state, end.reason.as_deref()),
        (OrderState::Refused, Some("exempt"))
    );
}

#[test]
fn what_is_withdrawn_is_not_sent() {
    let mut book = book();
    assert_eq!(book.withdraw("fleet-1")[0].state, OrderState::Withdrawn);
    assert!(book.due(0, |_, _| false).0.is_empty());
}

#[test]
fn what_can_be_taken_back_waits_and_is_let_go_of_when_it_was() {
    let mut book = Book::new(Orders::default(), Vec::new());
    for id in ["o1", "o2"] {
        book.add(Order {
            created: 10 * SECOND,
            ..order(id)
        });
    }
    assert!(book.due(9 * SECOND, |_, _| false).0.is_empty());
    book.keep(&BTreeSet::from(["o2".to_owned()]), 9 * SECOND);
    let (sent, _) = book.due(10 * SECOND, |_, _| false);
    assert_eq!((sent.len(), sent[0].order.id.as_str()), (1, "o2"));
    book.keep(&BTreeSet::new(), 10 * SECOND);
    assert_eq!(book.len(), 1, "it was sent, and waits for its answer");
}
