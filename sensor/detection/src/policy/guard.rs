//! Who must never be blocked, whoever orders it; policy asks before it decides, and the firewall asks again.
//! It must not know why somebody wants a block.

use std::collections::HashMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use contract::address::{canonical, is_host};

/// The widest IPv4 prefix that can be blocked: wider ones hold more bystanders than attackers.
const MIN_V4_PREFIX: u8 = 16;

/// The widest IPv6 prefix that can be blocked, what a provider gets from its registry (RFC 6177).
const MIN_V6_PREFIX: u8 = 32;

/// Prefixes that name no single sender (RFC 6890), so that a block would hit the network's own working.
const NEVER: [(IpNet, &str); 9] = [
    (v4(Ipv4Addr::UNSPECIFIED, 8), "unspecified"),
    (v4(Ipv4Addr::new(127, 0, 0, 0), 8), "loopback"),
    (v4(Ipv4Addr::new(169, 254, 0, 0), 16), "link-local"),
    (v4(Ipv4Addr::new(224, 0, 0, 0), 4), "multicast"),
    (v4(Ipv4Addr::BROADCAST, 32), "broadcast"),
    (v6(Ipv6Addr::UNSPECIFIED, 128), "unspecified"),
    (v6(Ipv6Addr::LOCALHOST, 128), "loopback"),
    (
        v6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), 10),
        "link-local",
    ),
    (
        v6(Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0), 8),
        "multicast",
    ),
];

/// What the sensor knows of the machine and the network around it; a replay knows nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LocalNetwork {
    /// The networks that `policy.home = "auto"` stands for.
    pub home: Vec<IpNet>,
    /// Addresses that the network cannot do without.
    pub protected: Vec<(IpAddr, Role)>,
}

/// Why the network cannot do without an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// It is the sensor's own.
    Own,
    /// Traffic leaves through it.
    Gateway,
    /// It tells names.
    Resolver,
    /// It tells the time.
    TimeServer,
    /// Incidents are reported to it.
    Broker,
    /// An administrator is, or was a moment ago, logged in from it.
    Session,
    /// It stands for every host of a connected network.
    Broadcast,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Own => "it is one of our own addresses",
            Self::Gateway => "it is a gateway of ours",
            Self::Resolver => "it is a name server of ours",
            Self::TimeServer => "it is a time server of ours",
            Self::Broker => "it is the broker that incidents are reported to",
            Self::Session => "somebody is logged in from it",
            Self::Broadcast => "it is the broadcast address of a network of ours",
        })
    }
}

/// Why an address or prefix cannot be blocked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exemption {
    /// It belongs to a range that names no single sender.
    Never(&'static str),
    /// It is a prefix that holds too many addresses.
    TooWide,
    /// The network cannot do without it.
    Protected(Role),
    /// It is listed in `policy.exempt`.
    Listed(IpNet),
    /// Somebody has allowed it.
    Allowed(IpNet),
}

impl fmt::Display for Exemption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Never(kind) => write!(f, "{kind} addresses are never blocked"),
            Self::TooWide => write!(
                f,
                "a prefix wider than /{MIN_V4_PREFIX} (IPv4) or /{MIN_V6_PREFIX} (IPv6) is never blocked"
            ),
            Self::Protected(role) => role.fmt(f),
            Self::Listed(net) => write!(f, "{net} is exempt by policy.exempt"),
            Self::Allowed(net) => write!(f, "{net} is on the allow list"),
        }
    }
}

/// The networks and addresses that are safe from blocks.
#[derive(Debug, Clone)]
pub struct Guard {
    exempt: Vec<IpNet>,
    home: Vec<IpNet>,
    protected: HashMap<IpAddr, Role>,
    allowed: Vec<IpNet>,
}

impl Guard {
    /// What the configuration exempts, and what the local network protects.
    pub fn new(settings: &settings::Policy, local_network: LocalNetwork) -> Self {
        let home = match &settings.home {
            settings::Home::Auto => local_network.home,
            settings::Home::Networks(networks) => networks.to_vec(),
        };
        let protected = local_network.protected.into_iter();
        Self {
            exempt: settings.exempt.iter().copied().map(canonical).collect(),
            home: home.into_iter().map(canonical).collect(),
            protected: protected
                .map(|(address, role)| (address.to_canonical(), role))
                .collect(),
            allowed: Vec::new(),
        }
    }

    /// The same guard, with these networks on the allow list instead of those before.
    pub fn allowing(mut self, networks: impl IntoIterator<Item = IpNet>) -> Self {
        self.allowed = networks.into_iter().map(canonical).collect();
        self
    }

    /// Every network that is safe from blocks, for the kernel's own rules. They may overlap.
    pub fn networks(&self) -> Vec<IpNet> {
        let never = NEVER.iter().map(|(net, _)| *net);
        let protected = self.protected.keys().copied().map(IpNet::from);
        let listed = self.exempt.iter().chain(&self.allowed).copied();
        never.chain(protected).chain(listed).collect()
    }

