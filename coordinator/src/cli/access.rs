//! `token` and `user`.

use std::io::{BufRead, IsTerminal};

use anyhow::{Context, Result, bail, ensure};
use clap::Subcommand;
use coordinator::access::{Role, digest, hash, secret};
use coordinator::moment;
use coordinator::store::{NewAccount, Page, Said, Scope, Store, Token};
use serde_json::json;

use super::listing::{say, write};
use super::{Common, Json};

#[derive(Subcommand)]
pub(crate) enum TokenCommand {
    /// Create a token and print only it: it is shown once
    Create {
        /// What it is for
        #[arg(long)]
        name: String,
        /// viewer, analyst, responder or admin
        #[arg(long)]
        role: Role,
        /// A site it is limited to; may be given again
        #[arg(long)]
        site: Vec<String>,
    },
    /// List tokens
    List {
        #[command(flatten)]
        json: Json,
    },
    /// Revoke a token by its number or name, from its next request on
    Revoke {
        /// Its number or name
        token: String,
    },
}

#[derive(Subcommand)]
pub(crate) enum UserCommand {
    /// Add a user; the password is read from the first line of stdin
    Add {
        /// Name
        name: String,
        /// viewer, analyst, responder or admin
        #[arg(long)]
        role: Role,
        /// A site they are limited to; may be given again
        #[arg(long)]
        site: Vec<String>,
    },
    /// List users
    List {
        #[command(flatten)]
        json: Json,
    },
    /// Give a user another password, from the first line of stdin; open sessions end at once
    Password {
        /// Name
        name: String,
    },
    /// Disable a user; open sessions end at once
    Disable {
        /// Name
        name: String,
    },
}

/// `token`
pub(crate) async fn token(common: &Common, command: TokenCommand) -> Result<()> {
    let (_, store) = common.open().await?;
    match command {
        TokenCommand::Create { name, role, site } => {
            plain(&name)?;
            let sites = scope(site)?;
            let secret = secret("garita").context("the system gives no random numbers")?;
            let token = Token {
                id: format!("token-{}", digest(&secret).get(..16).unwrap_or_default()),
                name: name.clone(),
                hash: digest(&secret),
                role: role.as_str().to_owned(),
                sites,
                by: operator(),
            };
            let said = said(("token create", name), role.as_str());
            store.add_token(&token, &said).await?;
            say(&secret)?;
        }
        TokenCommand::List { json } => {
            let page = Page {
                after: None,
                limit: 1_000,
            };
            let (items, _) = store.list_tokens(&page).await?;
            write(
                &items,
                &[
                    ("ID", "/id"),
                    ("NAME", "/name"),
                    ("ROLE", "/role"),
                    ("SITES", "/sites"),
                    ("CREATED", "/created"),
                    ("REVOKED", "/revoked"),
                ],
                json.json,
            )?;
        }
        TokenCommand::Revoke { token } => {
            let said = said(("token revoke", token.clone()), "revoked");
            ensure!(
                store.revoke_token(&token, &said).await?,
                "there is no token {token} to revoke"
            );
        }
    }
    store.close().await;
    Ok(())
}

/// `user`
pub(crate) async fn user(common: &Common, command: UserCommand) -> Result<()> {
    let (_, store) = common.open().await?;
    match command {
        UserCommand::Add { name, role, site } => {
            plain(&name)?;
            let account = NewAccount {
                name: name.clone(),
                hash: hash(&password()?)?,
                role: role.as_str().to_owned(),
                sites: scope(site)?,
            };
            let said = said(("user add", name.clone()), role.as_str());
            ensure!(
                store.add_account(&account, &said).await?,
                "there is a user {name} already"
            );
        }
        UserCommand::List { json } => {
            let accounts = store.accounts().await?;
            let items: Vec<_> = accounts
                .iter()
                .map(|account| {
                    json!({"name": account.name, "role": account.role, "sites": account.sites.0, "disabled": account.disabled})
                })
                .collect();
            write(
                &items,
                &[
                    ("NAME", "/name"),
                    ("ROLE", "/role"),
                    ("SITES", "/sites"),
                    ("DISABLED", "/disabled"),
                ],
                json.json,
            )?;
        }
        UserCommand::Password { name } => {
            let hash = hash(&password()?)?;
            change(&store, (&name, "user password"), |account| {
                account.hash = hash
            })
            .await?;
        }
        UserCommand::Disable { name } => {
            change(&store, (&name, "user disable"), |account| {
                account.disabled = true
            })
            .await?;
        }
    }
    store.close().await;
    Ok(())
}

async fn change(
    store: &Store,
    (name, words): (&str, &'static str),
    change: impl FnOnce(&mut coordinator::store::Account),
) -> Result<()> {
    let Some(mut account) = store.account(name).await? else {
        bail!("there is no user {name}");
    };
    change(&mut account);
    let said = said((words, name.to_owned()), "done");
    let done = store.change_account(&account, &said).await?;
    ensure!(
        done,
        "the user {name} was changed by somebody else just now; try again"
    );
    Ok(())
}

fn plain(name: &str) -> Result<()> {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_.@".contains(letter);
    let usable = (1..=64).contains(&name.len()) && name.chars().all(plain);
    ensure!(
        usable,
        "--name {name:?}: allowed is 1 to 64 of the characters a-z, A-Z, 0-9, -, _, . and @"
    );
    Ok(())
}

fn scope(sites: Vec<String>) -> Result<Scope> {
    if let Some(odd) = sites.iter().find(|site| !contract::topics::is_name(site)) {
        bail!(
            "--site {odd:?} is not a site name: allowed are 1 to 63 of the characters a-z, 0-9 and -"
        );
    }
    Ok(Scope(sites))
}

fn password() -> Result<String> {
    let input = std::io::stdin();
    if input.is_terminal() {
        say("Password, 12 to 256 characters (it is shown as you type):")?;
    }
    let mut line = String::new();
    input
        .lock()
        .read_line(&mut line)
        .context("stdin cannot be read")?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

/// Who is at the command line, as the audit trail writes it.
pub(crate) fn operator() -> String {
    let name = std::env::var("SUDO_USER").or_else(|_| std::env::var("USER"));
    format!("operator {}", name.unwrap_or_else(|_| "unknown".to_owned()))
}

/// An entry of the audit trail.
pub(crate) fn said((action, object): (&str, String), outcome: &str) -> Said {
    Said {
        at: moment::now(),
        by: operator(),
        action: action.to_owned(),
        object,
        outcome: outcome.to_owned(),
    }
}
