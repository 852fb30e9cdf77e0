//! Has accepted commands carried out, one after the other, and sees that each is answered and audited.
//! Whether something may be done is judged by the verifier and the blocklist; it judges nothing itself but who is at home.

use tokio::sync::mpsc;
use tokio::time::{Duration, Instant};

use super::rate::RateLimit;
use super::received::SEEN_COMMANDS;
use super::reply::Answer;
use super::resync::Wanted;
use super::verify::{Accepted, Audience, CommandVerifier, Rejected, SignedCommand};
use crate::action::{Actor, Refusal};
use crate::blocklist::{BlocklistHandle, Message};
use crate::clock;
use crate::store::{Entry, Store, StoreError};
use contract::action::Action;
use contract::command::{Order, Rejection, Resync};
use contract::printable::printable;
use contract::record::Origin;
use contract::reply::{Reply, ReplyOutcome, ResyncReply, Span};
use contract::topics::Topics;

/// Ranges named in one reply.
const RANGES: u32 = 500;
/// Anonymous refusals that are answered and audited, a second: whoever reaches the broker must not be able to push
/// everything else out of the audit trail.
const ANONYMOUS: u32 = 1;
/// A person reads the trail; who could not be told from noise is told of once in this long.
const SUMMARY: Duration = Duration::from_secs(60);

/// What the executor works with.
pub(super) struct CommandExecutor {
    pub(super) verifier: CommandVerifier,
    pub(super) topics: Topics,
    pub(super) blocklist: BlocklistHandle,
    pub(super) store: Store,
    pub(super) answers: mpsc::Sender<Answer>,
    pub(super) wanted: mpsc::Sender<Wanted>,
}

/// What came of a command.
struct Outcome {
    outcome: ReplyOutcome,
    reason: Option<&'static str>,
    message: String,
    resync: Option<ResyncReply>,
}

impl Outcome {
    fn refused(reason: &'static str, message: String) -> Self {
        Self {
            outcome: ReplyOutcome::Refused,
            reason: Some(reason),
            message,
            resync: None,
        }
    }

    fn done(message: String) -> Self {
        Self {
            outcome: ReplyOutcome::Done,
            reason: None,
            message,
            resync: None,
        }
    }
}

impl CommandExecutor {
    /// Executes commands until nobody sends any more.
    pub(super) async fn serve(mut self, mut commands: mpsc::Receiver<SignedCommand>) {
        let mut rate = RateLimit::new(ANONYMOUS, Instant::now());
        let mut unheard: (u64, Instant) = (0, Instant::now());
        while let Some(message) = commands.recv().await {
            let judged = self.verifier.verify_command(&message, clock::wall());
            match judged {
                Ok(accepted) => self.carry_out(accepted, message.correlation).await,
                Err(rejected) => {
                    if rejected.why.is_anonymous() && rate.take(Instant::now()).is_err() {
                        unheard.0 += 1;
                    } else {
                        self.deny(rejected, message.correlation).await;
                    }
                }
            }
            if unheard.0 > 0 && unheard.1.elapsed() >= SUMMARY {
                let words = format!("refused: {} more that nobody we know had signed", unheard.0);
                self.audit(("nobody we know", "command"), "", &words);
                unheard = (0, Instant::now());
            }
        }
    }

    async fn deny(&self, rejected: Rejected, correlation: Option<Vec<u8>>) {
        let by = rejected
            .kid
            .map_or("nobody we know".to_owned(), |kid| format!("key {kid}"));
        let object = rejected.id.clone().unwrap_or_default();
        let message = rejected.why.to_string();
        self.audit((&by, "command"), &object, &format!("refused: {message}"));
        if let Some(id) = rejected.id {
            let outcome = Outcome::refused(rejected.why.code(), message);
            self.answer(id, correlation, outcome).await;
        }
    }

    async fn carry_out(&self, accepted: Accepted, correlation: Option<Vec<u8>>) {
        // Remembered before it is done: better not at all than twice.
        if let Some(value) = self.verifier.seen() {
            self.store.record(Entry::Setting {
                key: SEEN_COMMANDS,
                value,
            });
        }
        let Accepted {
            command,
            kid,
            audience,
        } = accepted;
        let by = format!("key {kid}");
        tracing::info!(
            "command {}: {} by {by}",
            command.id,
            command.command.as_str()
        );
        let outcome = match command.command {
            Order::Act(action) => self.act(&by, action, (audience, &command.id)).await,
            Order::Resync(order) => self.resync(&by, order).await,
        };
        self.answer(command.id, correlation, outcome).await;
    }

