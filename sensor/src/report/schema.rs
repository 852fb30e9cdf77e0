//! The JSON Schemas of everything that is published or understood, made from the types that are written and read.
//! It must not describe anything by hand that a type says.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema};
use serde_json::{Value, json};

use super::command::Command;
use super::loss::ConditionMessage;
use super::reply::Reply;
use super::status::Status;
use super::telemetry::Telemetry;
use crate::incident::Incident;
use crate::record::BlockEvent;

/// The version in topics; a change that a subscriber could stumble over makes another.
const VERSION: &str = "v1";

/// Each schema's path below the folder of schemas, and its text.
pub fn schemas() -> Vec<(String, String)> {
    let mut incident = schema::<Incident>("incident");
    allow_reduced(&mut incident);
    let schemas = [
        ("incident", incident),
        ("condition", schema::<ConditionMessage>("condition")),
        ("block", schema::<BlockEvent>("block")),
        ("telemetry", schema::<Telemetry>("telemetry")),
        ("status", schema::<Status>("status")),
        ("reply", schema::<Reply>("reply")),
        ("command", schema::<Command>("command")),
    ];
    let text = |schema: &Value| format!("{schema:#}\n");
    let schemas = schemas.into_iter();
    schemas
        .map(|(name, schema)| (format!("{VERSION}/{name}.json"), text(&schema)))
        .collect()
}

fn schema<T: JsonSchema>(name: &str) -> Value {
    let settings = match name {
        "command" => SchemaSettings::draft2020_12(),
        // What is written always has the fields that are only optional to read.
        _ => SchemaSettings::draft2020_12().for_serialize(),
    };
    let mut schema: Schema = settings.into_generator().into_root_schema_for::<T>();
    schema.insert(
        "$id".to_owned(),
        json!(format!("urn:garita:{VERSION}:{name}")),
    );
    schema.insert(
        "title".to_owned(),
        json!(format!("garita/{VERSION}/<site>/<sensor>/{name}")),
    );
    schema.to_value()
}

/// The publisher may leave detail out, and says so.
fn allow_reduced(incident: &mut Value) {
    if let Some(properties) = incident
        .pointer_mut("/$defs/Garita/properties")
        .and_then(Value::as_object_mut)
    {
        let words =
            "What was left out to fit the broker's largest packet; missing where nothing was.";
        let reduced = json!({"type": "array", "items": {"type": "string"}, "description": words});
        properties.insert("reduced".to_owned(), reduced);
    }
}
