//! A blocklist that keeps lists and touches nothing, so that control can be tried without a sensor behind it.
//! It settles only what the command line must be able to tell: done, not found, exempt.

use std::net::IpAddr;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use contract::action::{Action, Lifetime};
use contract::class::Class;
use contract::record::{Allowance, Block, BlockState, Review, ReviewState, Scope};
use contract::timestamp::Timestamp;
use detection::engine::Suspicion;
use detection::policy::Exemption;
use ipnet::IpNet;
use sensor::action::{Actor, Done, Refusal};
use sensor::blocklist::{BlocklistHandle, Enforcement, Message, Notice, Switch, TargetState};

/// What the configuration would exempt.
pub const EXEMPT: &str = "198.51.100.0/24";

/// An address with some evidence against it.
pub const SUSPECT: &str = "203.0.113.99";

/// What it holds.
pub struct Lists {
    pub blocks: Vec<Block>,
    pub allowances: Vec<Allowance>,
    pub reviews: Vec<Review>,
    pub switch: Switch,
}

pub fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let micros = since.expect("it is after 1970").as_micros();
    Timestamp::from_micros(i64::try_from(micros).expect("it is before the year 200000"))
}

/// The network inside.
pub const HOME: &str = "192.168.1.0/24";

/// Starts it; it ends with the last handle.
pub fn open(lists: Lists) -> BlocklistHandle {
    let (sender, receiver) = sync_channel(16);
    thread::spawn(move || lists.serve(&receiver));
    BlocklistHandle::new(sender)
}

impl Lists {
    fn serve(mut self, receiver: &Receiver<Message>) {
        while let Ok(message) = receiver.recv() {
            match message {
                Message::Act(actor, action, reply) => {
                    let _ = reply.send(self.act(&actor, action));
                }
                Message::ActOnAll(actor, actions, reply) => {
                    let each = actions.into_iter();
                    let _ = reply.send(each.map(|action| self.act(&actor, action)).collect());
                }
                Message::Home(reply) => {
                    let _ = reply.send(vec![HOME.parse().expect("a network")]);
                }
                Message::Blocks(reply) => {
                    let _ = reply.send(self.blocks.clone());
                }
                Message::Allowances(reply) => {
                    let _ = reply.send(self.allowances.clone());
                }
                Message::Reviews(reply) => {
                    let _ = reply.send(self.reviews.clone());
                }
                Message::TargetState(target, reply) => {
                    let _ = reply.send(self.standing(target.addr()));
                }
                Message::Notice(Notice::Suspicion(address, reply)) => {
                    let suspected = address.to_string() == SUSPECT;
                    let _ = reply.send(suspected.then_some(Suspicion {
                        log_odds: 4.2,
                        block_at: 9.0,
                        class: Class::Scan,
                        snapshots: 3,
                    }));
                }
                Message::Enforcement(reply) => {
                    let configured = true;
                    let switch = self.switch;
                    let _ = reply.send(Enforcement { configured, switch });
                }
                _ => {}
            }
        }
    }

    fn act(&mut self, actor: &Actor, action: Action) -> Result<Done, Refusal> {
        let by = &actor.name;
        let message = match action {
            Action::Block {
                target,
                ttl,
                reason,
                confirm,
                force,
            } => {
                if !force && exempt().contains(&target) {
                    let exemption = Exemption::Listed(exempt());
                    return Err(Refusal::Exempt { target, exemption });
                }
                self.blocks.retain(|block| block.target != target);
                self.blocks.push(Block {
                    forced: force,
                    scope: Scope::All,
                    service: None,
                    quiet: false,
                    target,
                    state: BlockState::Enforced,
                    origin: actor.origin,
                    by: by.clone(),
                    reason,
                    class: None,
                    incident: None,
                    offence: 0,
                    begun: now(),
                    expires: expires(ttl),
                    confirm_by: confirm.map(|span| now().after(span)),
                });
                format!("{target} is blocked.")
            }
            Action::Release { target, .. } => {
                let before = self.blocks.len();
                self.blocks.retain(|block| block.target != target);
                if self.blocks.len() == before {
                    return Err(Refusal::NotFound(format!("{target} is not blocked")));
                }
                format!("{target} is no longer blocked.")
            }
            Action::Confirm { target } => {
                let mut blocks = self.blocks.iter_mut();
                let found = blocks.find(|block| block.target == target);
                let block = found.ok_or_else(|| Refusal::NotFound(format!("{target} is free")))?;
                block.confirm_by = None;
                format!("{target} stays blocked.")
            }
            Action::Allow { net, ttl, reason } => {
                self.allowances.push(Allowance {
                    net,
                    by: by.clone(),
                    reason,
                    since: now(),
                    expires: match ttl {
                        Lifetime::For(span) => Some(now().after(span)),
                        _ => None,
                    },
                });
                format!("{net} is allowed.")
            }
            Action::Disallow { net } => {
                self.allowances.retain(|allowance| allowance.net != net);
                format!("{net} is no longer allowed.")
            }
            Action::Approve { review, .. } | Action::Dismiss { review, .. } => {
                let before = self.reviews.len();
                self.reviews.retain(|waiting| waiting.id != review);
                if self.reviews.len() == before {
                    return Err(Refusal::NotFound(format!("no review {review} waits")));
                }
                format!("Review {review} is answered.")
            }
            Action::Enforce { on: true, .. } => {
                self.switch = Switch::On;
                "Blocks are enforced.".to_owned()
            }
            Action::Enforce { on: false, span } => {
                let until = span.map(|span| Switch::OffUntil(now().after(span)));
                self.switch = until.unwrap_or(Switch::Off);
                "Nothing is dropped.".to_owned()
            }
        };
        Ok(Done { message })
    }

    fn standing(&self, address: IpAddr) -> TargetState {
        let holds = |net: IpNet| net.contains(&address);
        let blocks = self.blocks.iter().filter(|block| holds(block.target));
        let allowances = self.allowances.iter().filter(|one| holds(one.net));
        let reviews = self.reviews.iter().filter(|one| one.address == address);
        TargetState {
            blocks: blocks.cloned().collect(),
            allowances: allowances.cloned().collect(),
            exempt: exempt()
                .contains(&address)
                .then(|| Exemption::Listed(exempt()).to_string()),
            home: address.to_string().starts_with("192.0.2."),
            reviews: reviews.cloned().collect(),
            suspicion: None,
        }
    }
}

/// A review that waits.
pub fn review(id: &str, address: &str) -> Review {
    Review {
        id: id.to_owned(),
        address: address.parse().expect("it is an address"),
        class: Class::Tunnel,
        cause: "attacks of this class are not blocked automatically".to_owned(),
        message: "speaks DNS \u{1b}[31mall day".to_owned(),
        asked: now(),
        lapses: now().after(Duration::from_secs(86_400)),
        state: ReviewState::Open,
        answered: None,
    }
}

fn exempt() -> IpNet {
    EXEMPT.parse().expect("it is a prefix")
}

fn expires(ttl: Lifetime) -> Option<Timestamp> {
    match ttl {
        Lifetime::Default => Some(now().after(Duration::from_secs(600))),
        Lifetime::For(span) => Some(now().after(span)),
        Lifetime::Permanent => None,
    }
}
