//! The program as a user runs it: built once, started with arguments, and judged by what it printed and its exit code.
//! It knows nothing of what is inside.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// What one run came to.
pub struct Run {
    /// Exit code.
    pub code: i32,
    /// What it printed.
    pub out: String,
    /// What it said on stderr.
    pub said: String,
}

/// Runs `garita` with the shipped configuration, which is the defaults whatever the machine has in `/etc`.
pub fn garita(arguments: &[&str]) -> Run {
    let config = root().join("config/garita.toml");
    let config = config.to_str().expect("the checkout's path is UTF-8");
    run(&[&["--config", config], arguments].concat())
}

/// Runs `garita` with these arguments alone.
pub fn run(arguments: &[&str]) -> Run {
    let output = command(arguments).output().expect("garita starts");
    Run::from(output)
}

/// `garita` with these arguments, not yet started.
pub fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(program());
    command.args(arguments).env("SOURCE_DATE_EPOCH", "0");
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("GARITA__") {
            command.env_remove(name);
        }
    }
    command
}

/// The checkout.
pub fn root() -> &'static Path {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().expect("tests lie in the checkout")
}

/// The golden cases: a folder each, by name.
pub fn cases() -> Vec<PathBuf> {
    let folder = root().join("tests/captures");
    let entries = std::fs::read_dir(folder).expect("the golden captures are there");
    let mut cases: Vec<PathBuf> = entries
        .map(|entry| entry.expect("the folder can be read").path())
        .filter(|path| path.join("input.pcap").is_file())
        .collect();
    cases.sort();
    assert!(cases.len() > 10, "{} golden cases", cases.len());
    cases
}

/// The capture of a golden case.
pub fn capture(case: &str) -> String {
    let path = root().join("tests/captures").join(case).join("input.pcap");
    path.to_str().expect("the checkout's path is UTF-8").into()
}

impl Run {
    /// Demands an end with `code`, nothing printed, and one sentence said that holds all of `parts`.
    pub fn assert_refused(&self, code: i32, parts: &[&str]) {
        assert_eq!((self.code, self.out.as_str()), (code, ""), "{}", self.said);
        self.assert_sentence(parts);
    }

    /// Demands that one sentence was said, which holds all of `parts`.
    pub fn assert_sentence(&self, parts: &[&str]) {
        let sentence = self
            .said
            .strip_prefix("garita: ")
            .and_then(|said| said.strip_suffix('\n'));
        let sentence = sentence.unwrap_or_else(|| panic!("no sentence: {:?}", self.said));
        assert!(!sentence.contains(['\n', '\u{1b}']), "{sentence}");
        for part in parts {
            assert!(sentence.contains(part), "{part:?} is not in {sentence:?}");
        }
    }
}

impl From<Output> for Run {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).expect("the program prints UTF-8");
        Self {
            // A signal has no code; -1 is none of ours.
            code: output.status.code().unwrap_or(-1),
            out: text(output.stdout),
            said: text(output.stderr),
        }
    }
}

/// The program that cargo built for this test.
fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_garita"))
}
