//! The OpenAPI 3.1 document, made from the one table of routes and the types of the bodies, and a page that shows it.

use axum::Json;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use contract::action::Action;
use contract::incident::Incident;
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};

use super::access::{Login, NewToken, NewUser, UserChange};
use super::blocks::NewBlock;
use super::orders::NewAllowance;
use super::problem::Document;
use super::reviews::Spoken;
use super::routes::{Needs, Route, routes};

/// Parameters of listings, by path.
const FILTERS: &[(&str, &[&str])] = &[
    ("/api/v1/sensors", &["site"]),
    (
        "/api/v1/incidents",
        &[
            "offender", "class", "site", "sensor", "decision", "since", "until", "cursor", "limit",
        ],
    ),
    (
        "/api/v1/campaigns",
        &["kind", "state", "class", "cursor", "limit"],
    ),
    ("/api/v1/blocks", &["target", "state", "cursor", "limit"]),
    ("/api/v1/blocks/preview", &["target"]),
    ("/api/v1/allowances", &["site", "sensor", "cursor", "limit"]),
    ("/api/v1/reviews", &["state", "address", "cursor", "limit"]),
    (
        "/api/v1/orders",
        &["state", "site", "sensor", "cause", "cursor", "limit"],
    ),
    ("/api/v1/quarantine", &["cursor", "limit"]),
    ("/api/v1/audit", &["cursor", "limit"]),
    ("/api/v1/tokens", &["cursor", "limit"]),
    ("/api/v1/events", &["after", "alive"]),
    ("/api/v1/ws", &["after"]),
    ("/v1/decisions", &["ip"]),
    ("/v1/decisions/stream", &["startup"]),
];

pub(super) async fn document() -> Response {
    Json(described()).into_response()
}

pub(super) async fn page() -> Response {
    let mut rows = String::new();
    for route in routes() {
        let needs = needs(&route);
        rows.push_str(&format!(
            "<tr><td><code>{}</code></td><td><code>{}</code></td><td>{}</td><td>{needs}</td></tr>\n",
            route.method,
            escaped(route.path),
            escaped(route.what)
        ));
    }
    let text = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Garita coordinator: API</title></head>\
         <body><h1>API of the coordinator</h1><p>For programs: <a href=\"openapi.json\">OpenAPI 3.1</a>. A token goes into \
         <code>Authorization: Bearer TOKEN</code>.</p><table><thead><tr><th>Method</th><th>Path</th><th>What for</th>\
         <th>Takes</th></tr></thead><tbody>{rows}</tbody></table></body></html>\n"
    );
    ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], text).into_response()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

fn needs(route: &Route) -> &'static str {
    match route.needs {
        Needs::Nothing | Needs::Login => "nothing",
        Needs::Role(role) => role.as_str(),
    }
}

/// The document.
pub(super) fn described() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
    });
    let mut generator = settings.into_generator();
    let problem = reference::<Document>(&mut generator);
    let incident = reference::<Incident>(&mut generator);
    let mut paths: Map<String, Value> = Map::new();
    for route in routes() {
        let body = body(&mut generator, &route);
        let operation = operation(&route, (body, &problem, &incident));
        let path = paths.entry(route.path).or_insert_with(|| json!({}));
        path[route.method.as_str().to_lowercase()] = operation;
    }
    json!({
        "openapi": "3.1.0",
        "info": {"title": "Garita coordinator", "version": env!("CARGO_PKG_VERSION")},
        "paths": paths,
        "components": {
            "schemas": generator.take_definitions(true),
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "session": {"type": "apiKey", "in": "cookie", "name": super::app::COOKIE},
            },
        },
    })
}

