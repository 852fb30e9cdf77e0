//! The self-test passes with what is shipped, and notices a model or a configuration that would let attackers in.

use std::fs;

use detection::features::SCHEMA;
use detection::model::Model;
use serde_json::Value;

use crate::garita::{Run, garita, root, run};

#[test]
fn the_shipped_model_and_configuration_pass_every_case() {
    let run = garita(&["self-test"]);
    assert_eq!((run.code, run.said.as_str()), (0, ""), "{}", run.out);
    let passed = run.out.lines().filter(|line| line.starts_with("ok "));
    let count = passed.count();
    assert!(count >= 12, "{}", run.out);
    assert!(
        run.out.ends_with(&format!("\n{count}/{count}\n")),
        "{}",
        run.out
    );
    let json = findings(&garita(&["self-test", "--json"]));
    assert_eq!(
        (&json["passed"], &json["total"]),
        (&count.into(), &count.into())
    );
    assert_eq!(json["cases"].as_array().map(Vec::len), Some(count));
}

#[test]
fn a_model_that_convicts_nobody_fails_the_attacks_it_should_know() {
    let shipped = fs::read(root().join("config/model.garita")).expect("the model is there");
    let shipped = Model::load(&shipped, &SCHEMA).expect("the shipped model is sound");
    let mut content = shipped.content().clone();
    content.calibration.bias = 1e6;
    let blind = Model::new(content, &SCHEMA).expect("the model is sound");
    let blind = blind.save().expect("the model can be saved");
    let run = with_model(&blind, &[]);
    assert_eq!(run.code, 1, "{}", run.out);
    run.assert_sentence(&[
        "of 12 self-tests failed",
        "slowloris",
        "syn-flood-one-source",
    ]);
    // Scans are found by whom they ask, whatever the model says.
    let line = "expected a block of 203.0.113.11 for slow-dos, got nothing";
    assert!(run.out.contains(line), "{}", run.out);
    let json = findings(&with_model(&blind, &["--json"]));
    let failed = json["cases"].as_array().into_iter().flatten();
    let failed = failed.filter(|case| case["passed"] == false).count() as u64;
    assert_eq!(json["passed"].as_u64(), Some(12 - failed));
    // What one number says is found without a model, and nobody is wronged by a blind one.
    assert!((1..=6).contains(&failed), "{json}");
}

#[test]
fn a_model_that_is_none_is_refused_before_any_case() {
    with_model(b"no model", &[]).assert_refused(1, &["odd.garita", "not a Garita model"]);
}

#[test]
fn an_exempt_attacker_fails_with_the_reason() {
    let run = with_config("[policy]\nexempt = [\"203.0.113.0/24\"]\n", &[]);
    assert_eq!(run.code, 1, "{}", run.out);
    run.assert_sentence(&["self-tests failed", "vlan"]);
    let line = "expected a block of 203.0.113.11 for scan, got a review of 203.0.113.11 for scan \
                (203.0.113.0/24 is exempt by policy.exempt)";
    assert!(run.out.contains(line), "{}", run.out);
}

fn findings(run: &Run) -> Value {
    serde_json::from_str(&run.out).expect("it prints JSON")
}

/// A self-test whose configuration names a model of these bytes.
fn with_model(model: &[u8], arguments: &[&str]) -> Run {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let path = folder.path().join("odd.garita");
    fs::write(&path, model).expect("a model can be written");
    with_config(&format!("[model]\npath = {path:?}\n"), arguments)
}

fn with_config(text: &str, arguments: &[&str]) -> Run {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let path = folder.path().join("garita.toml");
    fs::write(&path, text).expect("a configuration can be written");
    let path = path.to_str().expect("the folder's path is UTF-8");
    run(&[&["--config", path, "self-test"], arguments].concat())
}
