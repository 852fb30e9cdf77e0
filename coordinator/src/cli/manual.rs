//! `garita-coordinator manual`: man pages and completions. It describes commands and settings and defines none.

use std::path::PathBuf;

use anyhow::Result;
use clap::Command;
use manual::{Chapter, Manual};

/// `garita-coordinator manual`
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Where the folders man1, man5 and completions are made
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
}

/// What garita-coordinator(1) says beside the commands.
const CHAPTERS: &[Chapter] = &[
    (
        "EXIT STATUS",
        &[
            ("0", "Done."),
            ("1", "Failed; one sentence on stderr says what and why."),
            ("2", "The command line makes no sense."),
            ("78", "The configuration is bad."),
        ],
    ),
    (
        "ENVIRONMENT",
        &[(
            "GARITA_COORDINATOR__SECTION__KEY",
            "Wins over the same setting in the configuration file, as GARITA_COORDINATOR__FLEET__MODE=enforce.",
        )],
    ),
    (
        "FILES",
        &[
            (
                "/etc/garita-coordinator/coordinator.toml",
                "The configuration: every setting, its default, and the reason for it.",
            ),
            (
                "/etc/garita-coordinator/credentials",
                "Secrets for LoadCredential= in a drop-in of garita-coordinator.service; only root reads here.",
            ),
            (
                "/var/lib/garita-coordinator/coordinator.db",
                "Everything, where the database is a file.",
            ),
        ],
    ),
    (
        "SIGNALS",
        &[(
            "SIGTERM",
            "Ends once what was heard is stored. What was ordered holds at the sensors.",
        )],
    ),
];

/// Writes everything into the folder, replacing what an earlier run left.
pub(crate) fn run(arguments: &Arguments, command: Command) -> Result<()> {
    let manual = Manual {
        program: "garita-coordinator",
        command,
        chapters: CHAPTERS,
        file: "coordinator.toml",
        shipped: include_str!("../../../config/coordinator.toml"),
        also: &[("coordinator.toml", "5"), ("garita", "1")],
    };
    Ok(manual.write(&arguments.folder)?)
}