fn operation(route: &Route, (body, problem, incident): (Option<Value>, &Value, &Value)) -> Value {
    let mut parameters: Vec<Value> = route
        .path
        .split('/')
        .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
        .map(|name| json!({"name": name, "in": "path", "required": true, "schema": {"type": "string"}}))
        .collect();
    let filters = FILTERS
        .iter()
        .find(|(path, _)| *path == route.path && route.method == "GET");
    for name in filters.map_or(&[][..], |(_, names)| names) {
        parameters.push(json!({"name": name, "in": "query", "schema": {"type": "string"}}));
    }
    let is_post = route.method == "POST";
    if is_post && body.is_some() {
        parameters
            .push(json!({"name": "Idempotency-Key", "in": "header", "schema": {"type": "string"}}));
    }
    let item = if route.path == "/api/v1/incidents" {
        incident.clone()
    } else {
        json!({})
    };
    let is_listing = filters.is_some_and(|(_, names)| names.contains(&"cursor"));
    let schema = match is_listing {
        true => json!({
            "type": "object", "required": ["items", "next"],
            "properties": {"items": {"type": "array", "items": item}, "next": {"type": ["string", "null"]}},
        }),
        false => json!({}),
    };
    let (status, media) = answer(route);
    let mut done = json!({"description": "Done"});
    if let Some(media) = media {
        done["content"] = json!({media: {"schema": schema}});
    }
    let mut operation = json!({
        "summary": route.what,
        "description": format!("Takes: {}.", needs(route)),
        "parameters": parameters,
        "responses": {
            status: done,
            "default": {"description": "A problem", "content": {"application/problem+json": {"schema": problem}}},
        },
        "security": match route.needs {
            Needs::Role(_) => json!([{"bearer": []}, {"session": []}]),
            _ => json!([]),
        },
    });
    if let Some(schema) = body {
        operation["requestBody"] =
            json!({"required": true, "content": {"application/json": {"schema": schema}}});
    }
    operation
}

/// How a route answers when all is well: the status, and what the body is.
fn answer(route: &Route) -> (&'static str, Option<&'static str>) {
    match (route.method.as_str(), route.path) {
        ("GET", "/api/docs") => ("200", Some("text/html")),
        ("GET", "/metrics") => ("200", Some("application/openmetrics-text")),
        ("GET", "/api/v1/events") => ("200", Some("text/event-stream")),
        ("DELETE", "/api/v1/session" | "/api/v1/tokens/{id}") => ("204", None),
        // What changes something says what it is now.
        ("POST" | "DELETE", _) => ("201", Some("application/json")),
        _ => ("200", Some("application/json")),
    }
}

fn body(generator: &mut SchemaGenerator, route: &Route) -> Option<Value> {
    let schema = match (route.method.as_str(), route.path) {
        ("POST", "/api/v1/first-admin" | "/api/v1/session") => reference::<Login>(generator),
        ("POST", "/api/v1/sensors/{site}/{sensor}/orders") => reference::<Action>(generator),
        ("POST", "/api/v1/blocks") => reference::<NewBlock>(generator),
        ("POST", "/api/v1/allowances") => reference::<NewAllowance>(generator),
        ("POST", "/api/v1/reviews/{id}/answer") => reference::<Spoken>(generator),
        ("POST", "/api/v1/users") => reference::<NewUser>(generator),
        ("PATCH", "/api/v1/users/{name}") => reference::<UserChange>(generator),
        ("POST", "/api/v1/tokens") => reference::<NewToken>(generator),
        _ => return None,
    };
    Some(schema)
}

fn reference<T: JsonSchema>(generator: &mut SchemaGenerator) -> Value {
    generator.subschema_for::<T>().to_value()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_is_described_and_every_reference_leads_somewhere() {
        let document = described();
        for route in routes() {
            let method = route.method.as_str().to_lowercase();
            let operation = &document["paths"][route.path][&method];
            assert_eq!(
                operation["summary"], route.what,
                "{} {}",
                route.method, route.path
            );
        }
        let text = document.to_string();
        let schemas = document["components"]["schemas"].as_object().unwrap();
        let mut references = 0;
        for rest in text.split("\"$ref\":\"#/components/schemas/").skip(1) {
            let name = rest.split('"').next().unwrap();
            assert!(schemas.contains_key(name), "{name}");
            references += 1;
        }
        assert!(references > 10);
    }

    #[test]
    fn what_changes_takes_more_than_a_look_and_only_logins_take_nothing() {
        for route in routes() {
            let changes = route.method != "GET";
            let least = match route.needs {
                Needs::Role(role) => {
                    role > crate::access::Role::Viewer || route.path.ends_with("/session")
                }
                Needs::Login => true,
                Needs::Nothing => false,
            };
            assert!(!changes || least, "{} {}", route.method, route.path);
        }
    }
}
