//! The page of a configuration file, made from the file as it is shipped: its comments are the reasons, its values the
//! defaults. It must not know a setting that the file does not name.

use clap_mangen::roff::{Roff, bold, italic, roman};

/// The man page's source.
pub(crate) fn page(program: &str, (file, shipped): (&str, &str)) -> String {
    let mut page = Roff::new();
    let version = format!("{program} {}", env!("CARGO_PKG_VERSION"));
    page.control("TH", [file, "5", "", version.as_str()]);
    page.control("SH", ["NAME"]);
    page.text([
        roman(format!("{file} - configuration of ")),
        bold(program),
        roman("(1)"),
    ]);
    page.control("SH", ["DESCRIPTION"]);
    page.text([roman(
        "Each setting is named by its section, a dot and its key; after the sign stands its default.",
    )]);
    for entry in entries(shipped) {
        match entry {
            Entry::Opening(text) => {
                page.control("PP", []);
                page.text([roman(text)]);
            }
            Entry::Section(name) => {
                page.control("SH", [format!("[{name}]").as_str()]);
            }
            Entry::Setting {
                name,
                default,
                reason,
            } => {
                page.control("TP", []);
                page.text([bold(name), roman(" = "), italic(default)]);
                page.text([roman(reason)]);
            }
        }
    }
    page.control("SH", ["FILES"]);
    page.text([roman(format!("/etc/{program}/{file}"))]);
    page.control("SH", ["SEE ALSO"]);
    page.text([
        bold(program),
        roman("(1), "),
        bold(format!("{program}-check")),
        roman("(1)"),
    ]);
    page.render()
}

/// A piece of the configuration file.
#[derive(Debug, PartialEq, Eq)]
pub enum Entry {
    /// A line of what it says before the first section.
    Opening(String),
    /// A section's name.
    Section(String),
    /// A setting.
    Setting {
        /// Its section, a dot and its key.
        name: String,
        /// Its default, as TOML.
        default: String,
        /// The comment above it, in one line.
        reason: String,
    },
}

/// Takes the file apart. A comment belongs to the setting below it; a value that goes on over lines is put in one.
pub fn entries(file: &str) -> Vec<Entry> {
    let (mut entries, mut section, mut comment) = (Vec::new(), String::new(), String::new());
    for line in file.lines().map(str::trim) {
        if let Some(text) = line.strip_prefix('#') {
            match section.is_empty() {
                true => entries.push(Entry::Opening(text.trim().to_owned())),
                false => append(&mut comment, text),
            }
        } else if let Some(name) = section_name(line) {
            section = name.to_owned();
            entries.push(Entry::Section(section.clone()));
        } else if let Some((key, value)) = assignment(line) {
            entries.push(Entry::Setting {
                name: format!("{section}.{key}"),
                default: value.to_owned(),
                reason: std::mem::take(&mut comment),
            });
        } else if let (false, Some(Entry::Setting { default, .. })) =
            (line.is_empty(), entries.last_mut())
        {
            append(default, line);
        }
    }
    entries
}

fn append(text: &mut String, more: &str) {
    if !text.is_empty() {
        text.push(' ');
    }
    text.push_str(more.trim());
}

fn section_name(line: &str) -> Option<&str> {
    let name = line.strip_prefix('[')?.strip_suffix(']')?;
    let is_name = |message: char| message.is_ascii_lowercase() || message == '_';
    (!name.is_empty() && name.chars().all(is_name)).then_some(name)
}

fn assignment(line: &str) -> Option<(&str, &str)> {
    let (key, value) = line.split_once(" = ")?;
    let is_key = |message: char| message.is_ascii_alphanumeric() || message == '_';
    key.chars().all(is_key).then_some((key, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHIPPED: [&str; 2] = [
        include_str!("../../../config/garita.toml"),
        include_str!("../../../config/coordinator.toml"),
    ];

    #[test]
    fn every_setting_of_the_shipped_files_has_its_default_and_its_reason() {
        for shipped in SHIPPED {
            let file: toml::Table = shipped.parse().expect("the shipped file is TOML");
            let found = entries(shipped);
            let mut settings = 0;
            for (section, table) in &file {
                for (key, value) in table.as_table().expect("a section") {
                    settings += 1;
                    let name = format!("{section}.{key}");
                    let read = found.iter().find_map(|entry| match entry {
                        Entry::Setting {
                            name: found,
                            default,
                            reason,
                        } if *found == name => Some((default, reason)),
                        _ => None,
                    });
                    let (default, reason) = read.unwrap_or_else(|| panic!("{name} is missing"));
                    assert!(reason.len() > 20, "{name}: {reason:?}");
                    let read: toml::Table = format!("{key} = {default}").parse().expect(&name);
                    assert_eq!(read[key], *value, "{name}");
                }
            }
            let listed = |entry: &&Entry| matches!(entry, Entry::Setting { .. });
            assert_eq!(found.iter().filter(listed).count(), settings);
        }
    }

    #[test]
    fn a_value_over_several_lines_is_one_default() {
        let file = "# About.\n\n[a]\n# Why\n# so.\nb = [\n  1,\n]\n";
        let expected = [
            Entry::Opening("About.".to_owned()),
            Entry::Section("a".to_owned()),
            Entry::Setting {
                name: "a.b".to_owned(),
                default: "[ 1, ]".to_owned(),
                reason: "Why so.".to_owned(),
            },
        ];
        assert_eq!(entries(file), expected);
    }
}
