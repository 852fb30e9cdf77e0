//! The JSON Schemas of everything that is published or understood, made from the types that are written and read.
//! It must not describe anything by hand that a type says.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema};
use serde_json::{Value, json};

use crate::command::Command;
use crate::condition::ConditionDocument;
use crate::incident::Incident;
use crate::record::BlockEvent;
use crate::reply::Reply;
use crate::status::Status;
use crate::telemetry::Telemetry;

/// The version in topics; a change that a subscriber could stumble over makes another.
const VERSION: &str = "v1";

/// Each schema's path below the folder of schemas, and its text.
pub fn schemas() -> Vec<(String, String)> {
    let schemas = [
        ("incident", schema::<Incident>("incident")),
        ("condition", schema::<ConditionDocument>("condition")),
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
