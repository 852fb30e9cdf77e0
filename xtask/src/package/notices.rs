//! The notices of the libraries inside the program: MIT, BSD and ISC ask that they come along with a binary.
//! Whether a licence is allowed is not decided here.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::Value;
use xshell::{Shell, cmd};

/// How a file begins that holds a licence or a notice.
const NAMES: &[&str] = &["LICEN", "COPYING", "COPYRIGHT", "NOTICE", "UNLICEN"];

/// Every library, its version and licence, then each text once with those it belongs to.
pub(super) fn read(shell: &Shell, source: &str) -> Result<String> {
    let format = "{p}";
    let linked = cmd!(
        shell,
        "cargo tree --package {source} --edges normal --prefix none --format {format}"
    )
    .quiet()
    .read()
    .context("the dependencies cannot be listed")?;
    let metadata = cmd!(shell, "cargo metadata --format-version 1 --locked")
        .quiet()
        .read()
        .context("the dependencies cannot be looked up")?;
    let metadata: Value = serde_json::from_str(&metadata)?;
    let packages = metadata["packages"]
        .as_array()
        .context("cargo metadata lists no packages")?;

    let mut libraries = BTreeMap::new();
    let mut texts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for package in packages {
        let word = |key: &str| package[key].as_str().unwrap_or_default();
        let name = format!("{} {}", word("name"), word("version"));
        // What has no source is our own.
        if package["source"].is_null() || !is_linked(&linked, word("name"), word("version")) {
            continue;
        }
        libraries.insert(name.clone(), word("license").to_owned());
        let manifest = Path::new(word("manifest_path"));
        for text in manifest
            .parent()
            .map(notices)
            .transpose()?
            .unwrap_or_default()
        {
            let bearers = texts.entry(text).or_default();
            if !bearers.contains(&name) {
                bearers.push(name.clone());
            }
        }
    }
    Ok(print(&libraries, &texts))
}

/// Whether `cargo tree` has a line `name vVERSION`, whatever follows.
fn is_linked(tree: &str, name: &str, version: &str) -> bool {
    let start = format!("{name} v{version}");
    tree.lines().any(|line| {
        line.strip_prefix(&start)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
    })
}

fn notices(folder: &Path) -> Result<Vec<String>> {
    let entries = folder
        .read_dir()
        .with_context(|| format!("{} cannot be read", folder.display()))?;
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let name = name.to_uppercase();
        if path.is_file() && NAMES.iter().any(|start| name.starts_with(start)) {
            paths.push(path);
        }
    }
    paths.sort();
    paths
        .iter()
        .map(|path| {
            let text = std::fs::read(path)
                .with_context(|| format!("{} cannot be read", path.display()))?;
            Ok(String::from_utf8_lossy(&text).trim().replace('\r', ""))
        })
        .collect()
}

fn print(libraries: &BTreeMap<String, String>, texts: &BTreeMap<String, Vec<String>>) -> String {
    let mut page = String::from("Libraries inside the program, and their licences:\n\n");
    for (name, licence) in libraries {
        page.push_str(&format!("  {name}: {licence}\n"));
    }
    for (text, bearers) in texts {
        let rule = "-".repeat(78);
        page.push_str(&format!("\n{rule}\n{}\n\n{text}\n", bearers.join(", ")));
    }
    page
}

#[cfg(test)]
mod tests {
    use super::is_linked;

    #[test]
    fn a_library_is_linked_in_this_very_version() {
        let tree = "axum v0.8.1 (*)\nsyn v2.0.1 (proc-macro)\n";
        assert!(is_linked(tree, "axum", "0.8.1"));
        assert!(!is_linked(tree, "axum", "0.8"));
        assert!(!is_linked(tree, "xum", "0.8.1"));
    }
}
