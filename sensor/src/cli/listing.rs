//! Listings: a table that fits the terminal for a person, one JSON document a line for a program, CSV for a
//! spreadsheet. What is listed is decided elsewhere.

use std::io::{self, BufWriter, IsTerminal, Write};
use std::net::IpAddr;
use std::path::Path;

use anyhow::{Context, Result, anyhow};
use console::Term;
use contract::address::canonical;
pub use contract::address::shown as target;
use contract::printable::printable;
use ipnet::IpNet;
use serde::Serialize;

use super::table::Table;

/// Prints a table, or that it is empty.
pub fn table<const COLUMNS: usize>(mut table: Table<COLUMNS>, empty: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    if table.is_empty() {
        return Ok(writeln!(out, "{empty}")?);
    }
    // What is no terminal has no width to keep to.
    if let Some((_, width)) = Term::stdout().size_checked() {
        table.fit(usize::from(width));
    }
    Ok(write!(out, "{table}")?)
}

/// Prints text; what came from outside loses what could harm a terminal.
pub fn text(lines: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    for line in lines.lines() {
        writeln!(out, "{}", printable(line))?;
    }
    Ok(())
}

/// Prints one JSON document a line.
pub fn json<'a, T: Serialize + 'a>(items: impl IntoIterator<Item = &'a T>) -> Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    for item in items {
        serde_json::to_writer(&mut out, item).map_err(io::Error::from)?;
        out.write_all(b"\n")?;
    }
    Ok(out.flush()?)
}

/// The file of that name, new, or else what is printed.
pub fn output(path: Option<&Path>) -> Result<Box<dyn Write>> {
    Ok(match path {
        Some(path) => {
            let file = std::fs::File::create(path);
            let file = file.with_context(|| format!("cannot write {}", path.display()))?;
            Box::new(BufWriter::new(file))
        }
        None => Box::new(BufWriter::new(io::stdout().lock())),
    })
}

/// A cell that no spreadsheet takes for a formula.
pub fn cell(text: &str) -> String {
    let text = printable(text);
    if text.starts_with(['=', '+', '-', '@']) {
        format!("'{text}")
    } else {
        text.into_owned()
    }
}

/// Reads an address or a prefix; host bits are cleared.
pub fn net(text: &str) -> Result<IpNet, String> {
    let read = text.parse::<IpNet>().ok();
    let read = read.or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from));
    read.map(canonical)
        .ok_or_else(|| "allowed is an address or a prefix such as 192.0.2.0/24".to_owned())
}

/// Whether the person at the terminal says yes. Where nobody is there to ask, the answer is no.
pub fn confirmed(question: &str) -> Result<bool> {
    let term = Term::stderr();
    if !term.is_term() || !io::stdin().is_terminal() {
        return Ok(false);
    }
    term.write_str(&format!("{question} [y/N] "))?;
    let answer = term.read_line()?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

/// Text of a record, or a dash where there is none.
pub fn or_dash(text: &str) -> String {
    if text.is_empty() { "-" } else { text }.to_owned()
}

/// An id as part of a resource's name.
pub fn id(text: &str) -> Result<&str> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if !text.is_empty() && text.bytes().all(plain) {
        Ok(text)
    } else {
        Err(anyhow!("{text:?} is not the id of an incident or a review"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_prefixes_have_one_form() {
        for (text, form) in [
            ("192.0.2.7", "192.0.2.7"),
            ("192.0.2.7/24", "192.0.2.0/24"),
            ("::ffff:192.0.2.7", "192.0.2.7"),
            ("2001:DB8::1/64", "2001:db8::/64"),
        ] {
            assert_eq!(target(net(text).unwrap()), form);
        }
        assert!(net("192.0.2.7/33").is_err() && net("here").is_err());
    }

    #[test]
    fn no_cell_is_a_formula() {
        assert_eq!(cell("=1+1\u{1b}[2J"), "'=1+1[2J");
        assert_eq!(cell("scan"), "scan");
    }
}
