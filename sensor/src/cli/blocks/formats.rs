//! The forms in which blocks are written and read: JSON lines, CSV, and plain lists as they are found everywhere.
//! Each line is read for itself: a bad one says why, and costs no other.

use std::io::Write;
use std::path::Path;

use anyhow::Result;
use clap::ValueEnum;
use contract::action::Lifetime;
use contract::record::Block;
use contract::timestamp::Timestamp;
use ipnet::IpNet;
use serde::{Deserialize, Deserializer};

use super::super::{listing, moment};

/// The columns of CSV; a list needs only the first.
const COLUMNS: [&str; 8] = [
    "target", "state", "origin", "by", "reason", "class", "begun", "expires",
];

/// What blocks are written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// One JSON document a line
    Json,
    /// A header and a row a block
    Csv,
}

/// A block to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The line it stands on, from 1.
    pub line: u64,
    /// Who.
    pub target: IpNet,
    /// For how long.
    pub until: Until,
    /// Why.
    pub reason: String,
}

/// How long a block to be is to last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// So long from now.
    Lifetime(Lifetime),
    /// Until this moment.
    Moment(Timestamp),
}

/// A line that names no block: its number, and what is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadLine {
    /// Its number, from 1.
    pub line: u64,
    /// What is wrong with it.
    pub why: String,
}

/// Writes blocks.
pub fn write(blocks: &[Block], format: Format, path: Option<&Path>) -> Result<()> {
    let mut out = listing::output(path)?;
    match format {
        Format::Json => {
            for block in blocks {
                serde_json::to_writer(&mut out, block).map_err(std::io::Error::from)?;
                out.write_all(b"\n")?;
            }
        }
        Format::Csv => {
            let mut rows = csv::Writer::from_writer(&mut out);
            rows.write_record(COLUMNS)?;
            for block in blocks {
                let state = serde_json::to_value(&block.state)?;
                let expires = block.expires.map(|moment| moment.to_string());
                rows.write_record([
                    listing::target(block.target).as_str(),
                    state.as_str().unwrap_or_default(),
                    block.origin.as_str(),
                    &listing::cell(&block.by),
                    &listing::cell(&block.reason),
                    block.class.map_or("", |class| class.as_str()),
                    &block.begun.to_string(),
                    expires.as_deref().unwrap_or("permanent"),
                ])?;
            }
            rows.flush()?;
            drop(rows);
        }
    }
    Ok(out.flush()?)
}

/// Reads what [`write`] wrote, or a plain list; the first line that says something tells which.
pub fn read(text: &str) -> Vec<Result<Entry, BadLine>> {
    let text = text.trim_start_matches('\u{feff}');
    match text.lines().find(|line| !bare(line).is_empty()) {
        Some(line) if line.trim_start().starts_with('{') => lines(text)
            .map(|(line, said)| document(line, said))
            .collect(),
        Some(line) if has_target(line) => table(text),
        _ => lines(text)
            .map(|(line, said)| plain(line, bare(said)))
            .collect(),
    }
}

/// The lines that say something, with their numbers.
fn lines(text: &str) -> impl Iterator<Item = (u64, &str)> {
    let numbered = (1..).zip(text.lines());
    numbered.filter(|(_, line)| !bare(line).is_empty())
}

/// A line without comment and space.
fn bare(line: &str) -> &str {
    let comment = line.find(['#', ';']).unwrap_or(line.len());
    line.get(..comment).unwrap_or_default().trim()
}

fn has_target(header: &str) -> bool {
    let mut names = header.split(',').map(|name| name.trim().trim_matches('"'));
    names.any(|name| name.eq_ignore_ascii_case(COLUMNS[0]))
}

fn plain(line: u64, text: &str) -> Result<Entry, BadLine> {
    let target = target(line, text)?;
    Ok(Entry {
        line,
        target,
        until: Until::Lifetime(Lifetime::Default),
        reason: String::new(),
    })
}

fn target(line: u64, text: &str) -> Result<IpNet, BadLine> {
    listing::net(text).map_err(|_| BadLine {
        line,
        why: format!("{text:?} is neither an address nor a prefix"),
    })
}

/// An exported block, or as much of one as somebody wrote by hand. A JSON `null` says permanent, as an export does;
/// what is not there says nothing.
#[derive(Deserialize)]
struct Written {
    target: String,
    #[serde(default, deserialize_with = "present")]
    expires: Option<Option<Timestamp>>,
    ttl: Option<Lifetime>,
    #[serde(default)]
    reason: String,
}

fn present<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Option<Timestamp>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

fn document(line: u64, text: &str) -> Result<Entry, BadLine> {
    let written: Written = serde_json::from_str(text).map_err(|error| BadLine {
        line,
        why: format!("it is not a block as JSON: {error}"),
    })?;
    let until = match (written.ttl, written.expires) {
        (Some(ttl), _) => Until::Lifetime(ttl),
        (None, Some(Some(moment))) => Until::Moment(moment),
        (None, Some(None)) => Until::Lifetime(Lifetime::Permanent),
        (None, None) => Until::Lifetime(Lifetime::Default),
    };
    Ok(Entry {
        line,
        target: target(line, &written.target)?,
        until,
        reason: written.reason,
    })
}

