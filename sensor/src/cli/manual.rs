//! `garita manual`: man pages and shell completions, made from the command line and the shipped configuration.
//! It describes commands and settings and defines none.

mod settings;

use std::fs::{File, OpenOptions, create_dir_all};
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Command;
use clap_complete::Shell;
use clap_mangen::roff::{Roff, bold, roman};

/// `garita manual`
#[derive(clap::Args)]
pub struct Arguments {
    /// Where the folders man1, man5 and completions are made
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
}

/// What garita(1) says beside the commands: a heading, and terms with their meaning.
const CHAPTERS: &[(&str, &[(&str, &str)])] = &[
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
    let folder = |name| -> Result<PathBuf> {
        let folder = arguments.folder.join(name);
        create_dir_all(&folder).with_context(|| refused(&folder))?;
        Ok(folder)
    };
    let (commands, formats, completions) =
        (folder("man1")?, folder("man5")?, folder("completions")?);

    clap_mangen::generate_to(command.clone(), &commands).with_context(|| refused(&commands))?;
    let first = commands.join("garita.1");
    OpenOptions::new()
        .append(true)
        .open(&first)
        .and_then(|mut page| chapters().to_writer(&mut page))
        .with_context(|| refused(&first))?;

    let page = formats.join("garita.toml.5");
    File::create(&page)
        .and_then(|mut file| file.write_all(settings::page().as_bytes()))
        .with_context(|| refused(&page))?;

    // zsh and fish would offer what a person never calls.
    let mut command = without_hidden(command);
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        clap_complete::generate_to(shell, &mut command, "garita", &completions)
            .with_context(|| refused(&completions))?;
    }
    Ok(())
}

fn refused(path: &Path) -> String {
    format!("{} cannot be written", path.display())
}

fn chapters() -> Roff {
    let mut page = Roff::new();
    for (heading, entries) in CHAPTERS {
        page.control("SH", [*heading]);
        for (term, meaning) in *entries {
            page.control("TP", []);
            page.text([bold(*term)]);
            page.text([roman(*meaning)]);
        }
    }
    page.control("SH", ["SEE ALSO"]);
    page.text([
        bold("garita.toml"),
        roman("(5), "),
        bold("nft"),
        roman("(8)"),
    ]);
    page
}

/// The same command without its hidden subcommands, which clap cannot take out again.
fn without_hidden(command: Command) -> Command {
    let mut bare = Command::new("garita").version(env!("CARGO_PKG_VERSION"));
    if let Some(about) = command.get_about() {
        bare = bare.about(about.clone());
    }
    bare.args(command.get_arguments().cloned()).subcommands(
        command
            .get_subcommands()
            .filter(|subcommand| !subcommand.is_hide_set())
            .cloned(),
    )
}
