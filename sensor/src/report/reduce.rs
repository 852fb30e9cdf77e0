//! Makes a document fit: what is least missed goes first, and the document says what went.
//! It must not drop a document, nor what an incident is about.

use serde_json::{Value, json};

/// Addresses that are left in a list.
const ADDRESSES: usize = 16;
/// Characters that are left of a sentence.
const SENTENCE: usize = 200;

/// What goes, in this order; each keeps the document valid.
type Step = (&'static str, fn(&mut Value) -> Option<()>);
const STEPS: [Step; 7] = [
    ("garita.explanation.text", |document| {
        for part in document
            .pointer_mut("/garita/explanation")?
            .as_array_mut()?
        {
            *part.get_mut("text")? = json!("");
        }
        Some(())
    }),
    ("garita.model.score", |document| {
        empty(document, "/garita/model/score")
    }),
    ("garita.explanation", |document| {
        empty(document, "/garita/explanation")
    }),
    ("related.ip", |document| shorten(document, "/related/ip")),
    ("garita.sources", |document| {
        shorten(document, "/garita/sources")
    }),
    ("garita.dropped", |document| {
        shorten(document, "/garita/dropped")
    }),
    ("message", |document| {
        let sentence = document.get_mut("message")?;
        let short: String = sentence.as_str()?.chars().take(SENTENCE).collect();
        *sentence = json!(short);
        Some(())
    }),
];

/// The document within `max` bytes; nothing where even the least of it is longer. One that fits is not touched.
pub(super) fn fit(body: &str, max: usize) -> Option<String> {
    if body.len() <= max {
        return Some(body.to_owned());
    }
    let mut document: Value = serde_json::from_str(body).ok()?;
    let mut gone: Vec<&str> = Vec::new();
    for (name, step) in STEPS {
        let before = document.clone();
        if step(&mut document).is_none() || document == before {
            document = before;
            continue;
        }
        gone.push(name);
        if let Some(garita) = document.get_mut("garita").and_then(Value::as_object_mut) {
            garita.insert("reduced".to_owned(), json!(gone));
        }
        let text = document.to_string();
        if text.len() <= max {
            return Some(text);
        }
    }
    None
}

fn empty(document: &mut Value, pointer: &str) -> Option<()> {
    match document.pointer_mut(pointer)? {
        Value::Array(items) => items.clear(),
        Value::Object(fields) => fields.clear(),
        _ => return None,
    }
    Some(())
}

fn shorten(document: &mut Value, pointer: &str) -> Option<()> {
    let items = document.pointer_mut(pointer)?.as_array_mut()?;
    items.truncate(ADDRESSES);
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document() -> Value {
        json!({
            "event": {"id": "0123"},
            "related": {"ip": (0..200).map(|n| format!("192.0.2.{n}")).collect::<Vec<_>>()},
            "message": "x".repeat(1_000),
            "garita": {
                "offender": "192.0.2.1",
                "explanation": [{"feature": "a", "text": "y".repeat(500)}, {"feature": "b", "text": "z".repeat(500)}],
                "model": {"name": "m", "score": {"scan": 0.9, "benign": 0.1}},
            },
        })
    }

    #[test]
    fn what_fits_stays_as_it_is() {
        let body = document().to_string();
        assert_eq!(fit(&body, body.len()).as_deref(), Some(body.as_str()));
        assert_eq!(fit("not JSON", 100).as_deref(), Some("not JSON"));
    }

    #[test]
    fn the_words_go_before_the_facts_and_the_document_says_what_went() {
        let body = document().to_string();
        let reduced = |max| -> Value {
            let text = fit(&body, max).unwrap();
            assert!(text.len() <= max);
            serde_json::from_str(&text).unwrap()
        };
        let first = reduced(body.len() - 100);
        assert_eq!(
            first["garita"]["reduced"],
            json!(["garita.explanation.text"])
        );
        assert_eq!(
            first["garita"]["explanation"][1],
            json!({"feature": "b", "text": ""})
        );
        assert_eq!(first["related"], document()["related"]);
        let least = reduced(1_000);
        assert_eq!(least["related"]["ip"].as_array().unwrap().len(), ADDRESSES);
        assert_eq!(least["message"].as_str().unwrap().len(), SENTENCE);
        assert_eq!(least["garita"]["offender"], "192.0.2.1");
        assert_eq!(least["event"], document()["event"]);
    }

    #[test]
    fn what_can_never_fit_is_not_cut_to_pieces() {
        assert_eq!(fit(&document().to_string(), 100), None);
        assert_eq!(fit(&"x".repeat(101), 100), None);
    }
}
