//! Logins, users and tokens.

use axum::Extension;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::app::{App, COOKIE, Credential};
use super::ask::{Asked, body};
use super::changes::{name, said};
use super::listings::whole;
use super::problem::Problem;
use super::reply::{if_match, listing, versioned};
use crate::access::{Principal, Role, digest, hash, secret, verify};
use crate::config::Tls;
use crate::moment;
use crate::store::{Account, NewAccount, Said, Scope, Session, Token};

type Answer = Result<Response, Problem>;

/// The name of the code that makes the first admin.
pub(crate) const FIRST: &str = "first-admin";

/// A user's name and password.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Login {
    /// Name.
    pub(crate) name: String,
    /// Password.
    pub(crate) password: String,
    /// The code of the first start; only to make the first admin.
    #[serde(default)]
    pub(crate) code: Option<String>,
}

/// A user to be made.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewUser {
    /// Name.
    name: String,
    /// Password, 12 to 256 characters.
    password: String,
    /// Role.
    role: Role,
    /// Sites; all where none is named.
    #[serde(default)]
    sites: Vec<String>,
}

/// What to change of a user; what is left out stays.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UserChange {
    /// A new password.
    #[serde(default)]
    password: Option<String>,
    /// Another role.
    #[serde(default)]
    role: Option<Role>,
    /// Other sites.
    #[serde(default)]
    sites: Option<Vec<String>>,
    /// Whether the user may not log in.
    #[serde(default)]
    disabled: Option<bool>,
}

/// A token to be made.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewToken {
    /// What it is for.
    name: String,
    /// Role.
    role: Role,
    /// Sites; all where none is named.
    #[serde(default)]
    sites: Vec<String>,
}

/// Makes the first admin with the code that the first start has told.
pub(crate) async fn first_admin(State(app): State<App>, bytes: Bytes) -> Answer {
    let named = make_first(&app, body(&bytes)?).await?;
    Ok((StatusCode::CREATED, axum::Json(json!({"name": named}))).into_response())
}

/// Makes the first admin; says under which name.
pub(crate) async fn make_first(app: &App, login: Login) -> Result<String, Problem> {
    let wrong = || {
        Problem::new(
            StatusCode::FORBIDDEN,
            "the code is wrong, was used, or is too old",
        )
    };
    let code = login.code.as_deref().ok_or_else(wrong)?;
    let named = user_name(&login.name)?;
    let hash = hashed(app, login.password).await?;
    let now = moment::now();
    if !app.store.use_once(FIRST, (&digest(code), now)).await? {
        return Err(wrong());
    }
    let account = NewAccount {
        name: named.clone(),
        hash,
        role: Role::Admin.as_str().to_owned(),
        sites: Scope::default(),
    };
    let said = Said {
        at: now,
        by: "the code of the first start".to_owned(),
        action: "user add".to_owned(),
        object: named.clone(),
        outcome: "admin of all sites".to_owned(),
    };
    match app.store.add_account(&account, &said).await? {
        true => Ok(named),
        false => Err(Problem::new(
            StatusCode::CONFLICT,
            "there is a user of that name",
        )),
    }
}

/// Logs in: a cookie for browsers, and the CSRF token their changes bring along.
pub(crate) async fn log_in(State(app): State<App>, bytes: Bytes) -> Answer {
    let (account, csrf, cookie) = begin(&app, body(&bytes)?).await?;
    let answer =
        json!({"name": account.name, "role": account.role, "sites": account.sites.0, "csrf": csrf});
    let cookie = [(header::SET_COOKIE, cookie)];
    Ok((StatusCode::CREATED, cookie, axum::Json(answer)).into_response())
}

