//! Bad input: one clear sentence and the right exit code each, and never a panic.

use std::fs;
use std::path::{Path, PathBuf};

use detection::features::SCHEMA;
use detection::model::{Model, Schema};
use tempfile::TempDir;

use crate::garita::{Run, capture, cases, garita, root, run};
use crate::recording::{HEADER, RECORD, Recording};

/// Exit codes of the program.
const DONE: i32 = 0;
const FAILED: i32 = 1;
const USAGE: i32 = 2;
const BAD_CONFIGURATION: i32 = 78;

/// The case most copies are made of.
const CASE: &str = "vlan";

/// Copies of golden captures that are damaged.
const COPIES: u64 = 200;

/// What a portable network graphic begins with.
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x02\0\0\0";

#[test]
fn captures_that_are_none_are_refused() {
    let bench = Bench::new();
    let missing = bench.path("missing.pcap");
    garita(&["replay", &missing]).assert_refused(FAILED, &["missing.pcap", "No such file"]);
    let empty = bench.file("empty.pcap", b"");
    garita(&["replay", &empty]).assert_refused(FAILED, &["empty.pcap is empty"]);
    let picture = bench.file("picture.pcap", PNG);
    garita(&["replay", &picture]).assert_refused(FAILED, &["picture.pcap is not a capture"]);
    garita(&["flows", &picture]).said_only(FAILED, &["picture.pcap is not a capture"]);
    garita(&["replay", &capture(CASE), &missing]).assert_refused(FAILED, &["missing.pcap"]);
}

#[test]
fn a_cut_capture_is_used_up_to_the_cut() {
    let bench = Bench::new();
    let recording = Recording::read(&capture(CASE));
    let (last, before) = recording.records.split_last().expect("it has records");
    let cut = bench.file("cut.pcap", &recording.bytes[..last.end - 3]);
    let found = garita(&["replay", "--json", &cut]);
    found.assert_sentence(&["cut.pcap is cut in the middle", &before.len().to_string()]);
    let whole = bench.file("whole.pcap", &recording.with(before));
    let expected = garita(&["replay", "--json", &whole]);
    assert_eq!((found.code, found.out), (DONE, expected.out));
}

#[test]
fn labels_that_make_no_sense_are_refused() {
    let bench = Bench::new();
    fs::copy(capture(CASE), bench.path("x.pcap")).expect("a capture can be copied");
    let cases = [
        ("y.pcap,192.0.2.1,*,scan,test", "\"y.pcap\" is not there"),
        (
            "x.pcap,192.0.2.1,*,portscan,test",
            "unknown class \"portscan\"",
        ),
    ];
    for (line, part) in cases {
        let labels = bench.labels(&[line]);
        let sentence = ["labels.csv, line 2", part];
        garita(&["evaluate", "--labels", &labels]).assert_refused(FAILED, &sentence);
        let model = bench.path("model.garita");
        garita(&["train", "--labels", &labels, "-o", &model]).assert_refused(FAILED, &sentence);
        garita(&["flows", "--labels", &labels, &bench.path("x.pcap")])
            .assert_refused(FAILED, &sentence);
        assert!(!Path::new(&model).exists());
    }
    let labels = bench.labels(&["x.pcap,-,-,benign,test"]);
    garita(&["evaluate", "--labels", &labels, "--split", "exam"])
        .assert_refused(FAILED, &["\"exam\""]);
    garita(&[
        "train",
        "--labels",
        &labels,
        "-o",
        &bench.path("model.garita"),
    ])
    .assert_refused(FAILED, &["split \"train\""]);
    garita(&["flows", "--labels", &labels, &capture("qinq")])
        .assert_refused(FAILED, &["labels.csv", "qinq"]);
}

#[test]
fn a_labelled_capture_without_ip_is_left_out_aloud() {
    let bench = Bench::new();
    fs::copy(capture(CASE), bench.path("x.pcap")).expect("a capture can be copied");
    let mut radio = Recording::read(&capture(CASE)).bytes;
    // The link type of IEEE 802.15.4.
    radio[20..24].copy_from_slice(&195u32.to_le_bytes());
    bench.file("radio.pcap", &radio);
    let labels = bench.labels(&["radio.pcap,-,-,benign,test", "x.pcap,-,-,benign,test"]);
    let found = garita(&["evaluate", "--json", "--labels", &labels]);
    found.assert_sentence(&["radio.pcap", "802.15.4", "left out"]);
    assert_eq!(found.code, DONE);
    assert!(found.out.contains("x.pcap") && !found.out.contains("radio.pcap"));
    garita(&["replay", &bench.path("radio.pcap")]).assert_refused(FAILED, &["802.15.4"]);
}

