//! Runs the scripts of `findings/`: each shows a surprise about other people's software, and fails when it is gone.
//! It is outside CI, because it needs the package registries.

use anyhow::{Context, Result, ensure};
use xshell::{Shell, cmd};

/// Runs every finding whose name begins with `only`, and says which have changed.
pub(crate) fn run(shell: &Shell, only: Option<&str>) -> Result<()> {
    let scripts = shell
        .read_dir("findings")
        .context("the folder findings cannot be read")?;
    let mut names: Vec<String> = scripts
        .iter()
        .filter(|path| path.extension().is_some_and(|extension| extension == "sh"))
        .filter_map(|path| path.file_stem()?.to_str().map(str::to_owned))
        .filter(|name| only.is_none_or(|only| name.starts_with(only)))
        .collect();
    names.sort_unstable();
    ensure!(!names.is_empty(), "no finding is called so");
    let mut changed = Vec::new();
    for name in &names {
        println!("== {name}");
        if cmd!(shell, "bash findings/{name}.sh")
            .quiet()
            .run()
            .is_err()
        {
            changed.push(name.as_str());
        }
    }
    let words = changed.join(", ");
    ensure!(
        changed.is_empty(),
        "changed, or not to be shown here: {words}"
    );
    println!("{} findings are as they were", names.len());
    Ok(())
}
