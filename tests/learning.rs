//! From labelled captures to a model and to figures, as a user does it.

use std::fs;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::EncodePrivateKey;
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use serde_json::Value;

use crate::garita::{Run, capture, garita, run};

/// Captures of four sources, small enough to learn from in a test.
const CAPTURES: [(&str, &str); 5] = [
    ("vlan", "203.0.113.11,192.0.2.11,scan"),
    ("ftp-brute-force", "203.0.113.11,192.0.2.11,brute-force"),
    ("slowloris", "203.0.113.11,192.0.2.11,slow-dos"),
    ("ssh-users", "-,-,benign"),
    ("http-page-loads", "-,-,benign"),
];

#[test]
fn a_model_is_trained_to_the_same_bytes_and_judged() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let path = |name: &str| -> String {
        let path = folder.path().join(name);
        path.to_str().expect("the folder's path is UTF-8").into()
    };
    let mut lines = String::from("capture,attacker,victim,class,split,source\n");
    for (case, label) in CAPTURES {
        let copied = fs::copy(capture(case), path(&format!("{case}.pcap")));
        copied.expect("a capture can be copied");
        lines.push_str(&format!("{case}.pcap,{label},train,{case}\n"));
    }
    let labels = path("labels.csv");
    fs::write(&labels, lines).expect("labels can be written");
    let train = |model: &str, seed: &str| {
        let common = ["train", "--labels", &labels, "--algorithm", "knn"];
        done(garita(
            &[&common[..], &["-o", &path(model), "--seed", seed]].concat(),
        ))
    };
    let told = train("one.garita", "1");
    assert!(
        told.contains("1970-01-01") && told.contains("brute-force"),
        "{told}"
    );
    train("two.garita", "1");
    train("three.garita", "3");
    let bytes = |name: &str| fs::read(path(name)).expect("the model was written");
    assert_eq!(bytes("one.garita"), bytes("two.garita"));
    assert_ne!(bytes("one.garita"), bytes("three.garita"));

    let key = SigningKey::from_bytes(&[7; 32]);
    let pem = key.to_pkcs8_pem(LineEnding::LF).expect("a key is PEM");
    fs::write(path("key.pem"), pem).expect("the key can be written");
    let model = path("one.garita");
    let signed = ["train", "--labels", &labels, "--algorithm", "knn", "-o"];
    done(garita(
        &[&signed[..], &[&model, "--sign", &path("key.pem")]].concat(),
    ));
    let trusted = |seed: u8| {
        let public = SigningKey::from_bytes(&[seed; 32]).verifying_key();
        let settings = format!(
            "[model]\npath = {model:?}\nkeys = [\"lab:{}\"]\n",
            STANDARD.encode(public.as_bytes())
        );
        fs::write(path("garita.toml"), settings).expect("settings can be written");
        run(&["replay", "--config", &path("garita.toml"), &capture("vlan")])
    };
    assert!(done(trusted(7)).contains("203.0.113.11"));
    trusted(8).assert_refused(1, &["one.garita is refused", "any of model.keys"]);
    fs::remove_file(path("one.garita.sig")).expect("it was written");
    trusted(7).assert_refused(1, &["one.garita.sig cannot be read"]);

    let judge = ["evaluate", "--labels", &labels, "--model", &model];
    let text = done(garita(&[&judge[..], &["--json"]].concat()));
    let figures: Value = serde_json::from_str(&text).expect("it prints JSON");
    let keys = |value: &Value| -> Vec<String> {
        let object = value.as_object().expect("it is an object");
        object.keys().cloned().collect()
    };
    assert_eq!(keys(&figures), ["addresses", "captures", "snapshots"]);
    let snapshots = [
        "accuracy",
        "macro_f1",
        "per_class",
        "recall_at_half_percent",
        "total",
    ];
    assert_eq!(keys(&figures["snapshots"]), snapshots);
    let class = ["precision", "recall", "support"];
    assert_eq!(
        keys(&figures["snapshots"]["per_class"]["brute-force"]),
        class
    );
    let addresses = [
        "attackers",
        "attackers_blocked",
        "benign",
        "benign_blocked",
        "benign_reviewed",
        "false_alerts",
    ];
    assert_eq!(keys(&figures["addresses"]), addresses);
    let one = [
        "attackers",
        "benign",
        "benign_blocked",
        "benign_reviewed",
        "blocked",
        "capture",
        "class",
        "conversations_to_block",
        "false_alerts",
        "packets_to_block",
        "seconds",
        "seconds_to_block",
    ];
    assert_eq!(keys(&figures["captures"][0]), one);
    assert_eq!(figures["addresses"]["attackers"], 3);
    assert_eq!(figures["captures"].as_array().map(Vec::len), Some(5));
    assert!(done(garita(&judge)).contains("attackers blocked"));
}

#[test]
fn rows_carry_what_the_model_sees_and_the_label() {
    let labels = crate::garita::root().join("tests/captures/labels.csv");
    let labels = labels.to_str().expect("the checkout's path is UTF-8");
    let text = done(garita(&["flows", "--labels", labels, &capture("vlan")]));
    let mut lines = text.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let header = lines.next().expect("there is a header");
    let mut names = header.clone();
    names.sort_unstable();
    names.dedup();
    assert_eq!(
        names.len(),
        header.len(),
        "each column has a name of its own"
    );
    let place = |name: &str| header.iter().position(|column| *column == name);
    let [initiator, class, attacker] =
        ["initiator", "class", "attacker"].map(|name| place(name).expect("the column is there"));
    let mut attacks = 0;
    for row in lines {
        assert_eq!(row.len(), header.len());
        let attacks_here = row[initiator] == "203.0.113.11";
        assert_eq!(row[attacker], if attacks_here { "1" } else { "0" });
        assert!(!attacks_here || row[class] == "scan");
        attacks += usize::from(attacks_here);
    }
    assert!(attacks > 10);
    let described = done(garita(&["flows", "--describe"]));
    for name in &detection::features::NAMES {
        assert!(described.contains(name) && header.contains(name), "{name}");
    }
}

#[test]
fn a_name_is_no_formula() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    fs::copy(capture("vlan"), folder.path().join("=1+1.pcap")).expect("a capture can be copied");
    let output = crate::garita::command(&["flows", "=1+1.pcap"])
        .current_dir(folder.path())
        .output();
    let run = Run::from(output.expect("garita starts"));
    let text = done(run);
    assert!(
        text.lines()
            .skip(1)
            .all(|line| line.starts_with("'=1+1.pcap,"))
    );
}

fn done(run: Run) -> String {
    assert_eq!((run.code, run.said.as_str()), (0, ""));
    run.out
}
