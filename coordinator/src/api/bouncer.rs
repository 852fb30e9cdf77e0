//! CrowdSec's bouncer protocol (LAPI, `/v1/decisions` and `/v1/decisions/stream`): what sensors keep out, for bouncers that
//! exist already. They show a token as `X-Api-Key`.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use contract::address::{is_host, shown};
use ipnet::IpNet;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::app::App;
use super::ask::Asked;
use super::problem::Problem;
use crate::access::Principal;
use crate::moment::{self, SECOND};
use crate::store::HeldBlock;

type Answer = Result<Response, Problem>;

/// A permanent block, in the bouncers' words: ten years.
const PERMANENT: i64 = 3_650 * 86_400 * SECOND;

/// Decisions about an address or range; all where none is asked for. `null` where there is none, as bouncers expect.
pub(super) async fn decisions(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    asked: Asked,
) -> Answer {
    let ip = asked.address("ip")?;
    let now = moment::now();
    let held = newest(app.store.decisions(&who.scope, now).await?);
    let wanted = |block: &&HeldBlock| match (&ip, block.target.parse::<IpNet>()) {
        (Some(ip), Ok(net)) => ip
            .parse()
            .is_ok_and(|ip: std::net::IpAddr| net.contains(&ip)),
        (None, Ok(_)) => true,
        (_, Err(_)) => false,
    };
    let found: Vec<Value> = held
        .iter()
        .filter(wanted)
        .map(|block| decision(block, now))
        .collect();
    Ok(match found.is_empty() {
        true => Json(Value::Null).into_response(),
        false => Json(found).into_response(),
    })
}

/// What is new and what is gone. A bouncer that asks again gets everything that holds once more, which it takes for what
/// it has, and what ended within the last hour.
pub(super) async fn stream(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    asked: Asked,
) -> Answer {
    let now = moment::now();
    let held = newest(app.store.decisions(&who.scope, now).await?);
    let new: Vec<Value> = held.iter().map(|block| decision(block, now)).collect();
    let is_first = asked
        .text("startup")
        .is_some_and(|startup| startup == "true");
    let deleted: Vec<Value> = match is_first {
        true => Vec::new(),
        false => {
            let ended = app
                .store
                .ended(&who.scope, (now - 3_600 * SECOND, now))
                .await?;
            let still = |block: &&HeldBlock| !held.iter().any(|held| held.target == block.target);
            newest(ended)
                .iter()
                .filter(still)
                .map(|block| decision(block, now))
                .collect()
        }
    };
    Ok(Json(json!({"new": new, "deleted": deleted})).into_response())
}

/// Of each target the block that lasts longest; rows come ordered by target.
fn newest(rows: Vec<HeldBlock>) -> Vec<HeldBlock> {
    let mut newest: Vec<HeldBlock> = Vec::new();
    for row in rows {
        match newest.last_mut() {
            Some(last) if last.target == row.target => {
                let longer = row
                    .expires
                    .is_none_or(|it| last.expires.is_some_and(|last| it > last));
                if longer {
                    *last = row;
                }
            }
            _ => newest.push(row),
        }
    }
    newest
}

fn decision(block: &HeldBlock, now: i64) -> Value {
    let net = block.target.parse::<IpNet>().ok();
    let (value, scope) = match net {
        Some(net) if is_host(&net) => (shown(net), "Ip"),
        _ => (block.target.clone(), "Range"),
    };
    let left = block
        .expires
        .unwrap_or(now + PERMANENT)
        .saturating_sub(now)
        .max(0)
        / SECOND;
    let hash = Sha256::digest(&block.target);
    let id = hash
        .iter()
        .take(6)
        .fold(0_u64, |id, byte| id << 8 | u64::from(*byte));
    let doc: Value = serde_json::from_str(&block.doc).unwrap_or_default();
    let class = doc["block"]["class"].as_str().unwrap_or("manual");
    json!({
        "id": id, "origin": "garita", "type": "ban", "scope": scope, "value": value,
        "duration": format!("{left}s"), "scenario": format!("garita/{class}"),
    })
}
