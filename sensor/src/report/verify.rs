//! Which command may pass: signed by a key we know, meant for us, in its time, and for the first time.
//! It carries nothing out, and time is an argument.

use std::net::{Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use serde::Deserialize;

use super::received::{NotEntered, ReceivedCommands};
use contract::action::Action;
use contract::address::canonical;
use contract::command::{Command, Order, Rejection, is_id};
use contract::printable::printable;
use contract::signature;
use contract::timestamp::Timestamp;
use contract::topics::{ALL, Topics};
use settings::{Home, PublicKey};

/// The longest payload, bytes: a command takes some hundred, and a reason may be as long as it likes within this.
const MAX_PAYLOAD: usize = 16 * 1_024;
/// This program was written after 1 January 2026: a clock that shows less is not set.
const WRITTEN: Timestamp = Timestamp::from_micros(1_767_225_600_000_000);
/// What is kept of an error of the parser, characters.
const ERROR_CHARACTERS: usize = 200;

/// Addresses that mean another host at each site: RFC 1918, RFC 6598 and RFC 4193.
const PRIVATE: [IpNet; 5] = [
    IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(10, 0, 0, 0), 8)),
    IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(172, 16, 0, 0), 12)),
    IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(192, 168, 0, 0), 16)),
    IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(100, 64, 0, 0), 10)),
    IpNet::V6(Ipv6Net::new_assert(
        Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0),
        7,
    )),
];

/// A message to one of our command topics.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct SignedCommand {
    /// The exact bytes that are signed.
    pub(super) payload: Vec<u8>,
    /// The user property `sig`.
    pub(super) sig: Option<String>,
    /// The user property `kid`.
    pub(super) kid: Option<String>,
    /// The response topic.
    pub(super) response: Option<String>,
    /// The correlation data, for the reply.
    pub(super) correlation: Option<Vec<u8>>,
}

/// A command that may be carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Accepted {
    /// What it says.
    pub(super) command: Command,
    /// Who signed it.
    pub(super) kid: String,
    /// Whom it goes to.
    pub(super) audience: Audience,
}

/// Whom a command goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Audience {
    /// This sensor alone.
    Us,
    /// Others too.
    All,
}

/// A command that is not carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rejected {
    /// Its id, as far as it has one; nobody vouches for it if it is anonymous.
    pub(super) id: Option<String>,
    /// The key that did sign it.
    pub(super) kid: Option<String>,
    /// Why.
    pub(super) why: Rejection,
}

/// Judges commands.
#[derive(Debug)]
pub(super) struct CommandVerifier {
    topics: Topics,
    settings: settings::Report,
    home: Home,
    seen: ReceivedCommands,
}

impl CommandVerifier {
    /// A verifier of the sensor whose topics these are, with what it has `seen` before.
    pub(super) fn new(config: &settings::Config, topics: Topics, seen: ReceivedCommands) -> Self {
        Self {
            topics,
            settings: config.report.clone(),
            home: config.policy.home.clone(),
            seen,
        }
    }

    /// What has been received, for the store.
    pub(super) fn seen(&self) -> Option<String> {
        self.seen.write()
    }

    /// Admits a command, or says why not. One that is accepted is never accepted again.
    pub(super) fn verify_command(
        &mut self,
        message: &SignedCommand,
        now: Timestamp,
    ) -> Result<Accepted, Rejected> {
        let anonymous = |why| Rejected {
            id: claimed_id(&message.payload),
            kid: None,
            why,
        };
        let key = self.signer(message).map_err(anonymous)?;
        let kid = key.kid().to_owned();
        let command = parse(&message.payload);
        let id = command.as_ref().map(|command| command.id.clone());
        let id = id.ok().or_else(|| claimed_id(&message.payload));
        self.judge(command, message, now)
            .map(|(command, audience)| Accepted {
                command,
                kid: kid.clone(),
                audience,
            })
            .map_err(|why| Rejected {
                id,
                kid: Some(kid),
                why,
            })
    }

    fn signer(&self, message: &SignedCommand) -> Result<&PublicKey, Rejection> {
        if message.payload.len() > MAX_PAYLOAD {
            return Err(Rejection::TooLarge(MAX_PAYLOAD));
        }
        let (Some(sig), Some(kid)) = (&message.sig, &message.kid) else {
            return Err(Rejection::Unsigned);
        };
        let key = self
            .settings
            .command_keys
            .iter()
            .find(|key| key.kid() == kid);
        let key = key.ok_or(Rejection::UnknownKey)?;
        match signature::verify(key.key(), &message.payload, sig) {
            true => Ok(key),
            false => Err(Rejection::BadSignature),
        }
    }

