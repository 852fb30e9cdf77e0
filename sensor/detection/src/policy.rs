//! What is to be done about an address: watch it, have a person review it, block it, or raise an alert.
//! Nobody can have somebody else blocked, so it never does IO and never reads a clock, and asks its guard first.

mod guard;
mod history;
mod shares;
mod types;

use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use ipnet::{IpNet, Ipv6Net};
use sha2::{Digest, Sha256};

use contract::class::Class;
use contract::record::{Origin, Scope, Service};

pub use guard::{Exemption, Guard, LocalNetwork, Role};
use history::{Budget, History};
use shares::Shares;
pub use types::{Block, Cause, Decision, Outcome};

/// Blocks differ from their nominal duration by up to this many thousandths, so that a group blocked together does
/// not come back together.
const JITTER: u64 = 100;

/// Addresses remembered that prove nothing, in minutes of as many blocks as can begin.
const REMEMBERED: usize = 4;

/// An address that evidence speaks against.
#[derive(Debug, Clone, PartialEq)]
pub struct Suspect {
    /// The address to act on; for a `ddos` the victim's.
    pub address: IpAddr,
    /// What it does.
    pub class: Class,
    /// Whether the evidence has passed its threshold.
    pub convincing: bool,
    /// Whether the packets are really its own.
    pub proof: Proof,
    /// Whether all of its /64 takes part, and is to be acted on.
    pub subnet: bool,
    /// Whether others converse from the same address meanwhile.
    pub shared: bool,
    /// Whether it was seen inside a tunnel, where anybody at the tunnel's end can write any address.
    pub tunnelled: bool,
    /// Whom the deciding flow asked.
    pub victim: IpAddr,
    /// How the deciding flow arrived, see [`ebpf::packet::Packet::arrival`].
    pub arrival: u32,
    /// What it is to be kept from, where it cannot be kept from everything.
    pub service: Service,
}

/// Whether an address has acknowledged a sequence number that only its true owner could have seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// The traffic in evidence did.
    Proven,
    /// This traffic did not, but the address had such traffic in the last half hour, and this arrives as that did. Who
    /// knows how can write it: an innocent visitor's conversations must go on.
    Own,
    /// This traffic did not, but the address had such traffic in the last half hour, which arrived otherwise: somebody may
    /// be writing the name of an innocent visitor on the packets.
    ProvenBefore,
    /// It never did.
    Unproven,
}

/// What an address has done before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offence {
    /// How often.
    pub count: u32,
    /// When the last block for it ends or ended, monotonic microseconds.
    pub served: u64,
}

/// Decides, and remembers what it decided.
#[derive(Debug)]
pub struct Policy {
    settings: settings::Policy,
    guard: Guard,
    history: History,
    /// The same of blocks that count as no offence: whoever names many addresses pushes out no offender.
    short: History,
    proven: Budget,
    unproven: Shares,
}

impl Policy {
    /// Policy by `settings`, for the network that `guard` knows.
    pub fn new(settings: &settings::Policy, guard: Guard) -> Self {
        Self {
            settings: settings.clone(),
            guard,
            history: History::new(
                settings.max_offenders.size(),
                settings.offence_memory.micros(),
            ),
            short: History::new(
                REMEMBERED * settings.max_unproven_blocks_per_minute.size(),
                0,
            ),
            proven: Budget::new(settings.max_blocks_per_minute.size()),
            unproven: Shares::new(settings.max_unproven_blocks_per_minute.size()),
        }
    }

    /// The guard, for whoever enforces a block.
    pub const fn guard(&self) -> &Guard {
        &self.guard
    }

    /// Takes other settings and another guard from now on; what is remembered stays.
    pub fn revise(&mut self, settings: &settings::Policy, guard: Guard) {
        self.settings = settings.clone();
        self.guard = guard;
        self.history.resize(
            settings.max_offenders.size(),
            settings.offence_memory.micros(),
        );
        let unproven = settings.max_unproven_blocks_per_minute.size();
        self.short.resize(REMEMBERED * unproven, 0);
        self.proven.resize(settings.max_blocks_per_minute.size());
        self.unproven.resize(unproven);
    }

