//! `garita manual`: man pages and shell completions, made from the command line and the shipped configuration.
//! It describes commands and settings and defines none.

use std::path::PathBuf;

use anyhow::Result;
use clap::Command;
use manual::{Chapter, Manual};

/// `garita manual`
#[derive(clap::Args)]
pub struct Arguments {
    /// Where the folders man1, man5 and completions are made
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
}

/// What garita(1) says beside the commands.
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
            "GARITA__SECTION__KEY",
            "Wins over the same setting in the configuration file, as GARITA__POLICY__BLOCK_TTL=1h.",
        )],
    ),
    (
        "FILES",
        &[
            (
                "/etc/garita/garita.toml",
                "The configuration: every setting, its default, and the reason for it.",
            ),
            (
                "/etc/garita/credentials",
                "Secrets for LoadCredential= in a drop-in of garita.service; only root reads here.",
            ),
            (
                "/var/lib/garita/garita.db",
                "Incidents, blocks, allowances and the audit trail.",
            ),
            (
                "/run/garita/control.sock",
                "Where the daemon answers the other commands.",
            ),
        ],
    ),
    (
        "SIGNALS",
        &[
            ("SIGHUP", "Reads the configuration again."),
            (
                "SIGTERM",
                "Ends. Blocks stay in the kernel until they expire, so that a restart opens no gap.",
            ),
        ],
    ),
];

/// Writes everything into the folder, replacing what an earlier run left.
pub fn run(arguments: &Arguments, command: Command) -> Result<()> {
    let manual = Manual {
        program: "garita",
        command,
        chapters: CHAPTERS,
        file: "garita.toml",
        shipped: include_str!("../../../config/garita.toml"),
        also: &[("garita.toml", "5"), ("nft", "8")],
    };
    Ok(manual.write(&arguments.folder)?)
}
