//! What goes on while the broker is connected: the outbox and what is asked for again go out, within the window and in
//! order, replies beside them, and commands come in. It connects nobody, and ends when the connection does.

use std::collections::BTreeSet;
use std::time::Duration;

use rumqttc::v5::mqttbytes::v5::Publish;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use super::connection::{Connection, ConnectionEvent};
use super::envelope::Dispatch;
use super::error::BrokerError;
use super::loss;
use super::outbox::{self, Outbox};
use super::rate::RateLimit;
use super::reduce;
use super::reply::Answer;
use super::resync::{Resync, Wanted};
use super::status;
use super::verify::SignedCommand;
use crate::clock;
use crate::condition::Conditions;
use crate::store::{Posted, Store, StoreError};
use contract::condition::Name;
use contract::digest::Digest;
use contract::envelope::{Envelope, Place};
use contract::incident::Identity;
use contract::printable::printable;
use contract::status::{State, Status};
use contract::topics::Topics;

/// How often it is looked whether messages were dropped that nobody was told of.
const LOOK: Duration = Duration::from_secs(60);
/// When the store is asked again that could not be read.
const UNREADABLE: Duration = Duration::from_secs(5);

/// What is sent, for when the broker answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ticket {
    /// A message of the outbox.
    Outbox(outbox::Ticket),
    /// The same, once more.
    Again,
    /// The retained status.
    Status,
    /// A reply.
    Reply,
}

/// How a session ended.
#[derive(Debug)]
pub(super) enum End {
    /// The program ends.
    Stopped,
    /// The connection is lost.
    Lost(BrokerError),
}

/// What a turn of the loop is about.
enum Turn {
    ConnectionEvent(ConnectionEvent<Ticket>),
    Committed,
    Answer(Answer),
    Wanted(Wanted),
    Digest,
    Look,
    Timer,
    Stop,
}

/// What lasts longer than a connection.
pub(super) struct Session {
    pub(super) topics: Topics,
    pub(super) identity: Identity,
    pub(super) store: Store,
    pub(super) conditions: Conditions,
    /// The status as it is now, in this state.
    pub(super) status: Box<dyn Fn(State) -> Status + Send + Sync>,
    pub(super) outbox: Outbox,
    pub(super) resync: Resync,
    pub(super) rate: RateLimit,
    /// For how long a message is worth delivering.
    pub(super) worth: Duration,
    pub(super) commands: mpsc::Sender<SignedCommand>,
    pub(super) answers: mpsc::Receiver<Answer>,
    pub(super) wanted: mpsc::Receiver<Wanted>,
    pub(super) digest: watch::Receiver<Option<Digest>>,
    pub(super) committed: watch::Receiver<u64>,
    pub(super) stop: watch::Receiver<bool>,
    /// Topics of which messages were refused.
    pub(super) troubled: BTreeSet<&'static str>,
}

impl Session {
    /// Serves a connection until it ends, or the program.
    pub(super) async fn run(&mut self, mut link: Connection<Ticket>) -> End {
        self.outbox.rewind();
        let mut draining = true;
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        if let Err(trouble) = self.publish_status(&mut link, State::Online) {
            return End::Lost(trouble);
        }
        loop {
            let later = match self.fill(&mut link, &mut draining).await {
                Ok(later) => later,
                Err(trouble) => return End::Lost(trouble),
            };
            let timer = async {
                match later {
                    Some(later) => sleep_until(later).await,
                    None => std::future::pending().await,
                }
            };
            let turn = tokio::select! {
                news = link.next() => Turn::ConnectionEvent(news),
                changed = self.committed.changed() => match changed {
                    Ok(()) => Turn::Committed,
                    // The store is gone only when the program ends.
                    Err(_) => return End::Stopped,
                },
                Some(answer) = self.answers.recv() => Turn::Answer(answer),
                Some(wanted) = self.wanted.recv() => Turn::Wanted(wanted),
                Ok(()) = self.digest.changed() => Turn::Digest,
                _ = look.tick(), if !draining => Turn::Look,
                () = timer => Turn::Timer,
                _ = self.stop.wait_for(|stop| *stop) => Turn::Stop,
            };
            let done = match turn {
                Turn::ConnectionEvent(news) => self.hear(news),
                Turn::Committed => {
                    self.outbox.wake();
                    Ok(())
                }
                Turn::Answer(answer) => self.reply(&mut link, answer),
                Turn::Wanted(wanted) => {
                    self.resync.add(wanted);
                    Ok(())
                }
                Turn::Digest => self.publish_status(&mut link, State::Online),
                Turn::Look => {
                    self.tell_dropped().await;
                    Ok(())
                }
                Turn::Timer => Ok(()),
                Turn::Stop => {
                    // Whoever cannot be told learns from the will.
                    let _ = self.publish_status(&mut link, State::Stopped);
                    link.close().await;
                    return End::Stopped;
                }
            };
            if let Err(trouble) = done {
                return End::Lost(trouble);
            }
        }
    }

