//! Checks the rules of this repository that no compiler knows; each says why it exists when it is broken. It changes
//! nothing and needs nothing but git.

mod code;
mod files;
mod source;

use anyhow::{Result, ensure};
use xshell::Shell;

use source::Source;

/// A rule, and what a reader should know who broke it.
struct Rule {
    name: &'static str,
    why: &'static str,
    /// Returns one line a breach, beginning with the place.
    check: fn(&[Source]) -> Vec<String>,
}

const RULES: &[Rule] = &[
    Rule {
        name: "crates are named in their place",
        why: "a library can be replaced, or its facts looked up, in the one folder that names it",
        check: code::crates_in_their_place,
    },
    Rule {
        name: "what decides does no IO and reads no clock",
        why: "same frames, same configuration, same model: the same incidents, byte for byte",
        check: code::core_is_pure,
    },
    Rule {
        name: "borders hold",
        why: "a change at the edge compiles neither the decision core nor the contract again",
        check: code::borders_hold,
    },
    Rule {
        name: "unsafe stays in its files",
        why: "whoever reviews memory safety reads these files and no others",
        check: code::unsafe_in_its_files,
    },
    Rule {
        name: "nothing sleeps",
        why: "wait for the event, with a deadline: a sleep is too short on a slow machine and too long on every other",
        check: code::nothing_sleeps,
    },
    Rule {
        name: "no test is ignored",
        why: "an ignored test rots unseen; one that lacks something here says SKIPPED and why",
        check: code::no_test_is_ignored,
    },
    Rule {
        name: "nothing is left undone",
        why: "what is missing belongs into an issue, where it is seen",
        check: files::nothing_left_undone,
    },
    Rule {
        name: "a file says what it is",
        why: "the first line tells a newcomer whether to read on",
        check: files::opens_with_its_purpose,
    },
    Rule {
        name: "files are short",
        why: "above 400 lines a file usually holds two ideas",
        check: files::is_short,
    },
    Rule {
        name: "the top level is fixed",
        why: "a visitor finds each thing where the code map says",
        check: files::top_level_is_fixed,
    },
    Rule {
        name: "a golden case is whole",
        why: "a capture without its expectation tests nothing, and without its origin cannot be trusted",
        check: files::cases_are_whole,
    },
    Rule {
        name: "no path of one machine",
        why: "it works for its author alone",
        check: files::no_machine_paths,
    },
    Rule {
        name: "no registry is named",
        why: "where packages come from is set by the machine, mirrors included",
        check: files::no_registries,
    },
    Rule {
        name: "xtask stands alone",
        why: "it installs what the sensor needs to build, so it cannot need the sensor",
        check: files::xtask_stands_alone,
    },
];

/// Checks every rule on the files git knows or would add; an error says how many were broken.
pub(crate) fn run(shell: &Shell) -> Result<()> {
    let sources = source::read(shell)?;
    let mut breaches = 0;
    for rule in RULES {
        let found = (rule.check)(&sources);
        if !found.is_empty() {
            println!("{}: {}", rule.name, rule.why);
        }
        for breach in &found {
            println!("  {breach}");
        }
        breaches += found.len();
    }
    ensure!(breaches == 0, "{breaches} breaches of the rules above");
    println!("{} rules hold in {} files", RULES.len(), sources.len());
    Ok(())
}
