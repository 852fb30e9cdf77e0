//! Stores one batch after the other while the next is made; what is stored is acknowledged, and its commands go out. It
//! decides nothing.

use std::collections::VecDeque;
use std::sync::Arc;

use contract::command::Command;
use contract::envelope::JSON;
use contract::topics::Topics;
use rumqttc::v5::AsyncClient;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{Publish, PublishProperties};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use super::post::{Counts, Outcome, UNWRITTEN};
use super::serve::Health;
use crate::orders::Key;
use crate::store::{Leadership, Lost, Store};

/// What is to be stored, and what follows once it is.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) outcome: Outcome,
    /// The messages it comes from, as they were heard on the connection of `client`.
    pub(super) letters: Vec<Publish>,
    pub(super) client: Option<AsyncClient>,
    /// Which connection that is: another number for each.
    pub(super) connection: u64,
    /// What was counted up to here.
    pub(super) counts: Counts,
    pub(super) open_orders: usize,
}

/// What the task is given.
enum Work {
    Store(Box<Step>),
    /// Everything before has been stored when this is told.
    Tell(oneshot::Sender<()>),
}

/// What it works with.
#[derive(Debug)]
pub(super) struct Desk {
    pub(super) store: Store,
    pub(super) leadership: Arc<Leadership>,
    pub(super) key: Option<Arc<Key>>,
    pub(super) health: watch::Sender<Health>,
    pub(super) max_quarantine: u32,
    pub(super) receipts: Receipts,
}

/// Messages that are stored and not acknowledged yet, by the numbers the broker gave them on this connection. The library
/// takes no acknowledgement while as many commands as it lets out wait for theirs, which come behind everything that the
/// broker has on its way; so nobody ever waits for it to take one.
#[derive(Debug, Default)]
pub(super) struct Receipts {
    connection: u64,
    waiting: VecDeque<u16>,
}

impl Receipts {
    /// Adds what came on a connection; what came on one before is not acknowledged any more, and comes again.
    fn add(&mut self, connection: u64, letters: &[Publish]) {
        if connection != self.connection {
            self.connection = connection;
            self.waiting.clear();
        }
        let kept = letters
            .iter()
            .filter(|publish| publish.qos != QoS::AtMostOnce);
        self.waiting.extend(kept.map(|publish| publish.pkid));
    }

    /// Hands on as many as the connection takes now.
    fn hand_on(&mut self, client: &AsyncClient) {
        while let Some(pkid) = self.waiting.front() {
            let receipt = Publish {
                qos: QoS::AtLeastOnce,
                pkid: *pkid,
                ..Publish::default()
            };
            if client.try_ack(&receipt).is_err() {
                return;
            }
            self.waiting.pop_front();
        }
    }
}

/// A task that stores. It ends with the first that cannot be stored, and nothing after it is.
#[derive(Debug)]
pub(super) struct Writer {
    work: mpsc::Sender<Work>,
    task: JoinHandle<Result<(), Lost>>,
}

impl Writer {
    /// Begins.
    pub(super) fn start(desk: Desk) -> Self {
        // One is being stored, the others wait.
        let (work, mut waiting) = mpsc::channel(UNWRITTEN - 1);
        let mut desk = desk;
        let task = tokio::spawn(async move {
            while let Some(work) = waiting.recv().await {
                match work {
                    Work::Store(step) => desk.store(*step).await?,
                    Work::Tell(told) => drop(told.send(())),
                }
            }
            Ok(())
        });
        Self { work, task }
    }

    /// Waits until there is room for a step, so that the next batch is as large as it can be by then.
    ///
    /// # Errors
    /// Something could not be stored.
    pub(super) async fn has_room(&mut self) -> Result<(), Lost> {
        if self.work.reserve().await.is_ok() {
            return Ok(());
        }
        self.outcome().await
    }

    /// Hands on a step.
    ///
    /// # Errors
    /// One before it could not be stored.
    pub(super) async fn take(&mut self, step: Step) -> Result<(), Lost> {
        match self.work.send(Work::Store(Box::new(step))).await {
            Ok(()) => Ok(()),
            Err(_) => self.outcome().await,
        }
    }

    /// Waits until everything is stored.
    ///
    /// # Errors
    /// Something could not be.
    pub(super) async fn drain(&mut self) -> Result<(), Lost> {
        let (told, done) = oneshot::channel();
        let sent = self.work.send(Work::Tell(told)).await;
        match (sent, done.await) {
            (Ok(()), Ok(())) => Ok(()),
            _ => self.outcome().await,
        }
    }

    /// Why it has ended. Resolves when it has.
    pub(super) async fn outcome(&mut self) -> Result<(), Lost> {
        ended((&mut self.task).await)
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A task that was torn down leaves nobody to lead.
fn ended(joined: Result<Result<(), Lost>, tokio::task::JoinError>) -> Result<(), Lost> {
    joined.unwrap_or(Err(Lost::Overtaken))
}

impl Desk {
    /// Its order matters: first stored, then acknowledged, then acted on.
    async fn store(&mut self, step: Step) -> Result<(), Lost> {
        let Outcome { batch, commands } = step.outcome;
        if !batch.is_empty() {
            let about = (&batch, self.max_quarantine);
            self.store.write(&self.leadership, about).await?;
        }
        self.health.send_modify(|health| {
            health.counts = step.counts;
            health.open_orders = step.open_orders;
        });
        let Some(client) = step.client else {
            return Ok(());
        };
        self.receipts.add(step.connection, &step.letters);
        self.receipts.hand_on(&client);
        if let Some(key) = &self.key {
            for command in commands {
                send((&client, key), &command);
            }
        }
        Ok(())
    }
}

fn send((client, key): (&AsyncClient, &Key), command: &Command) {
    let Ok((payload, properties)) = key.seal(command) else {
        return;
    };
    let topics = Topics::new(&command.site, &command.sensor);
    let [topic, _] = topics.commands();
    let validity = command.expires_at.since(command.issued_at).as_secs();
    let properties = PublishProperties {
        payload_format_indicator: Some(1),
        message_expiry_interval: Some(u32::try_from(validity).unwrap_or(u32::MAX).max(1)),
        content_type: Some(JSON.to_owned()),
        response_topic: Some(topics.reply(&command.id)),
        user_properties: properties,
        ..PublishProperties::default()
    };
    let sent =
        client.try_publish_with_properties(topic, QoS::AtLeastOnce, false, payload, properties);
    // One that does not leave is silent, and is given again.
    if sent.is_err() {
        tracing::warn!(
            "a command to {}/{} could not be sent",
            command.site,
            command.sensor
        );
    }
}
