//! Watches what others do to the table: a blocking reader for a thread of its own.
//! It repairs nothing, and says nothing about other tables or about what this program does.

use std::collections::VecDeque;
use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;

use ipnet::IpNet;
use nftnl::nftnl_sys::libc;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::eventfd::EventFd;

use super::attribute::Message;
use super::element::{Key, prefixes};
use super::link::Link;
use super::listing::{OF_TABLE, elements};
use super::ruleset::{Set, TABLE};
use super::{FirewallError, Tampering};
use contract::printable::printable;

/// Unread messages that are held for us, in bytes: some ten thousand changes by others at once.
const HOLD: usize = 4 << 20;
/// Different things that one transaction is reported to have changed; the rest is "and more".
const WORDS: usize = 6;
/// Keys that one transaction may delete to release somebody, told one by one. Whoever deletes more has flushed the set.
const DELETED: usize = 1_024;

// Messages and attributes of linux/netfilter/nf_tables.h, which libc lacks.
const NEW_OBJECT: i32 = 18;
const DELETED_OBJECT: i32 = 20;
const GENERATION_PROCESS: u16 = 2;
const GENERATION_PROGRAM: u16 = 3;

/// Watches the table; see [`Nftables::monitor`](super::Nftables::monitor).
#[derive(Debug)]
pub struct Monitor {
    link: Link,
    stop: Arc<EventFd>,
    /// The port of the firewall whose changes are not told.
    own: u32,
    transaction: Transaction,
    ready: VecDeque<Tampering>,
}

/// Ends a monitor from another thread.
#[derive(Debug, Clone)]
pub struct Stopper(Arc<EventFd>);

impl Stopper {
    /// Makes [`Monitor::wait`] say that it is over, now or when it is called again.
    pub fn stop(&self) {
        // An eventfd refuses only when it has been told so 2⁶⁴ times.
        let _ = self.0.write(1);
    }
}

impl Monitor {
    pub(super) fn open(own: u32) -> Result<Self, FirewallError> {
        let act = "watch the table garita";
        let group = 1 << (libc::NFNLGRP_NFTABLES - 1);
        let link = Link::open(group).map_err(FirewallError::to(act))?;
        link.hold(HOLD).map_err(FirewallError::to(act))?;
        let stop = EventFd::new().map_err(|error| FirewallError::to(act)(error.into()))?;
        Ok(Self {
            link,
            stop: Arc::new(stop),
            own,
            transaction: Transaction::default(),
            ready: VecDeque::new(),
        })
    }

    /// What ends this monitor.
    pub fn stopper(&self) -> Stopper {
        Stopper(Arc::clone(&self.stop))
    }

    /// Waits for the next tampering; nothing once it has been stopped.
    pub fn wait(&mut self) -> Result<Option<Tampering>, FirewallError> {
        loop {
            if let Some(tampering) = self.ready.pop_front() {
                return Ok(Some(tampering));
            }
            match self.poll() {
                Ok(Event::Stopped) => return Ok(None),
                Ok(Event::Messages) => self.read(),
                Err(Errno::EINTR) => Ok(()),
                Err(error) => Err(error.into()),
            }
            .map_err(FirewallError::to("watch the table garita"))?;
        }
    }

    fn poll(&self) -> Result<Event, Errno> {
        let mut waited = [
            PollFd::new(self.stop.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.link.as_fd(), PollFlags::POLLIN),
        ];
        poll(&mut waited, PollTimeout::NONE)?;
        let stopped = waited[0].any().unwrap_or(true);
        Ok(if stopped {
            Event::Stopped
        } else {
            Event::Messages
        })
    }

    fn read(&mut self) -> io::Result<()> {
        let (own, transaction, ready) = (self.own, &mut self.transaction, &mut self.ready);
        let read = self.link.drain(|bytes| {
            let Some(message) = Message::read(bytes).filter(|message| message.port != own) else {
                return;
            };
            if message.kind == libc::NFT_MSG_NEWGEN {
                ready.extend(std::mem::take(transaction).end(&message));
            } else {
                transaction.note(&message);
            }
        });
        match read {
            Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => {
                // The kernel drops everything until what it holds has been read, and that means nothing without what
                // is lost. Only then is it worth looking again: whatever comes later is told.
                self.link.discard()?;
                *transaction = Transaction::default();
                let lost = "more was changed at once than could be followed: look again";
                ready.push_back(Tampering::Tampered(lost.to_owned()));
                Ok(())
            }
            other => other,
        }
    }
}