/// Begins a login: whose, its CSRF token, and the cookie.
pub(crate) async fn begin(
    app: &App,
    login: Login,
) -> Result<(Account, String, HeaderValue), Problem> {
    let now = moment::now();
    let account = app.store.account(&login.name).await?;
    let is_locked = account
        .as_ref()
        .is_some_and(|account| account.locked_until > now);
    let known = account
        .as_ref()
        .filter(|account| !account.disabled && !is_locked);
    let hash = known.map(|account| account.hash.clone());
    let is_right = {
        let _turn = app.limits.hashing.acquire().await;
        let checked = tokio::task::spawn_blocking(move || verify(&login.password, hash.as_deref()));
        checked.await.unwrap_or(false)
    };
    let Some(account) = account.filter(|_| is_right) else {
        let settings = &app.config.access;
        let until = now + settings.lock_for.micros();
        if !is_locked {
            let wrong = Some((i64::from(settings.lock_after), until));
            app.store.note_login(&login.name, wrong).await?;
        }
        // The same words for a wrong name, a wrong password and a locked user.
        return Err(Problem::new(
            StatusCode::UNAUTHORIZED,
            "name and password do not fit, or the user is locked for a while",
        ));
    };
    app.store.note_login(&account.name, None).await?;
    let (secret, csrf) = (random("garita-session")?, random("csrf")?);
    let session = Session {
        account: account.name.clone(),
        csrf: csrf.clone(),
    };
    let expires = now + app.config.access.session.micros();
    app.store
        .begin_session((&digest(&secret), &session), (now, expires))
        .await?;
    let secure = if app.config.http.tls == Tls::Off {
        ""
    } else {
        "; Secure"
    };
    let age = app.config.access.session.get().as_secs();
    let cookie =
        format!("{COOKIE}={secret}; Path=/; HttpOnly; SameSite=Strict; Max-Age={age}{secure}");
    let cookie = HeaderValue::from_str(&cookie)
        .map_err(|_| Problem::new(StatusCode::SERVICE_UNAVAILABLE, "try again"))?;
    Ok((account, csrf, cookie))
}

pub(crate) async fn who(Extension(who): Extension<Principal>) -> Answer {
    let answer = json!({"name": who.name, "role": who.role, "sites": who.scope.0});
    Ok(axum::Json(answer).into_response())
}

pub(crate) async fn log_out(
    State(app): State<App>,
    Extension(credential): Extension<Credential>,
) -> Answer {
    if let Credential::Session(hash) = &credential {
        app.store.end_session(hash).await?;
    }
    Ok(StatusCode::NO_CONTENT.into_response())
}

pub(crate) async fn users(State(app): State<App>, Extension(who): Extension<Principal>) -> Answer {
    whole(&who)?;
    let accounts = app.store.accounts().await?;
    Ok(listing((accounts.iter().map(shown).collect(), None)))
}

pub(crate) async fn add_user(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    bytes: Bytes,
) -> Answer {
    whole(&who)?;
    let user: NewUser = body(&bytes)?;
    let named = user_name(&user.name)?;
    let sites = super::blocks::sites(&who, user.sites)?;
    let account = NewAccount {
        name: named.clone(),
        hash: hashed(&app, user.password).await?,
        role: user.role.as_str().to_owned(),
        sites,
    };
    let outcome = format!("{} of {}", user.role, of(&account.sites));
    let said = said(&who, ("user add", named.clone()), &outcome);
    if !app.store.add_account(&account, &said).await? {
        return Err(Problem::new(
            StatusCode::CONFLICT,
            "there is a user of that name",
        ));
    }
    let answer = json!({"name": named, "role": user.role, "sites": account.sites.0, "version": 1});
    Ok((StatusCode::CREATED, axum::Json(answer)).into_response())
}

pub(crate) async fn change_user(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    (Path(user), headers): (Path<String>, HeaderMap),
    bytes: Bytes,
) -> Answer {
    whole(&who)?;
    let version = if_match(&headers)?;
    let change: UserChange = body(&bytes)?;
    let found = app.store.account(&user).await?;
    let mut account = found.ok_or_else(Problem::nothing)?;
    account.version = version;
    if let Some(password) = change.password {
        account.hash = hashed(&app, password).await?;
    }
    if let Some(role) = change.role {
        account.role = role.as_str().to_owned();
    }
    if let Some(sites) = change.sites {
        account.sites = super::blocks::sites(&who, sites)?;
    }
    account.disabled = change.disabled.unwrap_or(account.disabled);
    let state = if account.disabled {
        "disabled"
    } else {
        "enabled"
    };
    let outcome = format!("{} of {}, {state}", account.role, of(&account.sites));
    let said = said(&who, ("user change", user), &outcome);
    if !app.store.change_account(&account, &said).await? {
        return Err(Problem::overtaken());
    }
    account.version += 1;
    Ok(versioned(shown(&account)))
}

