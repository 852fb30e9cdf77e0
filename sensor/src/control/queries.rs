//! Questions: what is blocked, allowed, waiting, recorded. Whoever can open the socket may ask, and nothing changes.

use std::net::IpAddr;

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};
use ipnet::IpNet;
use serde::Deserialize;
use serde_json::Value;

use super::Shared;
use super::answer::{AuditVerification, Explanation, IncidentHistory, Labelled, Overlaps, Page};
use super::archive::{Archive, ArchiveError, IncidentFilter};
use super::problem::Problem;
use super::status::{BlockCounts, Status};
use crate::blocklist::Enforcement;
use contract::address::canonical;
use contract::class::Class;
use contract::record::{Allowance, AuditEntry, Block, Review, ReviewState};
use contract::timestamp::Timestamp;

/// Blocks in one answer.
pub const MAX_BLOCKS: usize = 5_000;

/// Incidents, reviews, audit entries or labelled rows in one answer.
pub const MAX_ROWS: usize = 500;

/// Past blocks and incidents that an explanation tells.
const TOLD: usize = 10;

type Answered<T> = Result<Json<T>, Problem>;

pub(super) fn routes() -> Router<Shared> {
    Router::new()
        .route("/status", get(status))
        .route("/enforcement", get(enforcement))
        .route("/explain/{address}", get(explain))
        .route("/blocks", get(blocks))
        .route("/search", get(search))
        .route("/allowances", get(allowances))
        .route("/home", get(home))
        .route("/reviews", get(reviews))
        .route("/labelled", get(labelled))
        .route("/incidents", get(incidents))
        .route("/incidents/{id}", get(incident))
        .route("/headers/{address}", get(headers))
        .route("/audit", get(audit))
        .route("/audit/verification", get(verify_audit))
}

async fn status(State(shared): State<Shared>) -> Answered<Status> {
    let agent = shared.agent.clone();
    let health = aside(&shared, move || agent.health()).await?;
    let blocks = shared.blocklist.blocks().await?;
    Ok(Json(Status {
        health,
        enforcement: shared.blocklist.enforcement().await?,
        blocks: BlockCounts::of(&blocks),
        reviews: shared.blocklist.reviews().await?.len(),
    }))
}

async fn enforcement(State(shared): State<Shared>) -> Answered<Enforcement> {
    Ok(Json(shared.blocklist.enforcement().await?))
}

async fn explain(
    State(shared): State<Shared>,
    address: Result<Path<IpAddr>, PathRejection>,
) -> Answered<Explanation> {
    let address = address?.0.to_canonical();
    let standing = shared.blocklist.standing(address).await?;
    let enforcement = shared.blocklist.enforcement().await?;
    let filter = IncidentFilter {
        limit: TOLD,
        since: None,
        before: None,
        net: Some(address.into()),
        class: None,
    };
    // A store that fails takes the past away, not the answer.
    let past = recall(&shared, move |archive| {
        Ok((archive.history(address, TOLD)?, archive.incidents(&filter)?))
    });
    let (history, incidents, missing) = match past.await? {
        Ok((history, incidents)) => (history, incidents, None),
        Err(error) => (Vec::new(), Vec::new(), Some(error.to_string())),
    };
    Ok(Json(Explanation {
        address,
        standing,
        enforcement,
        history,
        incidents,
        missing,
    }))
}

/// Where to go on in a list, and how far.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BlockQuery {
    after: Option<IpNet>,
    limit: Option<usize>,
}

