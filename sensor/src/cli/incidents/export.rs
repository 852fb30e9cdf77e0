//! `garita incidents export`: the evidence of one incident as a folder that can be handed on and checked.
//! It must not mix with anything that was there before.

use contract::printable::hex;
use std::fmt::Write;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use detection::features::NAMES;
use sensor::control::IncidentHistory;
use sha2::{Digest, Sha256};

use super::super::client::Client;
use super::super::listing;

/// One ECS document a line, the oldest revision first.
const DOCUMENTS: &str = "incident.jsonl";

/// What the model saw, a row a revision.
const FEATURES: &str = "features.csv";

/// The last headers that were kept of the offender.
const HEADERS: &str = "headers.pcap";

/// In the form that `sha256sum --check` reads.
const MANIFEST: &str = "SHA256SUMS";

/// Makes the folder and says what is in it.
pub fn run(client: &Client, case: &IncidentHistory, folder: &Path) -> Result<()> {
    let mut files = vec![(DOCUMENTS, documents(case)?)];
    let mut missing = Vec::new();
    match features(case)? {
        Some(rows) => files.push((FEATURES, rows)),
        None => missing.push("what the model saw was not kept"),
    }
    match headers(client, case)? {
        Some(bytes) => files.push((HEADERS, bytes)),
        None => missing.push("no packet headers are kept of the offender"),
    }
    let mut manifest = String::new();
    for (name, bytes) in &files {
        // Writing to a string cannot fail.
        let _ = writeln!(manifest, "{}  {name}", hex(&Sha256::digest(bytes)));
    }
    files.push((MANIFEST, manifest.into_bytes()));
    let place = folder.display();
    fs::create_dir(folder).or_else(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => Ok(()),
        _ => Err(error).with_context(|| format!("cannot make the folder {place}")),
    })?;
    let mut entries = fs::read_dir(folder).with_context(|| format!("cannot read {place}"))?;
    ensure!(entries.next().is_none(), "the folder {place} is not empty");
    for (name, bytes) in &files {
        let path = folder.join(name);
        fs::write(&path, bytes).with_context(|| format!("cannot write {}", path.display()))?;
    }
    let names: Vec<&str> = files.iter().map(|(name, _)| *name).collect();
    let mut said = format!("Wrote {} to {place}.", names.join(", "));
    for missing in missing {
        let _ = write!(said, "\nNot there: {missing}.");
    }
    listing::text(&said)
}

fn documents(case: &IncidentHistory) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    for revision in &case.revisions {
        serde_json::to_writer(&mut bytes, revision)?;
        bytes.push(b'\n');
    }
    Ok(bytes)
}

/// The vectors, unless there is none or they are of a program with other features.
fn features(case: &IncidentHistory) -> Result<Option<Vec<u8>>> {
    let of_ours = |row: &&Vec<f32>| row.len() == NAMES.len();
    if case.features.iter().filter(of_ours).count() == 0 {
        return Ok(None);
    }
    let mut rows = csv::Writer::from_writer(Vec::new());
    rows.write_record(["revision", "time"].iter().chain(&NAMES))?;
    for (revision, row) in case.revisions.iter().zip(&case.features) {
        if row.len() != NAMES.len() {
            continue;
        }
        let told = super::read(revision)?;
        let labels = [told.garita.revision.to_string(), told.at.to_string()];
        rows.write_record(labels.into_iter().chain(row.iter().map(f32::to_string)))?;
    }
    Ok(Some(rows.into_inner()?))
}

fn headers(client: &Client, case: &IncidentHistory) -> Result<Option<Vec<u8>>> {
    let last = case
        .revisions
        .last()
        .context("the incident has no revision")?;
    let Some(offender) = super::read(last)?.garita.offender else {
        return Ok(None);
    };
    match client.bytes(&format!("headers/{offender}")) {
        Ok(bytes) => Ok(Some(bytes.to_vec())),
        Err(error) if error.is_missing() => Ok(None),
        Err(error) => Err(error.into()),
    }
}