    /// Remembers an offence from before the program began. Blocks that are still in force are restored by the blocklist.
    pub fn recall(&mut self, address: IpAddr, offence: &Offence) {
        self.history.recall(address, offence);
    }

    /// Somebody has ended the block of `target`: who comes back is judged anew, its offences not forgotten.
    pub fn release(&mut self, target: IpNet, now: u64) {
        self.history.release(target, now);
        self.short.release(target, now);
    }

    /// Offences of `address` that still count.
    pub fn offences(&self, address: IpAddr, now: u64) -> u32 {
        self.history.offences(address, now)
    }

    /// Blocks in force at once.
    pub fn max_blocks(&self) -> usize {
        self.settings.max_blocks.size()
    }

    /// The offenders remembered in a prefix.
    pub fn offenders(&self, net: IpNet) -> impl Iterator<Item = IpAddr> {
        self.history.offenders(net).chain(self.short.offenders(net))
    }

    /// What to do about a suspect at `now`, monotonic microseconds. A block that is still in force is repeated
    /// unchanged, or renewed where it is a short one; neither is charged to the budget.
    pub fn decide(&mut self, suspect: &Suspect, now: u64) -> Decision {
        if !suspect.convincing || !suspect.class.is_attack() {
            return Decision::Watch;
        }
        match suspect.class {
            Class::Ddos | Class::C2 | Class::Tunnel => return Decision::Alert,
            Class::Exploit => return Decision::Review(Cause::Class),
            _ => {}
        }
        let address = suspect.address.to_canonical();
        // What a host says to itself is nobody's business.
        if address.is_loopback() {
            return Decision::Watch;
        }
        if let Some(exemption) = self.guard.exemption(IpNet::from(address)) {
            return Decision::Review(Cause::Exempt(exemption));
        }
        if self.guard.is_home(address) {
            return Decision::Review(Cause::Home);
        }
        if suspect.tunnelled {
            return Decision::Review(Cause::Tunnelled);
        }
        match (suspect.proof, suspect.shared) {
            (Proof::Proven, false) => {
                self.block_proven((address, suspect.subnet), suspect.class, now)
            }
            (Proof::ProvenBefore, false) => Decision::Review(Cause::PerhapsSpoofed),
            (Proof::Unproven, false) => self.block_unproven(address, suspect, now),
            // Others converse from the same address, or its owner does: what they use goes on.
            (Proof::Own, false) | (_, true) => self.block_service(address, suspect, now),
        }
    }

    /// Keeps an address from one use of others. What is proven counts for as long as a first offence.
    fn block_service(&mut self, address: IpAddr, suspect: &Suspect, now: u64) -> Decision {
        let proven = suspect.proof == Proof::Proven;
        // Its owner uses the very service.
        let one = suspect.service.address.is_some() && suspect.service.port.is_some();
        if !proven && one && !suspect.service.spared.is_empty() {
            return Decision::Review(Cause::PerhapsSpoofed);
        }
        let taken = match proven {
            true => self.proven.take(now),
            false => self.take_unproven(address, suspect, now),
        };
        if !taken {
            return Decision::Review(Cause::Budget);
        }
        let (ttl, offence) = match proven {
            true => (self.ttl(address, 1), 1),
            false => (self.shortest(), 0),
        };
        Decision::Block(Block {
            target: IpNet::from(address),
            reason: suspect.class.to_string(),
            expires: now.saturating_add(micros(ttl)),
            ttl,
            offence,
            origin: Origin::Detection,
            scope: match proven {
                true => Scope::All,
                false => Scope::Opening,
            },
            service: Some(suspect.service.clone()),
        })
    }

    fn take_unproven(&mut self, address: IpAddr, suspect: &Suspect, now: u64) -> bool {
        let again = self.short.is_known(address);
        self.unproven
            .take(now, (suspect.victim, suspect.arrival), again)
    }

    /// How long an address is kept out that proves nothing.
    fn shortest(&self) -> Duration {
        let shortest = self.settings.unproven_ttl.get();
        let longest = self.settings.max_block_ttl.get();
        shortest.min(self.settings.block_ttl.get()).min(longest)
    }

