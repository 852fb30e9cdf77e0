//! Who must never be blocked by the fleet: the same rules as a sensor's, which applies its own once more. It knows no
//! sensor's own addresses: those the sensor refuses itself.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use contract::address::{canonical, shown};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// The widest prefixes that are blocked.
const WIDEST_V4: u8 = 16;
const WIDEST_V6: u8 = 32;

/// Addresses that mean another host at each site: RFC 1918, RFC 6598 and RFC 4193.
const PRIVATE: [IpNet; 5] = [
    v4([10, 0, 0, 0], 8),
    v4([172, 16, 0, 0], 12),
    v4([192, 168, 0, 0], 16),
    v4([100, 64, 0, 0], 10),
    v6([0xfc00, 0], 7),
];

/// Addresses that are nobody's: RFC 6890. Documentation ranges are left out, so that the rules can be tried with them.
const SPECIAL: [IpNet; 10] = [
    v4([0, 0, 0, 0], 8),
    v4([127, 0, 0, 0], 8),
    v4([169, 254, 0, 0], 16),
    v4([224, 0, 0, 0], 4),
    v4([240, 0, 0, 0], 4),
    v6([0, 0], 128),
    IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::LOCALHOST, 128)),
    v6([0xfe80, 0], 10),
    v6([0xff00, 0], 8),
    v6([0xfec0, 0], 10),
];

const fn v4(octets: [u8; 4], length: u8) -> IpNet {
    let [a, b, c, d] = octets;
    IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), length))
}

const fn v6(head: [u16; 2], length: u8) -> IpNet {
    let [a, b] = head;
    IpNet::V6(Ipv6Net::new_assert(
        Ipv6Addr::new(a, b, 0, 0, 0, 0, 0, 0),
        length,
    ))
}

/// Why somebody must not be blocked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Exempt {
    /// It is another host at each site.
    #[error("{} is private: it means another host at each site", shown(*.0))]
    Private(IpNet),
    /// It is nobody's.
    #[error("{} is a special address: unspecified, loopback, link-local, multicast or reserved", shown(*.0))]
    Special(IpNet),
    /// `fleet.exempt` says so.
    #[error("{} overlaps {}, which fleet.exempt names", shown(*.0), .1)]
    Listed(IpNet, IpNet),
    /// It is too many.
    #[error("{} is wider than an IPv4 /16 or an IPv6 /32", shown(*.0))]
    Wide(IpNet),
}

/// Whether an address means another host at each site.
pub fn is_private(address: IpAddr) -> bool {
    let address = address.to_canonical();
    PRIVATE.iter().any(|net| net.contains(&address))
}

/// Whether `target` may be blocked, in the one form in which it is written.
///
/// # Errors
/// Why it must not.
pub fn check(target: IpNet, exempt: &[IpNet]) -> Result<IpNet, Exempt> {
    let target = canonical(target);
    let widest = if target.addr().is_ipv4() {
        WIDEST_V4
    } else {
        WIDEST_V6
    };
    if target.prefix_len() < widest {
        return Err(Exempt::Wide(target));
    }
    let meets = |net: &&IpNet| net.contains(&target) || target.contains(*net);
    if PRIVATE.iter().any(|net| meets(&net)) {
        return Err(Exempt::Private(target));
    }
    if SPECIAL.iter().any(|net| meets(&net)) {
        return Err(Exempt::Special(target));
    }
    match exempt
        .iter()
        .map(|net| canonical(*net))
        .find(|net| meets(&net))
    {
        Some(net) => Err(Exempt::Listed(target, net)),
        None => Ok(target),
    }
}

/// Whether it takes the word of two people: more than one address.
pub fn is_wide(target: &IpNet) -> bool {
    !contract::address::is_host(target)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn judged(text: &str) -> Result<IpNet, Exempt> {
        let net = text
            .parse()
            .or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
        let exempt = ["198.51.100.0/24".parse().unwrap()];
        check(net.unwrap(), &exempt)
    }

    #[test]
    fn private_special_listed_and_wide_targets_are_never_blocked() {
        for text in [
            "10.1.2.3",
            "172.31.255.1",
            "192.168.0.0/24",
            "100.64.1.1",
            "fd00::1",
            "::ffff:10.0.0.1",
            "127.0.0.1",
            "0.0.0.0",
            "224.0.0.1",
            "255.255.255.255",
            "169.254.1.1",
            "::1",
            "::",
            "fe80::1",
            "ff02::1",
            "198.51.100.7",
            "198.51.0.0/16",
            "203.0.0.0/15",
            "2001:db8::/31",
            "0.0.0.0/0",
            "::/0",
        ] {
            assert!(judged(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_others_may_be_in_one_form() {
        for (text, form) in [
            ("203.0.113.9", "203.0.113.9/32"),
            ("203.0.113.9/24", "203.0.113.0/24"),
            ("::ffff:203.0.113.9", "203.0.113.9/32"),
            ("2001:db8::1", "2001:db8::1/128"),
            ("2001:db8::/32", "2001:db8::/32"),
        ] {
            assert_eq!(judged(text).unwrap().to_string(), form);
        }
    }

    proptest! {
        #[test]
        fn whatever_may_be_blocked_holds_no_private_address(bytes in any::<u32>(), length in 0_u8..=32) {
            let net = IpNet::new(IpAddr::from(bytes.to_be_bytes()), length).unwrap();
            if let Ok(net) = check(net, &[]) {
                prop_assert!(net.prefix_len() >= 16);
                prop_assert!(!is_private(net.network()) && !is_private(net.broadcast()));
            }
        }
    }
}
