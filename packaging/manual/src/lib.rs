//! Man pages and shell completions, made from a program's command line and its shipped configuration. It describes commands
//! and settings and defines none.

mod settings;

use std::fs::{File, OpenOptions, create_dir_all};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Command;
use clap_complete::Shell;
use clap_mangen::roff::{Roff, bold, roman};

pub use settings::{Entry, entries};

/// What a page says beside the commands: a heading, and terms with their meaning.
pub type Chapter = (&'static str, &'static [(&'static str, &'static str)]);

/// A program's manual.
#[derive(Debug)]
pub struct Manual {
    /// The program's name.
    pub program: &'static str,
    /// The whole command line.
    pub command: Command,
    /// Chapters of the program's own page.
    pub chapters: &'static [Chapter],
    /// The name of the configuration file, which is that of its page.
    pub file: &'static str,
    /// The file as it is shipped.
    pub shipped: &'static str,
    /// Pages to see also, with their sections.
    pub also: &'static [(&'static str, &'static str)],
}

/// A page or completion that cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("{} cannot be written: {source}", path.display())]
pub struct Error {
    path: PathBuf,
    source: io::Error,
}

impl Manual {
    /// Writes `man1`, `man5` and `completions` into a folder, replacing what an earlier run left.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn write(self, folder: &Path) -> Result<(), Error> {
        let program = self.program;
        let made = |name: &str| -> Result<PathBuf, Error> {
            let folder = folder.join(name);
            create_dir_all(&folder).map_err(refused(&folder))?;
            Ok(folder)
        };
        let (commands, formats, completions) = (made("man1")?, made("man5")?, made("completions")?);

        clap_mangen::generate_to(self.command.clone(), &commands).map_err(refused(&commands))?;
        let first = commands.join(format!("{program}.1"));
        OpenOptions::new()
            .append(true)
            .open(&first)
            .and_then(|mut page| self.chapters().to_writer(&mut page))
            .map_err(refused(&first))?;

        let page = formats.join(format!("{}.5", self.file));
        let text = settings::page(program, (self.file, self.shipped));
        File::create(&page)
            .and_then(|mut file| file.write_all(text.as_bytes()))
            .map_err(refused(&page))?;

        // zsh and fish would offer what a person never calls.
        let mut command = without_hidden(program, &self.command);
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
            clap_complete::generate_to(shell, &mut command, program, &completions)
                .map_err(refused(&completions))?;
        }
        Ok(())
    }

    fn chapters(&self) -> Roff {
        let mut page = Roff::new();
        for (heading, entries) in self.chapters {
            page.control("SH", [*heading]);
            for (term, meaning) in *entries {
                page.control("TP", []);
                page.text([bold(*term)]);
                page.text([roman(*meaning)]);
            }
        }
        page.control("SH", ["SEE ALSO"]);
        let mut also = Vec::new();
        for (name, section) in self.also {
            if !also.is_empty() {
                also.push(roman(", "));
            }
            also.extend([bold(*name), roman(format!("({section})"))]);
        }
        page.text(also);
        page
    }
}

fn refused(path: &Path) -> impl FnOnce(io::Error) -> Error {
    let path = path.to_owned();
    |source| Error { path, source }
}

/// The same command without its hidden subcommands, which clap cannot take out again.
fn without_hidden(program: &'static str, command: &Command) -> Command {
    let mut bare = Command::new(program).version(env!("CARGO_PKG_VERSION"));
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