#[test]
fn models_that_are_not_ours_are_refused() {
    let bench = Bench::new();
    let shipped = fs::read(root().join("config/model.garita")).expect("the model is there");
    let mut tampered = shipped.clone();
    tampered[shipped.len() / 2] ^= 1;
    let cases = [
        ("tampered.garita", tampered, "was changed or damaged"),
        (
            "other.garita",
            of_other_features(&shipped),
            "feature 1 of the model is \"weather\"",
        ),
        ("picture.garita", PNG.to_vec(), "not a Garita model"),
    ];
    for (name, bytes, part) in cases {
        let model = bench.file(name, &bytes);
        let sentence = [name, part];
        garita(&["replay", "--model", &model, &capture(CASE)]).assert_refused(FAILED, &sentence);
        garita(&["replay", "--compare", &model, &capture(CASE)]).assert_refused(FAILED, &sentence);
        let config = bench.file(
            "garita.toml",
            format!("[model]\npath = {model:?}\n").as_bytes(),
        );
        let check = run(&["--config", &config, "check"]);
        assert_eq!(check.code, FAILED);
        assert!(
            check.out.contains(part) && check.out.contains("garita train"),
            "{}",
            check.out
        );
    }
    let missing = bench.path("missing.garita");
    garita(&["replay", "--model", &missing, &capture(CASE)])
        .assert_refused(FAILED, &["missing.garita", "No such file"]);
}

#[test]
fn a_bad_configuration_ends_with_its_own_code() {
    let bench = Bench::new();
    let cases = [
        ("[policy]\nblok_ttl = \"1h\"\n", "policy.blok_ttl"),
        ("[polcy]\nblock_ttl = \"1h\"\n", "polcy"),
        ("[policy]\nblock_ttl = \"100years\"\n", "policy.block_ttl"),
        ("[meter]\nmax_flows = 1\n", "meter.max_flows"),
        ("[policy\n", "not valid TOML"),
    ];
    for (text, part) in cases {
        let config = bench.file("bad.toml", text.as_bytes());
        run(&["--config", &config, "replay", &capture(CASE)])
            .assert_refused(BAD_CONFIGURATION, &["bad.toml", part]);
        let check = run(&["check", "--config", &config]);
        assert_eq!(check.code, BAD_CONFIGURATION);
        assert!(
            check.out.contains(part) && check.out.contains("correct it"),
            "{}",
            check.out
        );
    }
    let missing = bench.path("missing.toml");
    run(&["--config", &missing, "replay", &capture(CASE)])
        .assert_refused(BAD_CONFIGURATION, &["missing.toml", "No such file"]);
}

#[test]
fn what_the_sensor_could_not_use_fails_the_check() {
    let bench = Bench::new();
    let damaged = bench.file(
        "damaged.db",
        &[b"SQLite format 3\0", &[0xa5; 4_096][..]].concat(),
    );
    let lacking = bench.path("new.db");
    for (store, interface, part) in [
        (&damaged, "lo", "file is not a database"),
        (&lacking, "wan9", "there is no interface wan9"),
    ] {
        let text = format!(
            "[capture]\nmode = \"pcap\"\ninterfaces = [{interface:?}]\n[store]\npath = {store:?}\n"
        );
        let config = bench.file("garita.toml", text.as_bytes());
        let check = run(&["check", "--config", &config]);
        assert_eq!(check.code, FAILED, "{}", check.out);
        assert!(check.out.contains(part), "{}", check.out);
    }
}

#[test]
fn a_misused_command_line_is_told_in_a_sentence() {
    let cases: [(&[&str], &str); 5] = [
        (&["replay"], "<CAPTURE>"),
        (&["replay", "--jsn", "x.pcap"], "--json"),
        (&["reply"], "replay"),
        (
            &["train", "--labels", "x", "-o", "y", "--algorithm", "oracle"],
            "oracle",
        ),
        (&["evaluate"], "--labels"),
    ];
    for (arguments, part) in cases {
        run(arguments).assert_refused(USAGE, &[part, "--help"]);
    }
    let bare = run(&[]);
    assert_eq!(bare.code, USAGE);
    assert!(
        bare.said.contains("replay") && bare.said.contains("Usage: garita"),
        "{}",
        bare.said
    );
}

