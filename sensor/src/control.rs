//! Control: HTTP over a unix socket, where people at the machine ask what is the case and have it changed.
//! It settles nothing itself: changes go over the [`BlocklistHandle`], and who may ask for them is all it judges.

mod answer;
mod archive;
mod caller;
mod changes;
mod metrics;
mod problem;
mod queries;
mod socket;
mod status;

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{DefaultBodyLimit, Request};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::UnixStream;
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;

use crate::blocklist::BlocklistHandle;

pub use answer::{
    Answer, AuditVerification, ErrorText, Explanation, IncidentHistory, Labelled, Overlaps, Page,
    PastBlock,
};
pub use archive::{Archive, ArchiveError, IncidentFilter, RefusedChange};
pub use changes::MAX_BATCH;
pub use metrics::serve_metrics;
pub use queries::{MAX_BLOCKS, MAX_ROWS};
pub use socket::{Socket, SocketError};
pub use status::{
    Agent, AgentHealth, BlockCounts, CaptureStatus, DroppedStatus, InterfaceStatus, ModelStatus,
    ReportStatus, Status, StoreStatus, TableStatus,
};

use caller::Caller;
use problem::Problem;

/// How long one request may take. Checking a long audit chain reads all of it; everything else takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long a connection may take to say what it wants. Our own client says it at once.
const HEADERS_WITHIN: Duration = Duration::from_secs(10);

/// How long what is being answered may go on once the program ends.
const GRACE: Duration = Duration::from_secs(2);

/// Bytes of a request. A batch of the largest size fits four times.
const MAX_BODY: usize = 1 << 20;

/// Questions to the archive that are worked on at once; each reads files and holds a thread.
const READERS: usize = 4;

/// What the answers are made of.
#[derive(Clone)]
pub struct Shared {
    blocklist: BlocklistHandle,
    archive: Arc<dyn Archive>,
    agent: Arc<dyn Agent>,
    admins: Option<Arc<str>>,
    connections: usize,
    readers: Arc<Semaphore>,
}

impl Shared {
    /// Answers from the blocklist behind `blocklist`, from the store, and from the agent that keeps all running.
    pub fn new(
        blocklist: BlocklistHandle,
        archive: Arc<dyn Archive>,
        agent: Arc<dyn Agent>,
        settings: &settings::Control,
    ) -> Self {
        let admins = settings.admin_group.get();
        Self {
            blocklist,
            archive,
            agent,
            admins: admins.map(|group| group.as_str().into()),
            connections: settings.max_connections.size(),
            readers: Arc::new(Semaphore::new(READERS)),
        }
    }
}

/// Answers on `socket` until `stop` becomes true or its sender is gone, then takes the socket away.
pub async fn serve(socket: Socket, shared: Shared, mut stop: watch::Receiver<bool>) {
    let places = Arc::new(Semaphore::new(shared.connections));
    let router = router(shared.clone());
    loop {
        let place = tokio::select! {
            biased;
            () = told(&mut stop) => break,
            place = Arc::clone(&places).acquire_owned() => place,
        };
        let stream = tokio::select! {
            biased;
            () = told(&mut stop) => break,
            stream = socket.accept() => stream,
        };
        let (shared, router, stop) = (shared.clone(), router.clone(), stop.clone());
        tokio::spawn(async move {
            converse(stream, &shared, router, stop).await;
            drop(place);
        });
    }
    drop(socket);
    // What is being answered gets its grace; whatever is left is dropped with the runtime.
    let all = u32::try_from(shared.connections).unwrap_or(u32::MAX);
    let _ = timeout(GRACE, places.acquire_many(all)).await;
}

/// Serves one connection to its end.
async fn converse(
    stream: UnixStream,
    shared: &Shared,
    router: Router,
    mut stop: watch::Receiver<bool>,
) {
    let caller = match Caller::of(&stream, shared.admins.clone()).await {
        Ok(caller) => caller,
        Err(error) => {
            tracing::debug!(%error, "a connection to the control socket has no credentials");
            return;
        }
    };
    let service = TowerToHyperService::new(router.layer(Extension(caller)));
    let mut connection = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEADERS_WITHIN)
            .serve_connection(TokioIo::new(stream), service)
    );
    let ended = tokio::select! {
        ended = &mut connection => ended,
        () = told(&mut stop) => {
            connection.as_mut().graceful_shutdown();
            timeout(GRACE, connection).await.unwrap_or(Ok(()))
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a control connection broke off");
    }
}

/// Waits until the end is told, or nobody is left to tell it.
async fn told(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

fn router(shared: Shared) -> Router {
    let routes = queries::routes().merge(changes::routes());
    Router::new()
        .nest("/v1", routes)
        .fallback(async || Problem::new(StatusCode::NOT_FOUND, "there is no such resource"))
        .method_not_allowed_fallback(async || {
            let text = "the resource does not know this method";
            Problem::new(StatusCode::METHOD_NOT_ALLOWED, text)
        })
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(from_fn(in_time))
        .with_state(shared)
}

async fn in_time(request: Request, next: Next) -> Response {
    match timeout(PATIENCE, next.run(request)).await {
        Ok(response) => response,
        Err(_) => {
            let text = "the sensor did not finish the answer in time; try again";
            Problem::new(StatusCode::GATEWAY_TIMEOUT, text).into_response()
        }
    }
}