    /// Sends as much as may go now; says when to look again although nothing happens.
    async fn fill(
        &mut self,
        link: &mut Connection<Ticket>,
        draining: &mut bool,
    ) -> Result<Option<Instant>, BrokerError> {
        while link.room() > 0 {
            let now = Instant::now();
            if *draining && let Err(later) = self.rate.take(now) {
                return Ok(Some(later));
            }
            match self.outbox.next(now).await {
                Ok(Some((ticket, posted))) => {
                    self.send(link, posted, Ticket::Outbox(ticket))?;
                    continue;
                }
                Ok(None) => *draining = false,
                Err(error) => return Ok(Some(self.unreadable(&error, now))),
            }
            if self.resync.is_done() {
                break;
            }
            if let Err(later) = self.rate.take(now) {
                return Ok(Some(later));
            }
            match self.resync.next(&self.store).await {
                Ok(Some(posted)) => self.send(link, posted, Ticket::Again)?,
                Ok(None) => {}
                Err(error) => return Ok(Some(self.unreadable(&error, now))),
            }
        }
        Ok(self.outbox.retry())
    }

    fn send(
        &mut self,
        link: &mut Connection<Ticket>,
        posted: Posted,
        ticket: Ticket,
    ) -> Result<(), BrokerError> {
        let Posted { seq, message, .. } = posted;
        let topic = self.topics.of(message.topic);
        let envelope = Envelope {
            id: message.id,
            kind: message.kind,
            time: message.at,
            source: self.topics.root(),
            place: Some(Place {
                epoch: self.outbox.epoch().unwrap_or_default().to_owned(),
                seq,
            }),
        };
        let dispatch = Dispatch {
            envelope,
            expiry: Some(self.worth.saturating_sub(clock::wall().since(message.at))),
        };
        let max = link.max_packet();
        match reduce::fit(&message.body, dispatch.left(&topic, max)) {
            Some(body) => link.publish(ticket, dispatch.pack(topic, body)),
            None => {
                if let Ticket::Outbox(ticket) = ticket {
                    let why = format!(
                        "even without detail a message is larger than its largest packet of {max} bytes"
                    );
                    self.refuse(ticket, &why);
                }
                Ok(())
            }
        }
    }

    fn hear(&mut self, news: ConnectionEvent<Ticket>) -> Result<(), BrokerError> {
        match news {
            ConnectionEvent::Answered(ticket, verdict) => self.answered(ticket, verdict),
            ConnectionEvent::Received(publish) => self.receive(*publish),
            ConnectionEvent::Deaf(why) => self.complain(
                "command",
                &format!("the broker does not let us receive commands: {why}"),
            ),
            ConnectionEvent::Down(trouble) => return Err(trouble),
        }
        Ok(())
    }

    fn answered(&mut self, ticket: Ticket, verdict: Result<(), String>) {
        let other = match ticket {
            Ticket::Outbox(ticket) => match verdict {
                Ok(()) => {
                    self.outbox.taken(ticket);
                    if !self.outbox.is_refusing(ticket.topic) {
                        self.settle(ticket.topic.as_str());
                    }
                    return;
                }
                Err(why) => return self.refuse(ticket, &why),
            },
            Ticket::Again => return,
            Ticket::Status => "status",
            Ticket::Reply => "reply",
        };
        match verdict {
            Ok(()) => self.settle(other),
            Err(why) => self.complain(
                other,
                &format!("the broker does not take messages to {other}: {why}"),
            ),
        }
    }

    fn refuse(&mut self, ticket: outbox::Ticket, why: &str) {
        self.outbox.refused(ticket, Instant::now());
        let topic = ticket.topic.as_str();
        let words = format!(
            "the broker does not take messages to {topic}: {why}; they are kept, and tried again"
        );
        self.complain(topic, &words);
    }

    fn complain(&mut self, subject: &'static str, words: &str) {
        self.troubled.insert(subject);
        self.conditions
            .raise(Name::PublishRefused, (subject, words), clock::wall());
    }

    fn settle(&mut self, subject: &'static str) {
        if self.troubled.remove(subject) {
            self.conditions
                .clear(Name::PublishRefused, subject, clock::wall());
        }
    }

    fn receive(&self, publish: Publish) {
        let properties = publish.properties.unwrap_or_default();
        let property = |name: &str| {
            let mut found = properties.user_properties.iter();
            found
                .find(|(key, _)| key == name)
                .map(|(_, value)| value.clone())
        };
        let message = SignedCommand {
            payload: publish.payload.to_vec(),
            sig: property("sig"),
            kid: property("kid"),
            response: properties.response_topic.clone(),
            correlation: properties
                .correlation_data
                .as_ref()
                .map(|data| data.to_vec()),
        };
        // A coordinator that hears nothing asks again; what it must not do is keep the outbox waiting.
        if self.commands.try_send(message).is_err() {
            tracing::debug!("a command was not looked at: too many wait");
        }
    }

    fn reply(&self, link: &mut Connection<Ticket>, answer: Answer) -> Result<(), BrokerError> {
        match answer.pack(&self.topics) {
            Some(packed) => link.publish(Ticket::Reply, packed),
            None => Ok(()),
        }
    }

    fn publish_status(
        &self,
        link: &mut Connection<Ticket>,
        state: State,
    ) -> Result<(), BrokerError> {
        match status::pack(&(self.status)(state), &self.topics) {
            Some(packed) => link.publish(Ticket::Status, packed),
            None => Ok(()),
        }
    }

    async fn tell_dropped(&self) {
        let (identity, store) = (self.identity.clone(), self.store.clone());
        let tell = move || loss::tell_dropped((&identity, &store), clock::wall());
        if let Ok(Err(error)) = tokio::task::spawn_blocking(tell).await {
            tracing::debug!("{error}");
        }
    }

    /// The store says itself, as a condition, that it cannot be used.
    fn unreadable(&self, error: &StoreError, now: Instant) -> Instant {
        tracing::debug!("{}", printable(&error.to_string()));
        now + UNREADABLE
    }
}