#[test]
fn damaged_copies_never_make_it_panic() {
    let bench = Bench::new();
    let originals = cases();
    let mut random = Random(0x6761_7269);
    for copy in 0..COPIES {
        let original = &originals[copy as usize % originals.len()];
        let path = original.join("input.pcap");
        let path = path.to_str().expect("the checkout's path is UTF-8");
        let (kind, bytes) = damage(&Recording::read(path), copy, &mut random);
        let damaged = bench.file("damaged.pcap", &bytes);
        let found = garita(&["replay", "--json", &damaged]);
        let name = format!("copy {copy}, {kind} of {path}: {}", found.said);
        match found.code {
            DONE if found.said.is_empty() => {}
            DONE => found.assert_sentence(&["damaged.pcap"]),
            // What came before the damage is printed; what cannot be read at all prints nothing.
            FAILED if found.said.contains(" is damaged") => {
                found.assert_sentence(&["damaged.pcap"])
            }
            FAILED => found.assert_refused(FAILED, &["damaged.pcap"]),
            code => panic!("exit code {code}, {name}"),
        }
        for line in found.out.lines() {
            assert!(
                serde_json::from_str::<serde_json::Value>(line).is_ok(),
                "{name}"
            );
        }
    }
}

/// A damaged copy, and what was done to it.
fn damage(recording: &Recording, copy: u64, random: &mut Random) -> (&'static str, Vec<u8>) {
    let mut bytes = recording.bytes.clone();
    match copy % 4 {
        0 => {
            for _ in 0..=random.below(200) {
                let at = random.below(bytes.len());
                bytes[at] ^= 1 << random.below(8);
            }
            ("bits flipped", bytes)
        }
        1 => {
            // What matters most is what every later byte hangs on.
            let at = random.below(HEADER + RECORD);
            bytes[at] ^= 1 << random.below(8);
            ("a bit flipped in the header", bytes)
        }
        2 => {
            bytes.truncate(random.below(bytes.len()));
            ("a cut", bytes)
        }
        _ => {
            for _ in 0..=random.below(20) {
                let records = &recording.records;
                let [one, other] = [(); 2].map(|()| records[random.below(records.len())].start);
                for offset in 8..RECORD {
                    bytes.swap(one + offset, other + offset);
                }
            }
            ("lengths swapped", bytes)
        }
    }
}

/// The shipped model with another second feature.
fn of_other_features(shipped: &[u8]) -> Vec<u8> {
    let mut content = Model::load(shipped, &SCHEMA)
        .expect("the shipped model is sound")
        .content()
        .clone();
    content.features[1] = "weather".into();
    let features = content.features.clone();
    let names: Vec<&str> = features.iter().map(String::as_str).collect();
    let schema = Schema {
        names: &names,
        revision: SCHEMA.revision,
    };
    content.schema = schema.hash();
    let model = Model::new(content, &schema).expect("the model is sound");
    model.save().expect("the model can be saved")
}

/// A folder for files that are wrong.
struct Bench(TempDir);

impl Bench {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder can be made"))
    }

    fn path(&self, name: &str) -> String {
        let path: PathBuf = self.0.path().join(name);
        path.to_str().expect("the folder's path is UTF-8").into()
    }

    fn file(&self, name: &str, bytes: &[u8]) -> String {
        let path = self.path(name);
        fs::write(&path, bytes).expect("a file can be written");
        path
    }

    fn labels(&self, lines: &[&str]) -> String {
        let text = format!(
            "capture,attacker,victim,class,split\n{}\n",
            lines.join("\n")
        );
        self.file("labels.csv", text.as_bytes())
    }
}

impl Run {
    /// Demands an end with `code` and a sentence; something may have been printed before.
    fn said_only(&self, code: i32, parts: &[&str]) {
        assert_eq!(self.code, code, "{}", self.said);
        self.assert_sentence(parts);
    }
}

/// SplitMix64 (Steele, Lea and Flood 2014): the same copies in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ mixed >> 31) % limit.max(1) as u64) as usize
    }
}
