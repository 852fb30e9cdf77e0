//! The doors: login, logout, the one-time link of the first start, and the language.

use askama::Template;
use axum::Extension;
use axum::extract::{Query, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::act::{Fields, Said};
use super::assets;
use super::door::{Visitor, redirect};
use super::page::{Shown, html};
use super::words::{Language, Words};
use crate::api::access::{Login, begin, make_first};
use crate::api::{App, COOKIE, Problem};

/// How long a browser keeps the language, seconds: a year.
const KEPT: u32 = 31_536_000;

#[derive(Template)]
#[template(path = "login.html")]
struct LoginPage {
    words: &'static Words,
    title: &'static str,
    style: String,
    mark: String,
    why: Option<String>,
    next: String,
    name: String,
    /// Whether nobody can log in yet.
    first: bool,
}

#[derive(Template)]
#[template(path = "welcome.html")]
struct WelcomePage {
    words: &'static Words,
    title: &'static str,
    style: String,
    mark: String,
    why: Option<String>,
    code: String,
    name: String,
}

/// Where to go on, and with what.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    next: String,
    code: String,
}

pub(super) async fn show(
    State(app): State<App>,
    Extension(words): Extension<&'static Words>,
    Query(asked): Query<Asked>,
) -> Shown {
    login_page((&app, words), (asked.next, String::new()), None).await
}

async fn login_page(
    (app, words): (&App, &'static Words),
    (next, name): (String, String),
    why: Option<String>,
) -> Shown {
    let is_wrong = why.is_some();
    let page = LoginPage {
        words,
        title: words.log_in,
        style: assets::path("console.css"),
        mark: assets::path("mark.svg"),
        why,
        next: inside(&next),
        name,
        first: app.store.accounts().await?.is_empty(),
    };
    let mut response = html(&page);
    if is_wrong {
        *response.status_mut() = StatusCode::UNAUTHORIZED;
    }
    Ok(response)
}

pub(super) async fn log_in(
    State(app): State<App>,
    Extension(words): Extension<&'static Words>,
    fields: Fields,
) -> Shown {
    let said = Said::new(fields);
    let login = Login {
        name: said.text("name").to_owned(),
        password: said.secret("password"),
        code: None,
    };
    let (next, name) = (said.text("next").to_owned(), login.name.clone());
    match begin(&app, login).await {
        Ok((_, _, cookie)) => {
            Ok(([(header::SET_COOKIE, cookie)], Redirect::to(&inside(&next))).into_response())
        }
        Err(problem) if problem.status() == StatusCode::UNAUTHORIZED => {
            login_page(
                (&app, words),
                (next, name),
                Some(problem.detail().to_owned()),
            )
            .await
        }
        Err(problem) => Err(problem),
    }
}

pub(super) async fn welcome(
    Extension(words): Extension<&'static Words>,
    Query(asked): Query<Asked>,
) -> Shown {
    Ok(welcome_page(words, (asked.code, String::new()), None))
}

fn welcome_page(
    words: &'static Words,
    (code, name): (String, String),
    why: Option<String>,
) -> Response {
    html(&WelcomePage {
        words,
        title: words.welcome_title,
        style: assets::path("console.css"),
        mark: assets::path("mark.svg"),
        why,
        code,
        name,
    })
}

pub(super) async fn first_admin(
    State(app): State<App>,
    Extension(words): Extension<&'static Words>,
    fields: Fields,
) -> Shown {
    let said = Said::new(fields);
    let (name, password) = (said.text("name").to_owned(), said.secret("password"));
    let code = said.text("code").to_owned();
    let again = |why: String| {
        let mut response = welcome_page(words, (code.clone(), name.clone()), Some(why));
        *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
        response
    };
    if password != said.secret("again") {
        return Ok(again(words.not_the_same.to_owned()));
    }
    let login = |code| Login {
        name: name.clone(),
        password: password.clone(),
        code,
    };
    if let Err(problem) = make_first(&app, login(Some(code.clone()))).await {
        return Ok(again(problem.detail().to_owned()));
    }
    let (_, _, cookie) = begin(&app, login(None)).await?;
    Ok(([(header::SET_COOKIE, cookie)], Redirect::to("/")).into_response())
}

pub(super) async fn log_out(
    State(app): State<App>,
    Extension(visitor): Extension<Visitor>,
) -> Shown {
    app.store.end_session(&visitor.session).await?;
    let mut response = redirect("/login");
    let gone = format!("{COOKIE}=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0");
    if let Ok(gone) = HeaderValue::from_str(&gone) {
        response.headers_mut().insert(header::SET_COOKIE, gone);
    }
    Ok(response)
}

pub(super) async fn language(fields: Fields) -> Result<Response, Problem> {
    let said = Said::new(fields);
    let code = match said.text("language").parse::<Language>() {
        Ok(Language::Spanish) => "es",
        _ => "en",
    };
    let cookie =
        format!("garita-language={code}; Path=/; HttpOnly; SameSite=Strict; Max-Age={KEPT}");
    let next = Redirect::to(&inside(said.text("next")));
    Ok(([(header::SET_COOKIE, cookie)], next).into_response())
}

/// A place of this console; whatever else was asked for becomes the overview.
fn inside(next: &str) -> String {
    let is_path =
        next.starts_with('/') && !next.starts_with("//") && !next.contains(['\\', '\r', '\n']);
    let is_plain = next.is_ascii() && !next.chars().any(char::is_control);
    if is_path && is_plain {
        next.to_owned()
    } else {
        "/".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::inside;

    #[test]
    fn a_login_leads_nowhere_else() {
        for (next, goes) in [
            ("/incidents?class=scan", "/incidents?class=scan"),
            ("", "/"),
            ("//evil.example", "/"),
            ("/\\evil.example", "/"),
            ("https://evil.example", "/"),
            ("/a\r\nset-cookie: x", "/"),
        ] {
            assert_eq!(inside(next), goes);
        }
    }
}