    fn block_proven(
        &mut self,
        (address, subnet): (IpAddr, bool),
        class: Class,
        now: u64,
    ) -> Decision {
        if let Some(block) = self.history.in_force(address, now) {
            return Decision::Block(block.clone());
        }
        if !self.proven.take(now) {
            return Decision::Review(Cause::Budget);
        }
        let offence = self.history.offences(address, now).saturating_add(1);
        let ttl = self.ttl(address, offence);
        self.block((address, subnet), class, (now, ttl, offence))
    }

    fn block_unproven(&mut self, address: IpAddr, suspect: &Suspect, now: u64) -> Decision {
        if let Some(block) = self.history.in_force(address, now) {
            return Decision::Block(block.clone());
        }
        let renewed = self.short.in_force(address, now).is_some();
        if !renewed && !self.take_unproven(address, suspect, now) {
            return Decision::Review(Cause::Budget);
        }
        let ttl = self.shortest();
        self.block((address, suspect.subnet), suspect.class, (now, ttl, 0))
    }

    fn block(
        &mut self,
        (address, whole): (IpAddr, bool),
        class: Class,
        (now, ttl, offence): (u64, Duration, u32),
    ) -> Decision {
        let target = match address {
            IpAddr::V6(address) if whole => self.free_subnet(address),
            IpAddr::V6(address) if offence > 0 => self.subnet(address, now),
            _ => None,
        };
        let block = Block {
            target: target.unwrap_or_else(|| IpNet::from(address)),
            reason: class.to_string(),
            expires: now.saturating_add(micros(ttl)),
            ttl,
            offence,
            origin: Origin::Detection,
            // What proves nothing may be written in somebody's name, whose conversations must go on.
            scope: match offence {
                0 => Scope::Opening,
                _ => Scope::All,
            },
            service: None,
        };
        match offence {
            0 => self.short.record(address, now, &block),
            _ => self.history.record(address, now, &block),
        }
        Decision::Block(block)
    }

    /// The /64 around an address, if so many offenders of it are blocked that all of it had better be: whoever has one of
    /// its addresses has them all (RFC 6177).
    fn subnet(&self, address: Ipv6Addr, now: u64) -> Option<IpNet> {
        let net = Ipv6Net::new(address, 64).ok()?.trunc();
        let others = self.history.offenders_in(net, now);
        let crowded = others + 1 >= self.settings.subnet_offenders.size();
        self.free_subnet(address).filter(|_| crowded)
    }

    /// The /64 around an address, unless somebody in it cannot be blocked.
    fn free_subnet(&self, address: Ipv6Addr) -> Option<IpNet> {
        let net = Ipv6Net::new(address, 64).ok()?.trunc();
        let target = IpNet::V6(net);
        let free = self.guard.exemption(target).is_none() && !self.guard.is_home(net.addr().into());
        free.then_some(target)
    }

    /// How long the offence is answered: longer each time up to the cap, in whole seconds, spread by the jitter.
    fn ttl(&self, address: IpAddr, offence: u32) -> Duration {
        let cap = micros(self.settings.max_block_ttl.get());
        let factor = u64::from(self.settings.block_factor.get());
        let mut nominal = micros(self.settings.block_ttl.get()).min(cap);
        for _ in 1..offence {
            let longer = nominal.saturating_mul(factor).min(cap);
            if longer == nominal {
                break;
            }
            nominal = longer;
        }
        let spread = nominal / 1000 * (1000 - JITTER + hash(address, offence) % (2 * JITTER + 1));
        Duration::from_secs((spread.min(cap) / 1_000_000).max(1))
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// The same for the same address and offence on every machine, so that a replay repeats itself.
fn hash(address: IpAddr, offence: u32) -> u64 {
    let digest = Sha256::new()
        .chain_update(address.to_string())
        .chain_update(offence.to_be_bytes())
        .finalize();
    let (first, _) = digest.split_at(8);
    first
        .iter()
        .fold(0, |number, byte| number << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests;