enum Event {
    Stopped,
    Messages,
}

/// What one transaction of somebody else has changed so far.
#[derive(Debug, Default)]
struct Transaction {
    tampered: Vec<String>,
    deleted: Vec<(Set, Key)>,
    table: Fate,
}

/// Whether the table has outlived the transaction.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Fate {
    #[default]
    Stands,
    Deleted,
}

impl Transaction {
    fn note(&mut self, message: &Message<'_>) {
        let is_ours = message.attributes.text(OF_TABLE) == Some(TABLE);
        if i32::from(message.family) != libc::NFPROTO_INET || !is_ours {
            return;
        }
        let name = |kind| printable(message.attributes.text(kind).unwrap_or("?")).into_owned();
        let said = match message.kind {
            libc::NFT_MSG_NEWTABLE => "the table was changed".to_owned(),
            libc::NFT_MSG_DELTABLE => return self.table = Fate::Deleted,
            libc::NFT_MSG_NEWCHAIN => format!("the chain {} was added or changed", name(3)),
            libc::NFT_MSG_DELCHAIN => format!("the chain {} was deleted", name(3)),
            libc::NFT_MSG_NEWRULE => format!("a rule was added to the chain {}", name(2)),
            libc::NFT_MSG_DELRULE => format!("a rule was deleted from the chain {}", name(2)),
            libc::NFT_MSG_NEWSET => format!("the set {} was added or changed", name(2)),
            libc::NFT_MSG_DELSET => format!("the set {} was deleted", name(2)),
            NEW_OBJECT | DELETED_OBJECT => format!("the counter {} was changed", name(2)),
            libc::NFT_MSG_NEWSETELEM => format!("the set {} was added to", name(2)),
            libc::NFT_MSG_DELSETELEM => match elements(message.attributes) {
                (Some(set @ (Set::Blocked(_) | Set::BlockedNet(_))), keys)
                    if self.deleted.len() <= DELETED =>
                {
                    return self.deleted.extend(keys.into_iter().map(|key| (set, key)));
                }
                _ => format!("the set {} was deleted from", name(2)),
            },
            _ => return,
        };
        if self.tampered.len() <= WORDS && !self.tampered.contains(&said) {
            self.tampered.push(said);
        }
    }

    /// What the transaction comes to; `generation` ends it and says who made it.
    fn end(mut self, generation: &Message<'_>) -> Vec<Tampering> {
        if self.table == Fate::Deleted {
            self.deleted.clear();
            self.tampered = vec!["the table was deleted".to_owned()];
        }
        if self.deleted.len() > DELETED {
            self.deleted.clear();
        }
        let mut found = Vec::new();
        let hosts = self
            .deleted
            .iter()
            .filter(|(set, _)| matches!(set, Set::Blocked(_)));
        found.extend(hosts.map(|(_, key)| Tampering::Deleted(IpNet::from(key.address))));
        for nets in Set::blocked().filter(|set| matches!(set, Set::BlockedNet(_))) {
            let edges = self.deleted.iter().filter(|(set, _)| *set == nets);
            let elements = prefixes(edges.map(|(_, key)| *key).collect());
            found.extend(
                elements
                    .into_iter()
                    .map(|element| Tampering::Deleted(element.target)),
            );
        }
        if !self.tampered.is_empty() {
            if self.tampered.len() > WORDS {
                self.tampered.truncate(WORDS);
                self.tampered.push("and more".to_owned());
            }
            let what = self.tampered.join(", ");
            found.push(Tampering::Tampered(format!("{what}{}", by(generation))));
        }
        found
    }
}

fn by(generation: &Message<'_>) -> String {
    let program = generation.attributes.text(GENERATION_PROGRAM);
    let process = generation.attributes.u32(GENERATION_PROCESS);
    match program.zip(process) {
        Some((program, process)) => format!(" by {} (process {process})", printable(program)),
        None => String::new(),
    }
}