async fn blocks(
    State(shared): State<Shared>,
    query: Result<Query<BlockQuery>, QueryRejection>,
) -> Answered<Page<Block>> {
    let query = query?.0;
    let limit = query.limit.unwrap_or(MAX_BLOCKS).clamp(1, MAX_BLOCKS);
    let mut blocks = shared.blocklist.blocks().await?;
    // The order is the one that `after` means, whatever order the blocklist keeps.
    blocks.sort_unstable_by_key(|block| block.target);
    let start = query.after.map_or(0, |after| {
        blocks.partition_point(|block| block.target <= after)
    });
    let rest = blocks.len() - start;
    // Blocks of one target stay together: the next page begins after it.
    let last = blocks.get(start..).and_then(|rest| rest.get(limit - 1));
    let last = last.map(|block| block.target);
    let together = |block: &Block| last.is_none_or(|last| block.target <= last);
    let items: Vec<Block> = blocks
        .into_iter()
        .skip(start)
        .take_while(together)
        .collect();
    let next = (rest > items.len())
        .then(|| items.last().map(|block| block.target.to_string()))
        .flatten();
    Ok(Json(Page { items, next }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SearchQuery {
    target: IpNet,
}

async fn search(
    State(shared): State<Shared>,
    query: Result<Query<SearchQuery>, QueryRejection>,
) -> Answered<Overlaps> {
    let target = canonical(query?.0.target);
    let overlaps = |net: &IpNet| net.contains(&target) || target.contains(net);
    let mut blocks = shared.blocklist.blocks().await?;
    blocks.retain(|block| overlaps(&block.target));
    blocks.sort_unstable_by_key(|block| block.target);
    let more = blocks.len() > MAX_BLOCKS;
    blocks.truncate(MAX_BLOCKS);
    let mut allowances = shared.blocklist.allowances().await?;
    allowances.retain(|allowance| overlaps(&allowance.net));
    let standing = shared.blocklist.standing(target).await?;
    Ok(Json(Overlaps {
        target,
        blocks,
        more,
        allowances,
        exempt: standing.exempt,
        home: standing.home,
    }))
}

async fn allowances(State(shared): State<Shared>) -> Answered<Vec<Allowance>> {
    Ok(Json(shared.blocklist.allowances().await?))
}

async fn home(State(shared): State<Shared>) -> Answered<Vec<IpNet>> {
    Ok(Json(shared.blocklist.home().await?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReviewQuery {
    /// `open` where it is not said, `all`, or a state.
    state: Option<String>,
    limit: Option<usize>,
    /// How many to pass over.
    after: Option<usize>,
}

/// What waits is known by the blocklist alone; what was answered, by the archive.
async fn reviews(
    State(shared): State<Shared>,
    query: Result<Query<ReviewQuery>, QueryRejection>,
) -> Answered<Vec<Review>> {
    let query = query?.0;
    let limit = rows(query.limit);
    let state = match query.state.as_deref() {
        None | Some("open") => {
            let waiting = shared.blocklist.reviews().await?.into_iter();
            let from = query.after.unwrap_or(0);
            return Ok(Json(waiting.skip(from).take(limit).collect()));
        }
        Some("all") => None,
        Some("approved") => Some(ReviewState::Approved),
        Some("dismissed") => Some(ReviewState::Dismissed),
        Some("lapsed") => Some(ReviewState::Lapsed),
        Some(other) => {
            let known = "open, approved, dismissed, lapsed or all";
            return Err(Problem::senseless(format!(
                "{other:?} is no state of a review; known is {known}"
            )));
        }
    };
    let found = recall(&shared, move |archive| archive.reviews(state, limit)).await?;
    Ok(Json(found?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RowQuery {
    after: Option<usize>,
    limit: Option<usize>,
}

async fn labelled(
    State(shared): State<Shared>,
    query: Result<Query<RowQuery>, QueryRejection>,
) -> Answered<Page<Labelled>> {
    let query = query?.0;
    let (from, limit) = (query.after.unwrap_or(0), rows(query.limit));
    let items = recall(&shared, move |archive| archive.labelled(from, limit)).await??;
    let next = (items.len() == limit).then(|| from.saturating_add(limit).to_string());
    Ok(Json(Page { items, next }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct IncidentQuery {
    limit: Option<usize>,
    since: Option<Timestamp>,
    before: Option<Timestamp>,
    net: Option<IpNet>,
    class: Option<Class>,
}

async fn incidents(
    State(shared): State<Shared>,
    query: Result<Query<IncidentQuery>, QueryRejection>,
) -> Answered<Vec<Value>> {
    let query = query?.0;
    let filter = IncidentFilter {
        limit: rows(query.limit),
        since: query.since,
        before: query.before,
        net: query.net.map(canonical),
        class: query.class,
    };
    let found = recall(&shared, move |archive| archive.incidents(&filter)).await?;
    Ok(Json(found?))
}

async fn incident(
    State(shared): State<Shared>,
    id: Result<Path<String>, PathRejection>,
) -> Answered<IncidentHistory> {
    let Path(id) = id?;
    let wanted = id.clone();
    let found = recall(&shared, move |archive| archive.incident(&wanted)).await??;
    found.map(Json).ok_or_else(|| {
        let sentence = format!("there is no incident {id}");
        Problem::new(StatusCode::NOT_FOUND, sentence)
    })
}

async fn headers(
    State(shared): State<Shared>,
    address: Result<Path<IpAddr>, PathRejection>,
) -> Result<impl IntoResponse, Problem> {
    let address = address?.0.to_canonical();
    let agent = shared.agent.clone();
    let kept = aside(&shared, move || agent.headers(address)).await?;
    let kept = kept.ok_or_else(|| {
        let sentence = format!("no headers of {address} are kept");
        Problem::new(StatusCode::NOT_FOUND, sentence)
    })?;
    Ok((
        [(header::CONTENT_TYPE, "application/vnd.tcpdump.pcap")],
        kept,
    ))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AuditQuery {
    from: Option<u64>,
    limit: Option<usize>,
}

async fn audit(
    State(shared): State<Shared>,
    query: Result<Query<AuditQuery>, QueryRejection>,
) -> Answered<Vec<AuditEntry>> {
    let query = query?.0;
    let (from, limit) = (query.from, rows(query.limit));
    let found = recall(&shared, move |archive| archive.audit(from, limit)).await?;
    Ok(Json(found?))
}

async fn verify_audit(State(shared): State<Shared>) -> Answered<AuditVerification> {
    let found = recall(&shared, |archive| archive.verify_audit()).await?;
    Ok(Json(found?))
}

fn rows(limit: Option<usize>) -> usize {
    limit.unwrap_or(MAX_ROWS).clamp(1, MAX_ROWS)
}

/// Asks the archive on a thread that may wait for a disk.
async fn recall<T: Send + 'static>(
    shared: &Shared,
    question: impl FnOnce(&dyn Archive) -> Result<T, ArchiveError> + Send + 'static,
) -> Result<Result<T, ArchiveError>, Problem> {
    let archive = shared.archive.clone();
    aside(shared, move || question(&*archive)).await
}

/// Does what may wait on a thread of its own, of which there are few.
async fn aside<T: Send + 'static>(
    shared: &Shared,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Problem> {
    let turn = shared.readers.clone().acquire_owned().await;
    let turn = turn.map_err(|_| Problem::interrupted())?;
    let work = tokio::task::spawn_blocking(move || {
        let done = work();
        drop(turn);
        done
    });
    work.await.map_err(|_| Problem::interrupted())
}
