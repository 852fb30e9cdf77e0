//! Changes: who may not make them is refused here and audited; all others go to the blocklist, one by one.
//! What a change means is the blocklist's business.

use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Extension, Json, Router};
use serde::de::DeserializeOwned;

use super::Shared;
use super::answer::Answer;
use super::archive::RefusedChange;
use super::caller::Caller;
use super::problem::Problem;
use crate::action::Done;
use contract::action::Action;

/// Actions in one batch. Long imports come as several, so that others get a word in between.
pub const MAX_BATCH: usize = 500;

pub(super) fn routes() -> Router<Shared> {
    Router::new()
        .route("/actions", post(act))
        .route("/batches", post(act_on_all))
}

async fn act(
    State(shared): State<Shared>,
    Extension(caller): Extension<Caller>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Done>, Problem> {
    let action: Action = read(&body?)?;
    verify_command(&shared, &caller, std::slice::from_ref(&action))?;
    Ok(Json(shared.blocklist.act(caller.actor(), action).await??))
}

async fn act_on_all(
    State(shared): State<Shared>,
    Extension(caller): Extension<Caller>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Vec<Answer>>, Problem> {
    let actions: Vec<Action> = read(&body?)?;
    if actions.len() > MAX_BATCH {
        return Err(Problem::senseless(format!(
            "a batch has at most {MAX_BATCH} actions, not {}",
            actions.len()
        )));
    }
    verify_command(&shared, &caller, &actions)?;
    let outcomes = shared.blocklist.act_on_all(caller.actor(), actions).await?;
    let answers = outcomes.into_iter().map(|outcome| match outcome {
        Ok(done) => Answer::Message(done.message),
        Err(refusal) => Answer::Error(refusal.to_string()),
    });
    Ok(Json(answers.collect()))
}

/// Lets those through who may change things; what the others wanted is audited.
fn verify_command(shared: &Shared, caller: &Caller, actions: &[Action]) -> Result<(), Problem> {
    let Some(reason) = &caller.barred else {
        return Ok(());
    };
    // One entry a request, so that nobody fills the audit by batches.
    if let Some(first) = actions.first() {
        let (action, mut object) = first.words();
        if actions.len() > 1 {
            object = format!("{object} and {} more", actions.len() - 1);
        }
        shared.archive.refused(RefusedChange {
            by: caller.name.to_string(),
            action: action.to_owned(),
            object,
            outcome: format!("refused: {reason}"),
        });
    }
    tracing::warn!(by = %caller.name, "a change was refused: {reason}");
    let sentence = format!("permission denied: {reason}");
    Err(Problem::new(StatusCode::FORBIDDEN, sentence))
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    serde_json::from_slice(body)
        .map_err(|error| Problem::senseless(format!("the request makes no sense: {error}")))
}
