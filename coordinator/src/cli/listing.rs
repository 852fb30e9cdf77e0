//! How listings are written: columns for people, JSON for programs. Text from outside loses its control characters.

use std::io::Write;

use anyhow::{Context, Result};
use contract::printable::printable;
use serde_json::Value;

/// Columns: a heading, and where its value stands.
pub(crate) type Columns = &'static [(&'static str, &'static str)];

/// Writes documents: as lines of JSON, or these columns of them.
pub(crate) fn write(items: &[Value], columns: Columns, json: bool) -> Result<()> {
    let mut out = std::io::stdout().lock();
    let wrote = match json {
        true => items.iter().try_for_each(|item| writeln!(out, "{item}")),
        false => table(&mut out, items, columns),
    };
    match wrote {
        // Who reads no further has seen enough.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        wrote => wrote.context("the listing cannot be written"),
    }
}

/// Writes a sentence, or a secret, alone on its line.
pub(crate) fn say(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{text}").context("the answer cannot be written")
}

fn table(out: &mut impl Write, items: &[Value], columns: Columns) -> std::io::Result<()> {
    let cells: Vec<Vec<String>> = items
        .iter()
        .map(|item| columns.iter().map(|(_, place)| cell(item, place)).collect())
        .collect();
    let width = |at: usize, heading: &str| {
        let widths = cells
            .iter()
            .filter_map(|row| row.get(at))
            .map(|cell| cell.chars().count());
        widths.max().unwrap_or(0).max(heading.len())
    };
    let widths: Vec<usize> = columns
        .iter()
        .enumerate()
        .map(|(at, (heading, _))| width(at, heading))
        .collect();
    let headings: Vec<String> = columns
        .iter()
        .map(|(heading, _)| (*heading).to_owned())
        .collect();
    for row in std::iter::once(&headings).chain(&cells) {
        let padded: Vec<String> = row
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:<width$}"))
            .collect();
        writeln!(out, "{}", padded.join("  ").trim_end())?;
    }
    Ok(())
}

fn cell(item: &Value, place: &str) -> String {
    match item.pointer(place) {
        None | Some(Value::Null) => "-".to_owned(),
        Some(Value::String(text)) => printable(text).into_owned(),
        Some(Value::Array(items)) if items.is_empty() => "all".to_owned(),
        Some(Value::Array(items)) => {
            let texts: Vec<String> = items.iter().map(|item| cell(item, "")).collect();
            texts.join(",")
        }
        Some(other) => other.to_string(),
    }
}
