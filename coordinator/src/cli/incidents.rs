//! `incident`: what sensors have reported, listed, shown, and handed on as evidence.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::Subcommand;
use coordinator::orders::Key;
use coordinator::store::{IncidentFilter, Scope};
use serde_json::Value;

use super::listing::{Columns, say, write};
use super::records::rows;
use super::{Common, Json, evidence};

#[derive(Subcommand)]
pub(crate) enum IncidentCommand {
    /// List incidents, the newest first
    List {
        /// Only of this offender
        #[arg(long)]
        offender: Option<std::net::IpAddr>,
        /// Only of this class
        #[arg(long)]
        class: Option<contract::class::Class>,
        /// Only of this site
        #[arg(long)]
        site: Option<String>,
        #[command(flatten)]
        json: Json,
    },
    /// Show one incident as JSON
    Show {
        /// Its name
        id: String,
    },
    /// Write everything that is kept of an incident into a new folder, signed, for somebody who has to trust it
    Export {
        /// Its name
        id: String,
        /// The folder
        folder: PathBuf,
    },
}

/// `incident`
pub(crate) async fn incident(common: &Common, command: IncidentCommand) -> Result<()> {
    let (config, store) = common.open().await?;
    match command {
        IncidentCommand::List {
            offender,
            class,
            site,
            json,
        } => {
            let filter = IncidentFilter {
                offender: offender.map(|address| address.to_canonical().to_string()),
                class: class.map(|class| class.as_str().to_owned()),
                site,
                ..IncidentFilter::default()
            };
            let about = (&Scope::default(), &filter);
            let (texts, _) = store.list_incidents(about, &rows()).await?;
            let items: Vec<Value> = texts
                .iter()
                .filter_map(|text| serde_json::from_str(text).ok())
                .collect();
            let columns: Columns = &[
                ("TIME", "/@timestamp"),
                ("SITE", "/site"),
                ("SENSOR", "/sensor"),
                ("OFFENDER", "/garita/offender"),
                ("CLASS", "/garita/class"),
                ("DECISION", "/garita/decision"),
                ("MESSAGE", "/message"),
            ];
            write(&items, columns, json.json)
        }
        IncidentCommand::Show { id } => match store.incident(&Scope::default(), &id).await? {
            Some((latest, _)) => say(&latest),
            None => bail!("there is no incident {id}"),
        },
        IncidentCommand::Export { id, folder } => {
            let key = Key::load(&config.orders)?;
            let key = key.context("orders.key is not set: nothing can be signed")?;
            evidence::export((&store, &key), (&id, &folder)).await
        }
    }
}