pub(crate) async fn tokens(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    asked: Asked,
) -> Answer {
    whole(&who)?;
    Ok(listing(app.store.list_tokens(&asked.page()?).await?))
}

pub(crate) async fn add_token(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    bytes: Bytes,
) -> Answer {
    whole(&who)?;
    let wanted: NewToken = body(&bytes)?;
    let named = user_name(&wanted.name)?;
    let sites = super::blocks::sites(&who, wanted.sites)?;
    let secret = random("garita")?;
    let token = Token {
        id: name("token-")?,
        name: named.clone(),
        hash: digest(&secret),
        role: wanted.role.as_str().to_owned(),
        sites,
        by: who.name.clone(),
    };
    let outcome = format!("{} of {}", wanted.role, of(&token.sites));
    app.store
        .add_token(&token, &said(&who, ("token create", named), &outcome))
        .await?;
    let answer = json!({"id": token.id, "name": token.name, "role": token.role, "sites": token.sites.0, "token": secret});
    Ok((StatusCode::CREATED, axum::Json(answer)).into_response())
}

pub(crate) async fn revoke_token(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    Path(id): Path<String>,
) -> Answer {
    whole(&who)?;
    let said = said(&who, ("token revoke", id.clone()), "revoked");
    match app.store.revoke_token(&id, &said).await? {
        true => Ok(StatusCode::NO_CONTENT.into_response()),
        false => Err(Problem::nothing()),
    }
}

fn shown(account: &Account) -> Value {
    json!({
        "name": account.name, "role": account.role, "sites": account.sites.0, "disabled": account.disabled,
        "locked_until": (account.locked_until > moment::now()).then(|| moment::text(account.locked_until)),
        "version": account.version,
    })
}

fn of(sites: &Scope) -> String {
    match sites.is_all() {
        true => "all sites".to_owned(),
        false => sites.0.join(", "),
    }
}

/// A name that can stand in a log and in a path.
fn user_name(text: &str) -> Result<String, Problem> {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_.@".contains(letter);
    match (1..=64).contains(&text.len()) && text.chars().all(plain) {
        true => Ok(text.to_owned()),
        false => Err(Problem::field(
            "name",
            "it has 1 to 64 of the characters a-z, A-Z, 0-9, -, _, . and @",
        )),
    }
}

async fn hashed(app: &App, password: String) -> Result<String, Problem> {
    let _turn = app.limits.hashing.acquire().await;
    let hashed = tokio::task::spawn_blocking(move || hash(&password)).await;
    match hashed {
        Ok(Ok(hash)) => Ok(hash),
        Ok(Err(error)) => Err(Problem::field("password", error.to_string())),
        Err(_) => Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "try again")),
    }
}

fn random(prefix: &str) -> Result<String, Problem> {
    secret(prefix).map_err(|_| {
        Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "the system gives no random numbers",
        )
    })
}

/// Changes a person's own password, where the present one is right; their logins end.
pub(crate) async fn change_password(
    app: &App,
    (name, who): (&str, &Principal),
    (old, new): (String, String),
) -> Result<bool, Problem> {
    let found = app.store.account(name).await?;
    let mut account = found.ok_or_else(Problem::nothing)?;
    let known = Some(account.hash.clone());
    let is_right = {
        let _turn = app.limits.hashing.acquire().await;
        let checked = tokio::task::spawn_blocking(move || verify(&old, known.as_deref()));
        checked.await.unwrap_or(false)
    };
    if !is_right {
        return Ok(false);
    }
    account.hash = hashed(app, new).await?;
    let said = said(who, ("user change", name.to_owned()), "a new password");
    match app.store.change_account(&account, &said).await? {
        true => Ok(true),
        false => Err(Problem::overtaken()),
    }
}
