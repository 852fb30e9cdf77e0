//! The handle by which everybody asks the blocklist: control, report, and the agent's own timers.
//! It carries questions and answers, and settles nothing itself.

use std::net::IpAddr;
use std::sync::mpsc::{SyncSender, TrySendError};
use std::time::Duration;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use super::Notice;
use crate::action::{Actor, Done, Refusal};
use crate::firewall::{Firewall, Tampering};
use contract::action::Action;
use contract::record::{Allowance, Block, Review};
use contract::timestamp::Timestamp;
use detection::engine::Suspicion;
use detection::policy::LocalNetwork;
use detection::verdict::Verdict;
use settings::Config;

/// How long the engine may take to answer.
const ENGINE_PATIENCE: Duration = Duration::from_secs(1);

/// What the blocklist is told or asked. Its thread takes one after the other.
#[derive(Debug)]
pub enum Message {
    /// The engine has concluded something.
    Verdict(Box<Verdict>),
    /// Somebody wants something done.
    Act(Actor, Action, Reply<Result<Done, Refusal>>),
    /// Somebody wants many things of one kind done.
    ActOnAll(Actor, Vec<Action>, Reply<Vec<Result<Done, Refusal>>>),
    /// The networks whose hosts are inside.
    Home(Reply<Vec<IpNet>>),
    /// What is blocked, or would be.
    Blocks(Reply<Vec<Block>>),
    /// What is allowed.
    Allowances(Reply<Vec<Allowance>>),
    /// What waits for a person.
    Reviews(Reply<Vec<Review>>),
    /// What stands about one address.
    TargetState(IpNet, Reply<TargetState>),
    /// Whether blocks are enforced.
    Enforcement(Reply<Enforcement>),
    /// Something for the engine, to be passed on.
    Notice(Notice),
    /// Somebody was refused before it came to an action.
    Audit {
        /// Who.
        by: String,
        /// What was asked.
        action: String,
        /// Of what.
        object: String,
        /// Why it was refused.
        outcome: String,
    },
    /// An address converses although it is blocked.
    Doubt(IpAddr),
    /// Another model scores from now on: its name and SHA-256.
    Model(String, String),
    /// The machine's addresses, routes or logins have changed.
    LocalNetwork(LocalNetwork),
    /// Somebody else has changed the firewall's table.
    Tampered(Tampering),
    /// The configuration has been read again; with the firewall to use from now on, where its mode has changed.
    Reload(Box<Config>, Option<Box<dyn Firewall>>),
    /// The program ends.
    Stop,
}

/// Where an answer goes.
pub type Reply<T> = oneshot::Sender<T>;

/// What stands about one address: everything that speaks of it or of a network around it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TargetState {
    /// Blocks of the address or of a prefix that holds it.
    pub blocks: Vec<Block>,
    /// Allowances that hold it.
    pub allowances: Vec<Allowance>,
    /// Why it could not be blocked, in a sentence.
    pub exempt: Option<String>,
    /// Whether it is inside, and so reviewed instead of blocked.
    pub home: bool,
    /// Reviews of it that wait.
    pub reviews: Vec<Review>,
    /// What the engine holds against it now.
    pub suspicion: Option<Suspicion>,
}

/// Whether blocks are enforced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Enforcement {
    /// Whether `firewall.mode` says so.
    pub configured: bool,
    /// Whether somebody has switched it off.
    pub switch: Switch,
}

/// What `garita enforce` was last told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Switch {
    /// Enforce, as far as the configuration wants it.
    On,
    /// Drop nothing.
    Off,
    /// Drop nothing until then.
    OffUntil(Timestamp),
}

impl Enforcement {
    /// Whether the kernel drops now.
    pub fn is_on(&self) -> bool {
        self.configured && self.switch == Switch::On
    }
}

/// A way to the blocklist.
#[derive(Debug, Clone)]
pub struct BlocklistHandle {
    sender: SyncSender<Message>,
}

/// The blocklist does not answer: it is overrun, or the program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the sensor is too busy to answer, or is stopping; try again")]
pub struct Unavailable;

impl BlocklistHandle {
    /// A handle of the blocklist that receives from `sender`.
    pub fn new(sender: SyncSender<Message>) -> Self {
        Self { sender }
    }

    /// Has something done.
    pub async fn act(
        &self,
        actor: Actor,
        action: Action,
    ) -> Result<Result<Done, Refusal>, Unavailable> {
        self.ask(|reply| Message::Act(actor, action, reply)).await
    }

    /// Has many things done; they are audited as one.
    pub async fn act_on_all(
        &self,
        actor: Actor,
        actions: Vec<Action>,
    ) -> Result<Vec<Result<Done, Refusal>>, Unavailable> {
        self.ask(|reply| Message::ActOnAll(actor, actions, reply))
            .await
    }

    /// The networks whose hosts are inside.
    pub async fn home(&self) -> Result<Vec<IpNet>, Unavailable> {
        self.ask(Message::Home).await
    }

    /// What is blocked, or would be, by target.
    pub async fn blocks(&self) -> Result<Vec<Block>, Unavailable> {
        self.ask(Message::Blocks).await
    }

    /// What is allowed, by network, the configuration's exemptions included.
    pub async fn allowances(&self) -> Result<Vec<Allowance>, Unavailable> {
        self.ask(Message::Allowances).await
    }

    /// What waits for a person, the oldest first.
    pub async fn reviews(&self) -> Result<Vec<Review>, Unavailable> {
        self.ask(Message::Reviews).await
    }

    /// What stands about an address, or about all of a prefix; only the first address of one is suspected.
    pub async fn standing(&self, target: impl Into<IpNet>) -> Result<TargetState, Unavailable> {
        let target = target.into();
        let mut standing = self
            .ask(|reply| Message::TargetState(target, reply))
            .await?;
        let suspicion = self.ask_engine(|reply| Notice::Suspicion(target.addr(), reply));
        standing.suspicion = suspicion.await.flatten();
        Ok(standing)
    }

    /// The last headers kept of an address, as a pcap file.
    pub async fn headers(&self, address: IpAddr) -> Option<Vec<u8>> {
        let headers = self.ask_engine(|reply| Notice::Headers(address, reply));
        headers.await.flatten()
    }

    /// Whether blocks are enforced.
    pub async fn enforcement(&self) -> Result<Enforcement, Unavailable> {
        self.ask(Message::Enforcement).await
    }

    /// Tells the blocklist something that needs no answer.
    pub fn tell(&self, message: Message) -> Result<(), Unavailable> {
        self.sender.try_send(message).map_err(|error| match error {
            TrySendError::Full(_) | TrySendError::Disconnected(_) => Unavailable,
        })
    }

    /// The engine answers between two looks at the traffic; where it does not, nothing is known.
    async fn ask_engine<T>(&self, question: impl FnOnce(Reply<T>) -> Notice) -> Option<T> {
        let (reply, answer) = oneshot::channel();
        self.tell(Message::Notice(question(reply))).ok()?;
        tokio::time::timeout(ENGINE_PATIENCE, answer)
            .await
            .ok()?
            .ok()
    }

    async fn ask<T>(&self, question: impl FnOnce(Reply<T>) -> Message) -> Result<T, Unavailable> {
        let (reply, answer) = oneshot::channel();
        self.tell(question(reply))?;
        answer.await.map_err(|_| Unavailable)
    }
}