    async fn act(&self, by: &str, action: Action, (audience, id): (Audience, &str)) -> Outcome {
        if let (Audience::All, Action::Block { target, .. }) = (audience, &action) {
            for end in [target.network(), target.broadcast()] {
                if self
                    .blocklist
                    .standing(end)
                    .await
                    .is_ok_and(|standing| standing.home)
                {
                    let why = Rejection::PrivateToAll(target.to_string());
                    self.audit((by, "command"), id, &format!("refused: {why}"));
                    return Outcome::refused(why.code(), why.to_string());
                }
            }
        }
        let actor = Actor {
            origin: Origin::Command,
            name: by.to_owned(),
        };
        match self.blocklist.act(actor, action).await {
            Ok(Ok(done)) => Outcome::done(done.message),
            Ok(Err(refusal)) => Outcome::refused(word(&refusal), refusal.to_string()),
            Err(away) => {
                self.audit((by, "command"), id, &format!("refused: {away}"));
                Outcome::refused("away", away.to_string())
            }
        }
    }

    async fn resync(&self, by: &str, order: Resync) -> Outcome {
        let from = order.from_seq;
        let store = self.store.clone();
        let looked = tokio::task::spawn_blocking(move || look(&store, from)).await;
        let found = match looked {
            Ok(Ok(found)) => found,
            Ok(Err(error)) => return self.unread(by, from, &error.to_string()),
            Err(_) => return self.unread(by, from, "the reader has failed"),
        };
        let wanted = Wanted {
            from: found.first,
            until: found.last,
        };
        // Only a session that is stuck keeps so many wishes waiting.
        if self.wanted.try_send(wanted).is_err() {
            return self.unread(
                by,
                from,
                "too much is being sent again already; try again later",
            );
        }
        let message = match found.first <= found.last {
            true => format!(
                "messages from {} to {} are sent again",
                found.first, found.last
            ),
            false => format!("there is nothing from {from} on"),
        };
        self.audit((by, "resync"), &from.to_string(), &message);
        Outcome {
            resync: Some(found),
            ..Outcome::done(message)
        }
    }

    fn unread(&self, by: &str, from: u64, why: &str) -> Outcome {
        self.audit(
            (by, "resync"),
            &from.to_string(),
            &format!("refused: {why}"),
        );
        Outcome::refused("failed", why.to_owned())
    }

    async fn answer(&self, id: String, correlation: Option<Vec<u8>>, outcome: Outcome) {
        let reply = Reply {
            id,
            site: self.topics.site().to_owned(),
            sensor: self.topics.sensor().to_owned(),
            at: clock::wall(),
            outcome: outcome.outcome,
            reason: outcome.reason.map(Into::into),
            message: printable(&outcome.message).into_owned(),
            resync: outcome.resync,
        };
        // If reporting ends meanwhile, the audit trail still has it.
        let _ = self.answers.send(Answer { reply, correlation }).await;
    }

    fn audit(&self, (by, action): (&str, &str), object: &str, outcome: &str) {
        let told = self.blocklist.tell(Message::Audit {
            by: by.to_owned(),
            action: action.to_owned(),
            object: object.to_owned(),
            outcome: outcome.to_owned(),
        });
        if told.is_err() {
            tracing::warn!(
                "a command was {outcome}, which could not be audited: the blocklist is busy"
            );
        }
    }
}

fn look(store: &Store, from: u64) -> Result<ResyncReply, StoreError> {
    let reader = store.reader()?;
    let extent = reader.outbox_extent()?;
    let dropped = reader.dropped_from(from, RANGES)?;
    Ok(ResyncReply {
        epoch: store.epoch(),
        first: extent
            .first
            .map_or(extent.last + 1, |first| first.max(from)),
        last: extent.last,
        dropped: dropped
            .iter()
            .map(|range| Span {
                first: range.first,
                last: range.last,
            })
            .collect(),
    })
}

fn word(refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::Exempt { .. } => "exempt",
        Refusal::NotFound(_) => "not-found",
        Refusal::Invalid(_) => "invalid",
        Refusal::Conflict(_) => "conflict",
        Refusal::Failed(_) => "failed",
    }
}
