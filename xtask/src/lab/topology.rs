//! Who stands where: hosts outside and inside a gateway, as a value, with documentation addresses.
//! It makes nothing; `stage` does.
//!
//! ```text
//! attackers 203.0.113.0/24 ┐                        ┌ servers 192.0.2.10…
//! clients   198.51.100.0/24┼ isp ── captured ── gate┤
//! sites     198.51.100.200…┘          link          └ desks   192.0.2.100…
//! ```

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Which IP version a scenario speaks; every host has an address of both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    V4,
    V6,
}

/// What a host is for; decides its side of the captured link and its addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Role {
    /// Outside, up to no good.
    Attacker,
    /// Outside, a user of the servers.
    Client,
    /// Outside, a server that desks use.
    Site,
    /// Inside, serves the outside.
    Server,
    /// Inside, uses the outside.
    Desk,
}

/// One host: a role and its number, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Host {
    pub(crate) role: Role,
    pub(crate) number: u8,
}

/// What the gateway does with a packet for an inside address that nobody has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stray {
    /// Drops it, as a firewall does.
    Silent,
    /// Answers that the host is unreachable, as a router does.
    Unreachable,
}

/// How desks appear outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Translation {
    None,
    /// All desks share one IPv4 address.
    Masquerade,
}

/// The hosts of one scenario and what the gateway does.
#[derive(Clone, Debug)]
pub(crate) struct Topology {
    pub(crate) hosts: Vec<Host>,
    pub(crate) stray: Stray,
    pub(crate) translation: Translation,
}

/// The address all desks share behind [`Translation::Masquerade`].
pub(crate) const MASQUERADE: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 2);

/// Everything inside, per family.
pub(crate) const INSIDE: [&str; 2] = ["192.0.2.0/24", "2001:db8:1::/64"];

impl Host {
    /// Host `number` of `role`.
    pub(crate) const fn new(role: Role, number: u8) -> Self {
        Self { role, number }
    }

    /// Its address on the wire.
    pub(crate) fn address(self, family: Family) -> IpAddr {
        let (v4, net6, first) = match self.role {
            Role::Attacker => ([203, 0, 113], 3, 10),
            Role::Client => ([198, 51, 100], 2, 20),
            Role::Site => ([198, 51, 100], 2, 200),
            Role::Server => ([192, 0, 2], 1, 10),
            Role::Desk => ([192, 0, 2], 1, 100),
        };
        let last = first + self.number;
        match family {
            Family::V4 => Ipv4Addr::new(v4[0], v4[1], v4[2], last).into(),
            Family::V6 => Ipv6Addr::new(0x2001, 0xdb8, net6, 0, 0, 0, 0, u16::from(last)).into(),
        }
    }

    /// Whether it stands behind the gateway.
    pub(crate) fn is_inside(self) -> bool {
        matches!(self.role, Role::Server | Role::Desk)
    }
}

impl fmt::Display for Host {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let role = match self.role {
            Role::Attacker => "attacker",
            Role::Client => "client",
            Role::Site => "site",
            Role::Server => "server",
            Role::Desk => "desk",
        };
        write!(out, "{role}{}", self.number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_hosts_share_an_address() {
        let roles = [
            Role::Attacker,
            Role::Client,
            Role::Site,
            Role::Server,
            Role::Desk,
        ];
        for family in [Family::V4, Family::V6] {
            let mut seen = std::collections::BTreeSet::new();
            for role in roles {
                for number in 1..=40 {
                    assert!(seen.insert(Host::new(role, number).address(family)));
                }
            }
        }
    }
}