    fn judge(
        &mut self,
        command: Result<Command, Rejection>,
        message: &SignedCommand,
        now: Timestamp,
    ) -> Result<(Command, Audience), Rejection> {
        let command = command?;
        let audience = self.audience(&command)?;
        self.in_time(&command, now)?;
        let reply = self.topics.reply(&command.id);
        if message
            .response
            .as_ref()
            .is_some_and(|response| *response != reply)
        {
            return Err(Rejection::ResponseElsewhere(reply));
        }
        self.within_bounds(&command.command, audience)?;
        let limits = (
            self.settings.command_memory.size(),
            self.settings.command_skew.get(),
        );
        let entered = self
            .seen
            .enter((&command.id, command.expires_at), now, limits);
        entered.map_err(|why| match why {
            NotEntered::Repeated => Rejection::Repeated,
            NotEntered::Overrun => Rejection::Overrun,
        })?;
        Ok((command, audience))
    }

    fn audience(&self, command: &Command) -> Result<Audience, Rejection> {
        let (site, sensor) = (command.site.as_str(), command.sensor.as_str());
        let ours = (site == self.topics.site() || site == ALL)
            && (sensor == self.topics.sensor() || sensor == ALL);
        match (ours, site == ALL || sensor == ALL) {
            (false, _) => Err(Rejection::NotForUs(
                printable(&format!("{site}/{sensor}")).into_owned(),
            )),
            (true, true) => Ok(Audience::All),
            (true, false) => Ok(Audience::Us),
        }
    }

    fn in_time(&self, command: &Command, now: Timestamp) -> Result<(), Rejection> {
        let skew = self.settings.command_skew.get();
        let (issued, expires) = (command.issued_at, command.expires_at);
        if now < WRITTEN || self.seen.clock_went_back(now, skew) {
            return Err(Rejection::NoClock);
        }
        if issued > now.after(skew) {
            return Err(Rejection::Future);
        }
        if expires <= now || expires <= issued {
            return Err(Rejection::Expired);
        }
        if expires.since(issued) > self.settings.command_max_age.get() {
            return Err(Rejection::TooLong);
        }
        Ok(())
    }

    fn within_bounds(&self, order: &Order, audience: Audience) -> Result<(), Rejection> {
        match (order, audience) {
            (Order::Act(Action::Block { force: true, .. }), _) => Err(Rejection::Forced),
            (Order::Act(Action::Approve { .. } | Action::Dismiss { .. }), Audience::All) => {
                Err(Rejection::ReviewToAll)
            }
            (Order::Act(Action::Block { target, .. }), Audience::All)
                if self.is_inside(*target) =>
            {
                Err(Rejection::PrivateToAll(target.to_string()))
            }
            _ => Ok(()),
        }
    }

    /// Whether a network has an address that means another host elsewhere, as far as the configuration knows.
    fn is_inside(&self, target: IpNet) -> bool {
        let target = canonical(target);
        let home: &[IpNet] = match &self.home {
            Home::Auto => &[],
            Home::Networks(networks) => networks,
        };
        let mut inside = PRIVATE.iter().chain(home);
        inside.any(|net| net.contains(&target) || target.contains(net))
    }
}

fn parse(payload: &[u8]) -> Result<Command, Rejection> {
    let command: Command = serde_json::from_slice(payload).map_err(|error| {
        let words = error.to_string();
        Rejection::Malformed(printable(&words).chars().take(ERROR_CHARACTERS).collect())
    })?;
    if !is_id(&command.id) {
        let words = "`id` is not 1 to 64 of A-Z, a-z, 0-9, - and _";
        return Err(Rejection::Malformed(words.to_owned()));
    }
    Ok(command)
}

/// The id that a payload nobody vouches for claims to have.
fn claimed_id(payload: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Claim {
        id: String,
    }
    if payload.len() > MAX_PAYLOAD {
        return None;
    }
    let claim: Claim = serde_json::from_slice(payload).ok()?;
    is_id(&claim.id).then_some(claim.id)
}

#[cfg(test)]
mod tests;
