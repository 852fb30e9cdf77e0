//! Cargo's extra programs, installed below `target/tools` when a task first wants one. Nothing of the machine changes.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use xshell::{Cmd, Shell, cmd};

use crate::target;

/// A command as a person would start it. Cargo tells us which package it started; build scripts that look at that
/// (ring's) would begin anew, and so would all that depends on them.
pub(crate) fn by_hand(mut command: Cmd<'_>) -> Cmd<'_> {
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            command = command.env_remove(&name);
        }
    }
    command
}

/// A program that cargo installs, and the reason to have it.
pub(crate) struct Tool {
    pub(crate) name: &'static str,
    pub(crate) version: &'static str,
    pub(crate) why: &'static str,
}

impl Tool {
    /// Where the program is; installs it where it is missing or of another version.
    pub(crate) fn get(&self, shell: &Shell) -> Result<PathBuf> {
        let Self { name, version, why } = self;
        let tools = target().join("tools");
        let program = tools.join("bin").join(name);
        if self.is_at(shell, &program) {
            return Ok(program);
        }
        println!(
            "Installing {name} {version}, which {why}, below {}.",
            tools.display()
        );
        cmd!(
            shell,
            "cargo install {name} --version {version} --locked --root {tools}"
        )
        .run()
        .with_context(|| format!("install {name} {version}, then run this again"))?;
        ensure!(
            self.is_at(shell, &program),
            "{} was just built but does not say it is version {version}",
            program.display()
        );
        Ok(program)
    }

    fn is_at(&self, shell: &Shell, program: &PathBuf) -> bool {
        cmd!(shell, "{program} --version")
            .quiet()
            .ignore_stderr()
            .read()
            .is_ok_and(|said| said.split_whitespace().any(|word| word == self.version))
    }
}
