//! Rules on files: what is there, how long, and which words. What the code does is not looked at here.

use std::collections::BTreeMap;

use super::source::Source;

/// Above this many lines a file needs a reason.
const LINES: usize = 400;

/// Longer files, each with the reason why it is still one idea.
const LONG: &[(&str, &str)] = &[(
    "sensor/detection/src/features/list.rs",
    "a table, one entry a feature, which rustfmt spreads over seven lines",
)];

/// Beside these, licences and names that begin with a dot.
const TOP_LEVEL: &[&str] = &[
    "Cargo.lock",
    "Cargo.toml",
    "README.md",
    "config",
    "contract",
    "coordinator",
    "ebpf",
    "findings",
    "packaging",
    "sensor",
    "tests",
    "xtask",
];

/// What a folder below `tests/captures/` holds.
const CASE: &[&str] = &["README.md", "expected.jsonl", "input.pcap"];

/// Written in pieces, because this file is checked too.
const UNDONE: &[&str] = &[
    concat!("FIX", "ME"),
    concat!("XX", "X"),
    concat!("HA", "CK"),
];
const UNDONE_CODE: &[&str] = &["todo!", "unimplemented!"];
const MACHINE: &[&str] = &[
    concat!("/wo", "rk/"),
    concat!("/ro", "ot/"),
    concat!("/ho", "me/"),
    concat!("../sha", "red"),
];
const REGISTRIES: &[&str] = &[
    concat!("crates", ".io"),
    concat!("static.rust-", "lang.org"),
    concat!("deb.", "debian.org"),
    concat!("apt.", "llvm.org"),
    concat!("arti", "factory"),
    concat!("docker", ".io"),
    concat!("ghcr", ".io"),
];

/// No macro and no mark stands for work that is missing.
pub(super) fn nothing_left_undone(sources: &[Source]) -> Vec<String> {
    let mut found = words_in_text(sources, UNDONE);
    for source in sources {
        for pattern in UNDONE_CODE {
            found.extend(
                Source::find(&source.tokens, pattern)
                    .map(|line| source.at(line, &format!("`{pattern}`"))),
            );
        }
    }
    found
}

/// Every Rust file opens with `//!`.
pub(super) fn opens_with_its_purpose(sources: &[Source]) -> Vec<String> {
    rust(sources)
        .filter(|source| !source.text.starts_with("//! "))
        .map(|source| source.at(1, "opens without `//!`"))
        .collect()
}

/// No Rust file is long without a reason, and no reason outlives its file's length.
pub(super) fn is_short(sources: &[Source]) -> Vec<String> {
    let mut found = Vec::new();
    for source in rust(sources) {
        let lines = source.text.lines().count();
        let reason = LONG.iter().find(|(path, _)| *path == source.path);
        match reason {
            None if lines > LINES => found.push(source.at(lines, "is too long")),
            Some((_, reason)) if lines <= LINES => {
                found.push(source.at(
                    lines,
                    &format!("is short again: strike it from the list ({reason})"),
                ));
            }
            _ => {}
        }
    }
    found
}

/// Nothing new appears beside the folders of the code map.
pub(super) fn top_level_is_fixed(sources: &[Source]) -> Vec<String> {
    let mut names: Vec<_> = sources
        .iter()
        .filter_map(|source| source.path.split('/').next())
        .filter(|name| {
            !TOP_LEVEL.contains(name) && !name.starts_with('.') && !name.starts_with("LICENSE")
        })
        .map(|name| format!("{name}: is not in the code map"))
        .collect();
    names.dedup();
    names
}

/// Every folder below `tests/captures/` has its capture, its expectation and its origin.
pub(super) fn cases_are_whole(sources: &[Source]) -> Vec<String> {
    let mut cases: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for source in sources {
        if let Some((case, file)) = source
            .path
            .strip_prefix("tests/captures/")
            .and_then(|path| path.split_once('/'))
        {
            cases.entry(case).or_default().push(file);
        }
    }
    let lacks = |(case, files): (&&str, &Vec<&str>)| -> Vec<String> {
        CASE.iter()
            .filter(|file| !files.contains(file))
            .map(|file| format!("tests/captures/{case}: has no {file}"))
            .collect()
    };
    cases.iter().flat_map(lacks).collect()
}

/// No absolute path of a developer's machine.
pub(super) fn no_machine_paths(sources: &[Source]) -> Vec<String> {
    words_in_text(sources, MACHINE)
}

/// No host that packages are fetched from. The lock file names the public index, which stands for any mirror of it.
pub(super) fn no_registries(sources: &[Source]) -> Vec<String> {
    let mut found = Vec::new();
    for source in sources {
        let locked = source.path.ends_with("Cargo.lock");
        let public = format!("{}-index\"", REGISTRIES[0]);
        let lines = source.text.lines().enumerate();
        for (at, line) in lines.filter(|(_, line)| !(locked && line.ends_with(&public))) {
            if let Some(host) = REGISTRIES.iter().find(|host| line.contains(**host)) {
                found.push(source.at(at + 1, host));
            }
        }
    }
    found
}

