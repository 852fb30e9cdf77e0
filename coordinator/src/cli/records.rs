//! What is stored, on the command line: sensors, incidents, blocks, reviews, audit, backup; and whether it could run.

use std::fs::File;
use std::io::{BufReader, BufWriter};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail, ensure};
use clap::Subcommand;
use coordinator::api::Server;
use coordinator::desk::guard;
use coordinator::moment;
use coordinator::orders::Key;
use coordinator::store::{AuditCheck, Change, FleetBlock, Happened, Page, Scope, Store};
use ipnet::IpNet;
use serde_json::json;

use super::access::{operator, said};
use super::listing::{Columns, say, write};
use super::{Common, Json};

/// Rows of a listing.
const ROWS: u32 = 1_000;

#[derive(Subcommand)]
pub(crate) enum SensorCommand {
    /// List sensors
    List {
        #[command(flatten)]
        json: Json,
    },
}

#[derive(Subcommand)]
pub(crate) enum BlockCommand {
    /// List the fleet's blocks
    List {
        #[command(flatten)]
        json: Json,
    },
    /// Block an address or prefix at every sensor of the fleet
    Add {
        /// Whom
        target: String,
        /// For how long: 4h, 7days, permanent
        #[arg(long, default_value = "1h")]
        ttl: String,
        /// Why
        #[arg(long)]
        reason: String,
        /// A site; may be given again, all where none is
        #[arg(long)]
        site: Vec<String>,
    },
    /// Remove a fleet block, by its id or its target
    Remove {
        /// Its name or its target
        block: String,
    },
}

#[derive(Subcommand)]
pub(crate) enum ReviewCommand {
    /// List reviews that wait
    List {
        #[command(flatten)]
        json: Json,
    },
}

#[derive(Subcommand)]
pub(crate) enum AuditCommand {
    /// List the audit trail, the latest first
    List {
        #[command(flatten)]
        json: Json,
    },
    /// Verify the whole trail; fails where an entry was changed, removed or reordered
    Verify,
}

#[derive(Subcommand)]
pub(crate) enum BackupCommand {
    /// Write everything to a new file
    Create {
        /// The file
        file: PathBuf,
    },
    /// Restore a backup into an empty database, SQLite or PostgreSQL
    Restore {
        /// The file
        file: PathBuf,
    },
}

