//! `incident export`: everything that is kept of an incident, in a folder that an outsider can check with `sha256sum` and
//! `openssl` alone. It changes nothing but the audit trail, which says who took it.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, bail};
use coordinator::orders::Key;
use coordinator::store::{Page, Scope, Store};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::access::said;
use super::listing::say;

/// Rows read at once.
const ROWS: u32 = 1_000;
/// The list of hashes, as `sha256sum --check` reads it.
const MANIFEST: &str = "manifest.sha256";

/// How somebody without this program checks the folder.
const README: &str = "\
What a Garita coordinator keeps of one incident.

incident.json     the latest revision, as the sensor published it, with its name, site and sensor in front
revisions.jsonl   the revisions before it, the latest first
blocks.jsonl      what the fleet was to keep out because of it, who ordered that, and what it was concluded from
orders.jsonl      the commands that were sent for it, to whom, and what each sensor answered
audit.jsonl       the entries of the audit trail about it; each has the hash of the one before it in the whole trail

Nothing was changed since it was exported:     sha256sum --check manifest.sha256
It was exported by who holds the orders' key:  openssl pkeyutl -verify -pubin -inkey public.pem -rawin \\
                                                   -in manifest.sha256 -sigfile manifest.sha256.sig
public.pem proves nothing by itself: compare it with the key that the sensors list in report.command_keys.
";

/// Writes the folder, which must not be there yet.
pub(crate) async fn export(
    (store, key): (&Store, &Key),
    (id, folder): (&str, &Path),
) -> Result<()> {
    let files = gather(store, id).await?;
    std::fs::create_dir(folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    let write = |name: &str, bytes: &[u8]| {
        let path = folder.join(name);
        std::fs::write(&path, bytes)
            .with_context(|| format!("{} cannot be written", path.display()))
    };
    let mut manifest = String::new();
    for (name, text) in &files {
        write(name, text.as_bytes())?;
        let hash = coordinator::hex(&Sha256::digest(text));
        manifest.push_str(&format!("{hash}  {name}\n"));
    }
    write(MANIFEST, manifest.as_bytes())?;
    write("manifest.sha256.sig", &key.sign(manifest.as_bytes()))?;
    write("public.pem", key.public_pem()?.as_bytes())?;
    let hash = coordinator::hex(&Sha256::digest(&manifest));
    store
        .audit(&said(
            ("incident export", id.to_owned()),
            &format!("done: manifest {hash}"),
        ))
        .await?;
    say(&format!(
        "{}: {} files, manifest {hash}",
        folder.display(),
        files.len()
    ))
}

/// The files by name.
async fn gather(store: &Store, id: &str) -> Result<BTreeMap<&'static str, String>> {
    let all = Scope::default();
    let Some((latest, older)) = store.incident(&all, id).await? else {
        bail!("there is no incident {id}");
    };
    let document: Value = serde_json::from_str(&latest).context("the incident is no JSON")?;
    let offender = document["garita"]["offender"].as_str();
    let target = offender.and_then(|address| {
        let address: std::net::IpAddr = address.parse().ok()?;
        Some(ipnet::IpNet::from(address).to_string())
    });
    let page = Page {
        after: None,
        limit: ROWS,
    };
    let (mut blocks, mut orders) = (Vec::new(), Vec::new());
    if let Some(target) = &target {
        let about = (Some(target.as_str()), None);
        (blocks, _) = store.list_fleet_blocks(&all, about, &page).await?;
        for block in &blocks {
            let cause = block["id"].as_str().map(str::to_owned);
            let about = [
                ("cause", cause),
                ("site", None),
                ("sensor", None),
                ("state", None),
            ];
            let (found, _) = store.list_orders(&all, about, &page).await?;
            orders.extend(found);
        }
    }
    let mut objects = vec![json!(id)];
    objects.extend(
        [
            offender.map(|text| json!(text)),
            target.map(|text| json!(text)),
        ]
        .into_iter()
        .flatten(),
    );
    objects.extend(blocks.iter().map(|block| block["id"].clone()));
    let audit = audit(store, &objects).await?;
    Ok(BTreeMap::from([
        ("README.txt", README.to_owned()),
        ("audit.jsonl", lines(&audit)),
        ("blocks.jsonl", lines(&blocks)),
        ("incident.json", format!("{latest}\n")),
        ("orders.jsonl", lines(&orders)),
        (
            "revisions.jsonl",
            older.iter().map(|text| format!("{text}\n")).collect(),
        ),
    ]))
}

/// The entries of the trail about any of these, the latest first.
async fn audit(store: &Store, objects: &[Value]) -> Result<Vec<Value>> {
    let (mut found, mut page) = (
        Vec::new(),
        Page {
            after: None,
            limit: ROWS,
        },
    );
    loop {
        let (entries, next) = store.list_audit(&page).await?;
        found.extend(
            entries
                .into_iter()
                .filter(|entry| objects.contains(&entry["object"])),
        );
        match next.and_then(|next| coordinator::store::Cursor::read(&next)) {
            Some(next) => page.after = Some(next),
            None => return Ok(found),
        }
    }
}

fn lines(items: &[Value]) -> String {
    items.iter().map(|item| format!("{item}\n")).collect()
}