    /// Why `target` must not be blocked. A prefix is as safe as the safest address in it.
    pub fn exemption(&self, target: IpNet) -> Option<Exemption> {
        let target = canonical(target);
        if let Some((_, kind)) = NEVER.iter().find(|(range, _)| overlap(range, &target)) {
            return Some(Exemption::Never(kind));
        }
        let narrowest = match target {
            IpNet::V4(_) => MIN_V4_PREFIX,
            IpNet::V6(_) => MIN_V6_PREFIX,
        };
        if target.prefix_len() < narrowest {
            return Some(Exemption::TooWide);
        }
        if let Some(role) = self.role(&target) {
            return Some(Exemption::Protected(role));
        }
        let meets = |net: &&IpNet| overlap(net, &target);
        let listed = self.exempt.iter().find(meets);
        let allowed = || self.allowed.iter().find(meets).copied();
        listed
            .copied()
            .map(Exemption::Listed)
            .or_else(|| allowed().map(Exemption::Allowed))
    }

    /// An address in `target` without which nobody could take a block back: not even a person may block it.
    pub fn indispensable(&self, target: IpNet) -> Option<(IpAddr, Role)> {
        let target = canonical(target);
        let mut all = self.protected.iter();
        let found = all.find(|(address, role)| {
            matches!(role, Role::Own | Role::Session) && target.contains(*address)
        });
        found.map(|(address, role)| (*address, *role))
    }

    /// The networks whose hosts are inside.
    pub fn home(&self) -> &[IpNet] {
        &self.home
    }

    /// Whether an address is inside.
    pub fn is_home(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.home.iter().any(|net| net.contains(&address))
    }

    fn role(&self, target: &IpNet) -> Option<Role> {
        if is_host(target) {
            return self.protected.get(&target.addr()).copied();
        }
        let mut inside = self
            .protected
            .iter()
            .filter(|(address, _)| target.contains(*address));
        inside.next().map(|(_, role)| *role)
    }
}

/// Whether two prefixes share an address: one of them then holds the other.
fn overlap(one: &IpNet, other: &IpNet) -> bool {
    one.contains(other) || other.contains(one)
}

const fn v4(address: Ipv4Addr, prefix_len: u8) -> IpNet {
    IpNet::V4(Ipv4Net::new_assert(address, prefix_len))
}

const fn v6(address: Ipv6Addr, prefix_len: u8) -> IpNet {
    IpNet::V6(Ipv6Net::new_assert(address, prefix_len))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard() -> Guard {
        let text = "[policy]\nexempt = [\"198.51.100.0/24\"]\nhome = [\"192.0.2.0/24\"]\n";
        let config = settings::Config::layered(text, "test", HashMap::new()).unwrap();
        let local_network = LocalNetwork {
            home: vec!["10.0.0.0/8".parse().unwrap()],
            protected: vec![
                ("203.0.113.1".parse().unwrap(), Role::Gateway),
                ("2001:db8::1".parse().unwrap(), Role::Own),
            ],
        };
        Guard::new(&config.policy, local_network)
    }

    fn exemption(target: &str) -> Option<Exemption> {
        let target = target
            .parse()
            .or_else(|_| target.parse::<IpAddr>().map(IpNet::from));
        guard().exemption(target.unwrap())
    }

    #[test]
    fn no_address_without_a_single_sender_can_be_blocked() {
        for target in [
            "0.0.0.0",
            "127.0.0.53",
            "169.254.1.1",
            "224.0.0.251",
            "239.255.255.250",
            "255.255.255.255",
            "::",
            "::1",
            "fe80::1",
            "ff02::fb",
            "::ffff:127.0.0.1",
        ] {
            assert!(
                matches!(exemption(target), Some(Exemption::Never(_))),
                "{target}"
            );
        }
    }

    #[test]
    fn a_prefix_is_as_safe_as_the_safest_address_in_it() {
        assert_eq!(exemption("203.0.113.7"), None);
        assert_eq!(exemption("203.0.113.128/25"), None);
        assert_eq!(
            exemption("203.0.113.0/25"),
            Some(Exemption::Protected(Role::Gateway))
        );
        assert_eq!(
            exemption("2001:db8::/64"),
            Some(Exemption::Protected(Role::Own))
        );
        assert!(matches!(
            exemption("198.51.100.9"),
            Some(Exemption::Listed(_))
        ));
        assert!(matches!(
            exemption("198.51.0.0/16"),
            Some(Exemption::Listed(_))
        ));
        assert!(matches!(
            exemption("::ffff:198.51.100.9"),
            Some(Exemption::Listed(_))
        ));
    }

    #[test]
    fn a_prefix_can_be_too_wide() {
        assert_eq!(exemption("11.12.0.0/16"), None);
        assert_eq!(exemption("11.12.0.0/15"), Some(Exemption::TooWide));
        assert_eq!(exemption("::ffff:11.12.0.0/111"), Some(Exemption::TooWide));
        assert_eq!(exemption("2001:db9::/32"), None);
        assert_eq!(exemption("2001:db8::/31"), Some(Exemption::TooWide));
    }

    #[test]
    fn networks_from_the_configuration_replace_those_found() {
        assert!(guard().is_home("192.0.2.9".parse().unwrap()));
        assert!(guard().is_home("::ffff:192.0.2.9".parse().unwrap()));
        assert!(!guard().is_home("10.0.0.1".parse().unwrap()));
    }
}
