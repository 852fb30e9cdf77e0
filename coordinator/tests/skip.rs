//! Says which tests could not run here, and why. Nothing is judged here.

use std::io::Write;

/// Notes that `test` is skipped for `reason`: on stderr, and in the file `GARITA_SKIPS` names, since cargo hides what a
/// passing test prints.
pub(crate) fn skip(test: &str, reason: &str) {
    let line = format!("{test}: {reason}");
    eprintln!("SKIPPED {line}");
    if let Some(path) = std::env::var_os("GARITA_SKIPS") {
        let mut skips = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(path)
            .expect("the file GARITA_SKIPS names can be written");
        writeln!(skips, "{line}").expect("the file GARITA_SKIPS names can be written");
    }
}