/// xtask depends on no other package of the workspace.
pub(super) fn xtask_stands_alone(sources: &[Source]) -> Vec<String> {
    sources
        .iter()
        .filter(|source| source.path == "xtask/Cargo.toml")
        .flat_map(|source| {
            source
                .text
                .lines()
                .enumerate()
                .filter(|(_, line)| line.starts_with("sensor") || line.starts_with("ebpf"))
                .map(|(at, line)| source.at(at + 1, line))
        })
        .collect()
}

fn rust(sources: &[Source]) -> impl Iterator<Item = &Source> {
    sources.iter().filter(|source| source.path.ends_with(".rs"))
}

fn words_in_text(sources: &[Source], words: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for source in sources {
        for (at, line) in source.text.lines().enumerate() {
            for word in words.iter().filter(|word| holds(line, word)) {
                found.push(source.at(at + 1, word));
            }
        }
    }
    found
}

/// Whether `word` stands in `line` with nothing before or after that would make it part of a longer word or path.
fn holds(line: &str, word: &str) -> bool {
    let joins = |message: char| message.is_alphanumeric() || "_-~".contains(message);
    let ends_open = word.ends_with('/');
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        !before.is_some_and(joins) && (ends_open || !after.is_some_and(joins))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(path: &str, text: &str) -> [Source; 1] {
        [Source::new(path, text.to_owned()).unwrap()]
    }

    #[test]
    fn a_mark_is_found_in_a_comment_but_not_inside_a_word() {
        let mark = format!("// {}: later", UNDONE[0]);
        assert_eq!(nothing_left_undone(&source("a.rs", &mark)).len(), 1);
        let template = format!("mktemp {0}{0}", UNDONE[1]);
        assert!(nothing_left_undone(&source("a.md", &template)).is_empty());
        let code = format!("fn a() {{ {}() }}", UNDONE_CODE[0]);
        assert_eq!(nothing_left_undone(&source("a.rs", &code)).len(), 1);
    }

    #[test]
    fn a_file_without_a_purpose_is_found() {
        assert_eq!(
            opens_with_its_purpose(&source("a.rs", "fn a() {}")).len(),
            1
        );
        assert!(opens_with_its_purpose(&source("a.rs", "//! A file.\n")).is_empty());
    }

    #[test]
    fn a_long_file_is_found() {
        assert!(is_short(&source("a.rs", &"\n".repeat(LINES))).is_empty());
        assert_eq!(is_short(&source("a.rs", &"\n".repeat(LINES + 1))).len(), 1);
    }

    #[test]
    fn a_new_name_at_the_top_is_found() {
        assert_eq!(top_level_is_fixed(&source("scripts/a.sh", "")).len(), 1);
        for path in ["LICENSE-MIT", ".ci/run", "tests/main.rs", "README.md"] {
            let text = if path.ends_with(".rs") { "//! A." } else { "" };
            assert!(top_level_is_fixed(&source(path, text)).is_empty(), "{path}");
        }
    }

    #[test]
    fn a_case_without_its_expectation_is_found() {
        let files = ["README.md", "input.pcap"].map(|file| {
            Source::new(&format!("tests/captures/scan/{file}"), String::new()).unwrap()
        });
        assert_eq!(
            cases_are_whole(&files),
            ["tests/captures/scan: has no expected.jsonl"]
        );
    }

    #[test]
    fn a_path_of_one_machine_is_found_but_not_one_that_only_ends_alike() {
        let path = format!("see \"{}me/x\"", MACHINE[2]);
        assert_eq!(no_machine_paths(&source("a.md", &path)).len(), 1);
        let alike = format!("see target{}x", MACHINE[0]);
        assert!(no_machine_paths(&source("a.md", &alike)).is_empty());
    }

    #[test]
    fn a_registry_is_found_but_not_the_public_index_of_the_lock_file() {
        let line = format!(
            "source = \"registry+https://example.org/{}-index\"",
            REGISTRIES[0]
        );
        assert!(no_registries(&source("Cargo.lock", &line)).is_empty());
        assert_eq!(no_registries(&source("README.md", &line)).len(), 1);
    }

    #[test]
    fn xtask_with_the_sensor_is_found() {
        let manifest = source(
            "xtask/Cargo.toml",
            "[dependencies]\nsensor.workspace = true\n",
        );
        assert_eq!(
            xtask_stands_alone(&manifest),
            ["xtask/Cargo.toml:2: sensor.workspace = true"]
        );
    }
}
