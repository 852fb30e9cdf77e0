//! An answer to a review that its giver takes back: the order leaves only once that is over.

use std::time::Duration;

use contract::action::Action;
use contract::command::Order;
use contract::topics::Topic;
use serde_json::json;

use crate::lab::{Coordinator, Sensor, document, let_pass, on_both, wait};

#[test]
fn an_answer_can_be_taken_back_until_its_order_leaves() {
    on_both("an_answer_can_be_taken_back", |broker, database| {
        let coordinator = Coordinator::start((broker, database), "");
        let one = coordinator.token("analyst", None);
        let two = coordinator.token("responder", None);
        let sensor = Sensor::start(broker.port, "north", "a");
        let mut asked = document::incident(("203.0.113.9", "scan"), "a", "r1");
        asked["garita"]["decision"] = json!("review");
        sensor.publish(Topic::Incident, &asked);
        wait("the review", || {
            coordinator.get(&one, "/api/v1/reviews/r1").etag
        });
        let ask = |method: &str, token: &str, version: &str, body: Option<&str>| {
            let bearer = format!("Bearer {token}");
            let headers = [("authorization", bearer.as_str()), ("if-match", version)];
            let answer = coordinator.ask((method, "/api/v1/reviews/r1/answer"), &headers, body);
            answer.status
        };
        let answer = |within: u8| {
            json!({"answer": "approve", "reason": "seen before", "undo_within": within}).to_string()
        };
        let approvals = || {
            let state = sensor.state();
            let commands = state.commands.iter();
            commands
                .filter(|(_, command)| {
                    matches!(command.command, Order::Act(Action::Approve { .. }))
                })
                .count()
        };
        assert_eq!(ask("POST", &one, "\"1\"", Some(&answer(2))), 201);
        assert_eq!(ask("DELETE", &two, "\"2\"", None), 409, "it is not theirs");
        assert_eq!(ask("DELETE", &one, "\"2\"", None), 200);
        assert_eq!(
            ask("DELETE", &one, "\"3\"", None),
            409,
            "nothing is left to take back"
        );
        let open = coordinator.get(&one, "/api/v1/reviews/r1");
        assert_eq!(
            (&open.body["state"], &open.body["version"]),
            (&json!("open"), &json!(3))
        );
        let_pass(Duration::from_secs(4));
        assert_eq!(approvals(), 0, "what was taken back never leaves");
        assert_eq!(ask("POST", &one, "\"3\"", Some(&answer(1))), 201);
        assert_eq!(approvals(), 0, "it waits");
        wait("the order", || (approvals() == 1).then_some(()));
        assert_eq!(ask("DELETE", &one, "\"4\"", None), 409, "it has left");
    });
}