fn table(text: &str) -> Vec<Result<Entry, BadLine>> {
    let mut rows = csv::ReaderBuilder::new()
        .flexible(true)
        .trim(csv::Trim::All)
        .comment(Some(b'#'))
        .from_reader(text.as_bytes());
    let names = rows.headers().cloned().unwrap_or_default();
    let column = |wanted: &str| {
        let mut names = names.iter();
        names.position(|name| name.eq_ignore_ascii_case(wanted))
    };
    let places = [COLUMNS[0], "expires", "ttl", "reason"].map(column);
    rows.records()
        .map(|row| {
            let row = row.map_err(|error| BadLine {
                line: error.position().map_or(0, csv::Position::line),
                why: "it is not CSV in UTF-8".to_owned(),
            })?;
            let line = row.position().map_or(0, csv::Position::line);
            let [who, expires, ttl, reason] =
                places.map(|place| place.and_then(|place| row.get(place)).unwrap_or_default());
            Ok(Entry {
                line,
                target: target(line, who)?,
                until: until(expires, ttl).map_err(|why| BadLine { line, why })?,
                reason: uncelled(reason).to_owned(),
            })
        })
        .collect()
}

fn until(expires: &str, ttl: &str) -> Result<Until, String> {
    match (ttl, expires) {
        ("", "") => Ok(Until::Lifetime(Lifetime::Default)),
        ("", "permanent") => Ok(Until::Lifetime(Lifetime::Permanent)),
        ("", moment) => {
            let moment = moment
                .parse::<Timestamp>()
                .map_err(|error| error.to_string());
            moment.map(Until::Moment)
        }
        (ttl, _) => moment::lifetime(ttl)
            .map(Until::Lifetime)
            .map_err(|allowed| format!("its ttl is {ttl:?}; {allowed}")),
    }
}

/// Text as it was before [`listing::cell`].
fn uncelled(text: &str) -> &str {
    match text.strip_prefix('\'') {
        Some(rest) if rest.starts_with(['=', '+', '-', '@']) => rest,
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn targets(text: &str) -> Vec<Result<(u64, String), u64>> {
        let read = read(text).into_iter();
        read.map(|one| {
            one.map(|entry| (entry.line, listing::target(entry.target)))
                .map_err(|bad| bad.line)
        })
        .collect()
    }

    #[test]
    fn a_plain_list_has_comments_and_bad_lines() {
        let text =
            "# bad people\n\n192.0.2.7\n2001:db8::/64 ; SBL1\nhere\n198.51.100.9/24  # all of it\n";
        let expected = [
            Ok((3, "192.0.2.7".to_owned())),
            Ok((4, "2001:db8::/64".to_owned())),
            Err(5),
            Ok((6, "198.51.100.0/24".to_owned())),
        ];
        assert_eq!(targets(text), expected);
    }

    #[test]
    fn csv_is_read_by_its_header() {
        let text = "reason,target,ttl\n\"loud, and rude\",192.0.2.7,4h\n'=1+1,192.0.2.8,permanent\n,192.0.2.9,soon\n";
        let read = read(text);
        let first = read[0].as_ref().unwrap();
        assert_eq!((first.line, first.reason.as_str()), (2, "loud, and rude"));
        let four = Lifetime::For(std::time::Duration::from_secs(4 * 3600));
        assert_eq!(first.until, Until::Lifetime(four));
        let second = read[1].as_ref().unwrap();
        assert_eq!(second.reason, "=1+1");
        assert_eq!(second.until, Until::Lifetime(Lifetime::Permanent));
        assert!(read[2].as_ref().unwrap_err().why.contains("\"soon\""));
    }

    #[test]
    fn documents_say_how_long_or_leave_it_open() {
        let text = "{\"target\":\"192.0.2.7/32\",\"expires\":null,\"by\":\"x\"}\n{\"target\":\"192.0.2.8\"}\n\
                    {\"target\":\"192.0.2.9\",\"expires\":\"2023-11-14T22:13:20Z\"}\n{\"target\":\"192.0.2.10\",\"ttl\":60}\n{]\n";
        let found = read(text);
        let until = |at: usize| found[at].as_ref().unwrap().until;
        assert_eq!(until(0), Until::Lifetime(Lifetime::Permanent));
        assert_eq!(until(1), Until::Lifetime(Lifetime::Default));
        assert_eq!(
            until(2),
            Until::Moment(Timestamp::from_micros(1_700_000_000_000_000))
        );
        assert!(matches!(until(3), Until::Lifetime(Lifetime::For(_))));
        assert_eq!(found[4].as_ref().unwrap_err().line, 5);
    }
}
