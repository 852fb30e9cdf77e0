//! Who may do what, and where: users, tokens, and logins.

use askama::Template;
use axum::Extension;
use axum::extract::{Path, State};
use serde_json::json;

use super::act::{Fields, Said, answer, body, done};
use super::door::Visitor;
use super::format::{When, mark, text};
use super::page::{Shell, Shown, html, notice};
use super::words::{Words, fill};
use crate::access::{Principal, Role};
use crate::api::listings::whole;
use crate::api::{App, Problem, access};
use crate::moment;
use crate::store::{Account, LoginRow, Page, Said as Entry, Scope};

/// A user as a line.
struct User {
    mark: String,
    name: String,
    role: String,
    sites: String,
    sites_text: String,
    state: &'static str,
    disabled: bool,
    version: i64,
}

/// A token as a line.
struct TokenLine {
    mark: String,
    id: String,
    name: String,
    role: String,
    sites: String,
    made: Option<When>,
    by: String,
    state: &'static str,
    is_valid: bool,
}

/// A login as a line.
pub(super) struct Login {
    pub(super) id: String,
    pub(super) account: String,
    pub(super) begun: When,
    pub(super) ends: When,
    pub(super) is_own: bool,
}

#[derive(Template)]
#[template(path = "access.html")]
struct AccessPage {
    shell: Shell,
    users: Vec<User>,
    tokens: Vec<TokenLine>,
    sessions: Vec<Login>,
    roles: [&'static str; 4],
}

pub(super) async fn show(State(app): State<App>, Extension(visitor): Extension<Visitor>) -> Shown {
    whole(&visitor.who)?;
    let words = visitor.words;
    let shell = Shell::new(&app, &visitor, ("access", words.access)).await?;
    let users = app.store.accounts().await?;
    let (tokens, _) = app
        .store
        .list_tokens(&Page {
            after: None,
            limit: 200,
        })
        .await?;
    let sessions = app.store.logins(None, moment::now()).await?;
    let tokens = tokens.iter().map(|token| {
        let sites = token["sites"].as_array().into_iter().flatten();
        let sites: Vec<String> = sites
            .filter_map(|site| site.as_str())
            .map(str::to_owned)
            .collect();
        let is_valid = token["revoked"].is_null();
        TokenLine {
            mark: mark("t", &text(token, "/id")),
            id: text(token, "/id"),
            name: text(token, "/name"),
            role: text(token, "/role"),
            sites: of(words, &Scope(sites)),
            made: When::of(&token["created"]),
            by: text(token, "/created_by"),
            state: if is_valid { "valid" } else { "revoked" },
            is_valid,
        }
    });
    let page = AccessPage {
        users: users.iter().map(|account| user(words, account)).collect(),
        tokens: tokens.collect(),
        sessions: sessions.iter().map(|row| login(&visitor, row)).collect(),
        roles: Role::ALL.map(Role::as_str),
        shell,
    };
    Ok(html(&page))
}

fn user(words: &Words, account: &Account) -> User {
    let is_locked = account.locked_until > moment::now();
    User {
        mark: mark("u", &account.name),
        name: account.name.clone(),
        role: account.role.clone(),
        sites: of(words, &account.sites),
        sites_text: account.sites.0.join(", "),
        state: match (account.disabled, is_locked) {
            (true, _) => "disabled",
            (false, true) => "locked",
            (false, false) => "enabled",
        },
        disabled: account.disabled,
        version: account.version,
    }
}

pub(super) fn of(words: &Words, sites: &Scope) -> String {
    if sites.is_all() {
        words.all_sites.to_owned()
    } else {
        sites.0.join(", ")
    }
}

pub(super) fn login(visitor: &Visitor, row: &LoginRow) -> Login {
    Login {
        is_own: visitor.session.starts_with(&row.id),
        id: row.id.clone(),
        account: row.account.clone(),
        begun: When(row.begun),
        ends: When(row.ends),
    }
}

/// Names with commas between.
fn list(text: &str) -> Vec<&str> {
    text.split(',')
        .map(str::trim)
        .filter(|site| !site.is_empty())
        .collect()
}

pub(super) async fn add_user(
    state: State<App>,
    Extension(visitor): Extension<Visitor>,
    who: Extension<Principal>,
    fields: Fields,
) -> Shown {
    let said = Said::new(fields);
    let asked = json!({
        "name": said.text("name"), "password": said.secret("password"), "role": said.text("role"),
        "sites": list(said.text("sites")),
    });
    let made = access::add_user(state, who, body(&asked)).await;
    done(made, &fill(visitor.words.said_user, &[said.text("name")]))
}

pub(super) async fn change_user(
    state: State<App>,
    Extension(visitor): Extension<Visitor>,
    (who, name): (Extension<Principal>, Path<String>),
    fields: Fields,
) -> Shown {
    let said = Said::new(fields);
    let password = Some(said.secret("password")).filter(|password| !password.is_empty());
    let asked = json!({
        "role": said.text("role"), "sites": list(said.text("sites")), "disabled": said.text("disabled") == "yes",
        "password": password,
    });
    let words = fill(visitor.words.said_changed, &[&name.0]);
    let changed = access::change_user(state, who, (name, said.version()), body(&asked)).await;
    done(changed, &words)
}

pub(super) async fn add_token(
    state: State<App>,
    Extension(visitor): Extension<Visitor>,
    who: Extension<Principal>,
    fields: Fields,
) -> Shown {
    let said = Said::new(fields);
    let asked = json!({"name": said.text("name"), "role": said.text("role"), "sites": list(said.text("sites"))});
    let made = access::add_token(state, who, body(&asked)).await?;
    let token = text(&answer(made).await, "/token");
    Ok(notice(&fill(visitor.words.said_token, &[&token]), true))
}

pub(super) async fn revoke_token(
    state: State<App>,
    Extension(visitor): Extension<Visitor>,
    (who, id): (Extension<Principal>, Path<String>),
) -> Shown {
    done(
        access::revoke_token(state, who, id).await,
        visitor.words.said_revoked,
    )
}

pub(super) async fn end_session(
    State(app): State<App>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<String>,
) -> Shown {
    whole(&visitor.who)?;
    end((&app, &visitor), &id, None).await
}

/// Ends a login, of one account where it is named.
pub(super) async fn end(
    (app, visitor): (&App, &Visitor),
    id: &str,
    account: Option<&str>,
) -> Shown {
    if !app.store.end_login(id, account).await? {
        return Err(Problem::nothing());
    }
    let entry = Entry {
        at: moment::now(),
        by: visitor.who.name.clone(),
        action: "session end".to_owned(),
        object: id.to_owned(),
        outcome: "done".to_owned(),
    };
    app.store.audit(&entry).await?;
    Ok(notice(visitor.words.said_ended, true))
}
