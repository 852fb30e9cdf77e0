//! What changes, as it changes: server-sent events, and the same over a WebSocket. Whoever comes back says what they have
//! seen last. A stream ends at once when its token or login does.

use std::convert::Infallible;
use std::time::Duration;

use axum::Extension;
use axum::extract::State;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::http::{HeaderMap, StatusCode};
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream::unfold;
use serde_json::{Value, json};
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::timeout;

use super::app::{App, Credential};
use super::ask::Asked;
use super::problem::Problem;
use crate::moment;
use crate::store::Happened;

/// Events read at once.
const BATCH: u32 = 500;
/// How often a silent stream is looked after: whether it may go on, and that proxies see it is alive.
const LOOK: Duration = Duration::from_secs(5);

/// A stream of what changes.
struct Follower {
    app: App,
    credential: Credential,
    changed: watch::Receiver<u64>,
    stop: watch::Receiver<bool>,
    after: i64,
    waiting: std::vec::IntoIter<Happened>,
    /// Whether what was asked for is not kept any more; told once.
    gap: bool,
    /// Whether a silent stream says that it is alive in an event, which scripts hear, instead of a comment.
    tells_alive: bool,
    _permit: OwnedSemaphorePermit,
}

/// What a stream says next.
enum Next {
    Event(Box<Happened>),
    Gap(i64),
    Alive,
}

impl Follower {
    async fn new(
        app: App,
        credential: Credential,
        (headers, asked): (&HeaderMap, &Asked),
    ) -> Result<Self, Problem> {
        let streams = app.limits.streams.clone();
        let permit = streams.try_acquire_owned().map_err(|_| {
            Problem::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "too many streams are open: http.max_streams",
            )
        })?;
        // Subscribed before it is read where the stream stands: nothing falls in between.
        let changed = app.store.watch();
        let last = app.store.last_event().await?;
        let header = headers.get("last-event-id").and_then(|id| id.to_str().ok());
        let said = header.map(str::to_owned).or_else(|| asked.text("after"));
        let after = match said {
            Some(said) => said
                .parse::<i64>()
                .ok()
                .filter(|after| *after >= 0)
                .ok_or_else(|| {
                    Problem::field("Last-Event-ID", "it is no number that a stream gave")
                })?
                .min(last),
            None => last,
        };
        let first = app.store.first_event().await?;
        Ok(Self {
            stop: app.stop.clone(),
            gap: first > after + 1,
            tells_alive: asked.text("alive").is_some(),
            app,
            credential,
            changed,
            after,
            waiting: Vec::new().into_iter(),
            _permit: permit,
        })
    }

    /// What comes next; nothing once it is over.
    async fn next(&mut self) -> Option<Next> {
        if std::mem::take(&mut self.gap) {
            return Some(Next::Gap(self.after));
        }
        loop {
            if let Some(event) = self.waiting.next() {
                return Some(Next::Event(Box::new(event)));
            }
            self.changed.borrow_and_update();
            // What it may see is looked up anew each time: a role or a site may have been taken.
            let found = self.app.principal(&self.credential).await.ok()??;
            let read = self
                .app
                .store
                .events_after(&found.0.scope, (self.after, BATCH))
                .await;
            let (events, after) = read.ok()?;
            let more = after > self.after;
            self.after = after;
            self.waiting = events.into_iter();
            if self.waiting.len() > 0 || more {
                continue;
            }
            let waited = tokio::select! {
                changed = timeout(LOOK, self.changed.changed()) => changed,
                _ = self.stop.wait_for(|stop| *stop) => return None,
            };
            match waited {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return None,
                Err(_) => return Some(Next::Alive),
            }
        }
    }
}

/// Server-sent events; `Last-Event-ID`, or `after`, says from where.
pub(super) async fn events(
    State(app): State<App>,
    Extension(credential): Extension<Credential>,
    headers: HeaderMap,
    asked: Asked,
) -> Result<Response, Problem> {
    let follower = Follower::new(app, credential, (&headers, &asked)).await?;
    let stream = unfold(follower, |mut follower| async move {
        let event = match follower.next().await? {
            Next::Event(happened) => Event::default()
                .id(happened.seq.to_string())
                .event(happened.kind.clone())
                .data(written(&happened).to_string()),
            Next::Gap(after) => Event::default()
                .event("gap")
                .data(json!({"after": after}).to_string()),
            Next::Alive if follower.tells_alive => Event::default().event("alive").data("{}"),
            Next::Alive => Event::default().comment("alive"),
        };
        Some((Ok::<_, Infallible>(event), follower))
    });
    Ok(Sse::new(stream).into_response())
}

/// The same over a WebSocket: one JSON text an event.
pub(super) async fn socket(
    State(app): State<App>,
    Extension(credential): Extension<Credential>,
    (headers, asked): (HeaderMap, Asked),
    upgrade: WebSocketUpgrade,
) -> Result<Response, Problem> {
    let follower = Follower::new(app, credential, (&headers, &asked)).await?;
    // Nothing but a close is expected from the other side.
    let upgrade = upgrade.max_message_size(4_096);
    Ok(upgrade.on_upgrade(|socket| follow(socket, follower)))
}

async fn follow(mut socket: WebSocket, mut follower: Follower) {
    loop {
        let message = tokio::select! {
            next = follower.next() => match next {
                Some(Next::Event(happened)) => {
                    let data = written(&happened);
                    let text = json!({"id": happened.seq, "event": happened.kind, "data": data});
                    Message::Text(text.to_string().into())
                }
                Some(Next::Gap(after)) => {
                    Message::Text(json!({"event": "gap", "data": {"after": after}}).to_string().into())
                }
                Some(Next::Alive) => Message::Ping(Vec::new().into()),
                None => break,
            },
            heard = socket.recv() => match heard {
                Some(Ok(Message::Close(_)) | Err(_)) | None => break,
                Some(Ok(_)) => continue,
            },
        };
        if socket.send(message).await.is_err() {
            return;
        }
    }
    let _ = socket.send(Message::Close(None)).await;
}

fn written(happened: &Happened) -> Value {
    let mut body = happened.body.clone();
    if let Some(fields) = body.as_object_mut() {
        fields.insert("told".to_owned(), json!(moment::text(happened.at)));
    }
    body
}
