//! A person's own account: logins and password.

use askama::Template;
use axum::Extension;
use axum::extract::{Path, State};

use super::act::{Fields, Said};
use super::door::Visitor;
use super::page::{Shell, Shown, html, notice};
use super::people::{Login, end, login, of};
use crate::api::{App, Problem, access};
use crate::moment;

#[derive(Template)]
#[template(path = "account.html")]
struct AccountPage {
    shell: Shell,
    role: &'static str,
    sites: String,
    sessions: Vec<Login>,
}

pub(super) async fn show(State(app): State<App>, Extension(visitor): Extension<Visitor>) -> Shown {
    let words = visitor.words;
    let shell = Shell::new(&app, &visitor, ("account", words.account)).await?;
    let logins = app.store.logins(Some(own(&visitor)), moment::now()).await?;
    let page = AccountPage {
        role: visitor.who.role.as_str(),
        sites: of(words, &visitor.who.scope),
        sessions: logins.iter().map(|row| login(&visitor, row)).collect(),
        shell,
    };
    Ok(html(&page))
}

/// The name of the visitor's account.
fn own(visitor: &Visitor) -> &str {
    let name = visitor.who.name.as_str();
    name.strip_prefix("user ").unwrap_or(name)
}

pub(super) async fn password(
    State(app): State<App>,
    Extension(visitor): Extension<Visitor>,
    fields: Fields,
) -> Shown {
    let (said, words) = (Said::new(fields), visitor.words);
    if said.secret("new") != said.secret("again") {
        return Err(Problem::field("again", words.not_the_same));
    }
    let (old, new) = (said.secret("old"), said.secret("new"));
    match access::change_password(&app, (own(&visitor), &visitor.who), (old, new)).await? {
        true => Ok(notice(words.said_password, true)),
        false => Err(Problem::field("old", words.wrong_old)),
    }
}

pub(super) async fn end_session(
    State(app): State<App>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<String>,
) -> Shown {
    end((&app, &visitor), &id, Some(own(&visitor))).await
}