/// `check`
pub(crate) async fn check(common: &Common) -> Result<ExitCode> {
    let config = common.load()?;
    let mut bad = false;
    let mut tell = |part: &str, found: Result<String>| {
        bad |= found.is_err();
        match found {
            Ok(text) => say(&format!("ok      {part}: {text}")),
            Err(error) => say(&format!("FAILED  {part}: {error:#}")),
        }
    };
    let store = Store::open(&config.database.url, 2).await;
    let answers = match store {
        Ok(store) => {
            store.close().await;
            Ok("it answers, and its tables are up to date".to_owned())
        }
        Err(error) => Err(error.into()),
    };
    tell("database", answers)?;
    let key = Key::load(&config.orders).map(|key| match key {
        Some(key) => format!(
            "sensors obey with report.command_keys = [\"{}\"]",
            key.public()
        ),
        None => "no key is set: nothing can be ordered".to_owned(),
    });
    tell("orders", key.map_err(Into::into))?;
    let tls = Server::check(&config.http.tls).map(|()| match config.http.tls {
        coordinator::config::Tls::Off => "off".to_owned(),
        coordinator::config::Tls::Files(..) => "certificate and key fit".to_owned(),
    });
    tell("tls", tls.map_err(Into::into))?;
    let broker = coordinator::intake::check(&config.mqtt);
    tell("broker", broker.map_err(Into::into))?;
    Ok(if bad {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

/// `sensor`
pub(crate) async fn sensor(common: &Common, command: SensorCommand) -> Result<()> {
    let (_, store) = common.open().await?;
    let SensorCommand::List { json } = command;
    let items = store.list_sensors(&Scope::default(), (None, None)).await?;
    let columns: Columns = &[
        ("SITE", "/site"),
        ("SENSOR", "/sensor"),
        ("STATE", "/state"),
        ("VERSION", "/version"),
        ("LAST HEARD", "/last_heard"),
        ("DIGEST", "/digest"),
    ];
    write(&items, columns, json.json)
}

/// `block`
pub(crate) async fn block(common: &Common, command: BlockCommand) -> Result<()> {
    let (config, store) = common.open().await?;
    match command {
        BlockCommand::List { json } => {
            let about = (None, None);
            let (items, _) = store
                .list_fleet_blocks(&Scope::default(), about, &rows())
                .await?;
            let columns: Columns = &[
                ("ID", "/id"),
                ("TARGET", "/target"),
                ("STATE", "/state"),
                ("SITES", "/sites"),
                ("EXPIRES", "/expires"),
                ("BY", "/ordered_by"),
                ("REASON", "/reason"),
            ];
            write(&items, columns, json.json)
        }
        BlockCommand::Add {
            target,
            ttl,
            reason,
            site,
        } => {
            let address = target.parse::<std::net::IpAddr>().map(IpNet::from);
            let net = address.or_else(|_| target.parse::<IpNet>());
            let net = net.with_context(|| format!("{target:?} is no address and no prefix"))?;
            let net = guard::check(net, &config.fleet.exempt)?;
            let now = moment::now();
            let expires = match ttl.as_str() {
                "permanent" => None,
                ttl => {
                    let span = humantime::parse_duration(ttl);
                    let span =
                        span.with_context(|| format!("--ttl {ttl:?} is no duration such as 4h"))?;
                    Some(now + i64::try_from(span.as_micros()).unwrap_or(i64::MAX / 2))
                }
            };
            let secret =
                coordinator::access::secret("b").context("the system gives no random numbers")?;
            let block = FleetBlock {
                id: format!(
                    "block-{}",
                    coordinator::access::digest(&secret)
                        .get(..16)
                        .unwrap_or_default()
                ),
                target: net.to_string(),
                sites: Scope(site),
                sensor: String::new(),
                state: "active".to_owned(),
                origin: "person".to_owned(),
                ordered_by: operator(),
                approved_by: None,
                reason: contract::printable::printable(&reason).into_owned(),
                campaign: None,
                begun: now,
                expires,
                version: 1,
                why: json!({"reason": reason}).to_string(),
            };
            let shown = block.shown();
            let change = Change {
                said: Some(said(("blocks add", net.to_string()), "done")),
                events: vec![Happened::new(now, ("fleet-block", None), shown)],
                fleet: vec![(block, 0)],
                ..Change::default()
            };
            store.change(&change).await?;
            say(&format!(
                "{net} is to be kept out; `garita-coordinator block list` shows it"
            ))
        }
        BlockCommand::Remove { block } => remove(&store, &block).await,
    }
}

async fn remove(store: &Store, named: &str) -> Result<()> {
    let address = named.parse::<std::net::IpAddr>().map(IpNet::from);
    let target = address
        .or_else(|_| named.parse::<IpNet>())
        .map(|net| net.to_string());
    let open = store.open_fleet_blocks().await?;
    let found: Vec<FleetBlock> = open
        .into_iter()
        .filter(|block| block.id == named || target.as_ref() == Ok(&block.target))
        .collect();
    ensure!(!found.is_empty(), "the fleet does not keep {named} out");
    for mut block in found {
        let version = block.version;
        block.state = "withdrawn".to_owned();
        block.version += 1;
        let change = Change {
            said: Some(said(("blocks remove", block.target.clone()), "done")),
            events: vec![Happened::new(
                moment::now(),
                ("fleet-block", None),
                block.shown(),
            )],
            fleet: vec![(block, version)],
            ..Change::default()
        };
        ensure!(
            store.change(&change).await?,
            "it was changed by somebody else just now; try again"
        );
    }
    Ok(())
}

/// `review`
pub(crate) async fn review(common: &Common, command: ReviewCommand) -> Result<()> {
    let (_, store) = common.open().await?;
    let ReviewCommand::List { json } = command;
    let about = (Some("open"), None);
    let (items, _) = store
        .list_reviews(&Scope::default(), about, &rows())
        .await?;
    let columns: Columns = &[
        ("ASKED", "/asked"),
        ("SITE", "/site"),
        ("SENSOR", "/sensor"),
        ("ADDRESS", "/address"),
        ("CLASS", "/class"),
        ("MESSAGE", "/message"),
    ];
    write(&items, columns, json.json)
}

/// `audit`
pub(crate) async fn audit(common: &Common, command: AuditCommand) -> Result<ExitCode> {
    let (_, store) = common.open().await?;
    match command {
        AuditCommand::List { json } => {
            let (items, _) = store.list_audit(&rows()).await?;
            let columns: Columns = &[
                ("SEQ", "/seq"),
                ("AT", "/at"),
                ("BY", "/by"),
                ("ACTION", "/action"),
                ("OBJECT", "/object"),
                ("OUTCOME", "/outcome"),
            ];
            write(&items, columns, json.json)?;
        }
        AuditCommand::Verify => match store.verify_audit().await? {
            AuditCheck::Whole(entries, hash) => say(&format!(
                "the trail is whole: {entries} entries, ending with {hash}"
            ))?,
            AuditCheck::Broken(seq, why) => bail!("the trail is broken at entry {seq}: {why}"),
        },
    }
    Ok(ExitCode::SUCCESS)
}

/// `backup`
pub(crate) async fn backup(common: &Common, command: BackupCommand) -> Result<()> {
    let (_, store) = common.open().await?;
    let rows = match command {
        BackupCommand::Create { file } => {
            let made = File::create_new(&file);
            let made = made.with_context(|| format!("cannot make {}", file.display()))?;
            let mut to = BufWriter::new(made);
            store.back_up(&mut to).await?
        }
        BackupCommand::Restore { file } => {
            let opened = File::open(&file);
            let opened = opened.with_context(|| format!("cannot read {}", file.display()))?;
            store.restore(&mut BufReader::new(opened)).await?
        }
    };
    say(&format!("{rows} rows"))
}

pub(super) fn rows() -> Page {
    Page {
        after: None,
        limit: ROWS,
    }
}
