//! The committed schemas are those of the types, and real documents keep to them.
//! Nothing is written here, unless one asks for it as the message says.

use std::collections::HashMap;

use jsonschema::Validator;
use serde_json::{Value, json};

use crate::garita::root;

/// A validator for each topic's last level.
pub(super) fn validators() -> HashMap<String, Validator> {
    let schemas = contract::schema::schemas().into_iter();
    schemas
        .map(|(path, text)| {
            let schema: Value = serde_json::from_str(&text).expect("a schema is JSON");
            let name = path
                .trim_start_matches("v1/")
                .trim_end_matches(".json")
                .to_owned();
            (
                name,
                jsonschema::validator_for(&schema).expect("a schema is one"),
            )
        })
        .collect()
}

#[test]
fn the_committed_schemas_are_those_of_the_types() {
    for (path, text) in contract::schema::schemas() {
        let file = root().join("config/schema").join(&path);
        let committed = std::fs::read_to_string(&file).unwrap_or_default();
        assert_eq!(
            committed, text,
            "config/schema/{path} is not up to date: run `garita schema config/schema`"
        );
    }
}

#[test]
fn every_golden_incident_keeps_to_the_schema_and_what_lacks_a_field_does_not() {
    let validators = validators();
    let incident = &validators["incident"];
    let documents = super::publisher::documents();
    assert!(documents.len() > 10, "{} incidents", documents.len());
    for document in documents {
        if let Err(error) = incident.validate(&document) {
            panic!("{error}: {document}");
        }
        for key in ["event", "garita", "message", "@timestamp"] {
            let mut lacking = document.clone();
            lacking.as_object_mut().unwrap().remove(key);
            assert!(!incident.is_valid(&lacking), "without {key}");
        }
    }
}

#[test]
fn the_schema_of_commands_takes_each_verb_and_no_other() {
    let validators = validators();
    let command = |order: Value| super::coordinator::Coordinator::command("a", order);
    for order in [
        json!({"action": "block", "target": "203.0.113.9", "ttl": 600, "reason": "scan"}),
        json!({"action": "release", "target": "203.0.113.9"}),
        json!({"action": "allow", "net": "198.51.100.0/24", "ttl": "permanent"}),
        json!({"action": "approve", "review": "0123"}),
        json!({"action": "dismiss", "review": "0123", "reason": "our scanner"}),
        json!({"action": "enforce", "on": false, "for": 60}),
        json!({"action": "resync", "from_seq": 1}),
    ] {
        if let Err(error) = validators["command"].validate(&command(order.clone())) {
            panic!("{error}: {order}");
        }
    }
    for order in [
        json!({"action": "erase"}),
        json!({}),
        json!("block"),
        json!({"action": "resync"}),
    ] {
        assert!(
            !validators["command"].is_valid(&command(order.clone())),
            "{order}"
        );
    }
}
