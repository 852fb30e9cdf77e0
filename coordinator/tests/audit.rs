//! The audit trail, when somebody changes it in the database itself.

use serde_json::json;

use crate::lab::{Coordinator, on_both};

/// Each is undone by the next.
const MEDDLING: &[(&str, &str)] = &[
    (
        "UPDATE audit SET outcome = 'nothing' WHERE seq = 3",
        "UPDATE audit SET outcome = 'done' WHERE seq = 3",
    ),
    (
        "UPDATE audit SET at = at + 1 WHERE seq = 2",
        "UPDATE audit SET at = at - 1 WHERE seq = 2",
    ),
    (
        "UPDATE audit SET seq = -1 WHERE seq = 2; UPDATE audit SET seq = 2 WHERE seq = 3; UPDATE audit SET seq = 3 WHERE seq = -1",
        "UPDATE audit SET seq = -1 WHERE seq = 2; UPDATE audit SET seq = 2 WHERE seq = 3; UPDATE audit SET seq = 3 WHERE seq = -1",
    ),
    (
        "UPDATE audit SET seq = 99 WHERE seq = 4",
        "UPDATE audit SET seq = 4 WHERE seq = 99",
    ),
    // What a trail that was chained anew from there on would look like.
    (
        "INSERT INTO audit_anchor (seq, at, hash) VALUES (3, 0, 'another')",
        "DELETE FROM audit_anchor WHERE hash = 'another'",
    ),
    ("DELETE FROM audit WHERE seq = 5", ""),
];

#[test]
fn what_is_changed_removed_or_reordered_is_found() {
    on_both(
        "what_is_changed_removed_or_reordered",
        |broker, database| {
            let coordinator = Coordinator::start((broker, database), "");
            let token = coordinator.token("admin", None);
            for n in 1..=4 {
                let body = json!({"target": format!("203.0.113.{n}"), "reason": "told"});
                assert_eq!(
                    coordinator.post(&token, "/api/v1/blocks", &body).status,
                    201
                );
            }
            let verify = || coordinator.cli(&["audit", "verify"]);
            let whole = verify();
            assert!(
                String::from_utf8_lossy(&whole.stdout).contains("5 entries"),
                "{whole:?}"
            );
            for (change, back) in MEDDLING {
                database.meddle(change);
                let broken = verify();
                assert_eq!(broken.status.code(), Some(1), "{change}");
                assert!(
                    String::from_utf8_lossy(&broken.stderr).contains("broken at entry"),
                    "{change}"
                );
                let answer = coordinator.get(&token, "/api/v1/audit/verification");
                assert_eq!(answer.body["whole"], false, "{change}");
                if !back.is_empty() {
                    database.meddle(back);
                    assert!(verify().status.success(), "{change}");
                }
            }
        },
    );
}
