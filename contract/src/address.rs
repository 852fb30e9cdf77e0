//! Addresses and prefixes in one form, so that what is compared means the same.
//! It decides nothing about them.

use ipnet::IpNet;

/// The prefix without host bits; a v4-mapped one becomes the IPv4 prefix that it stands for.
pub fn canonical(net: IpNet) -> IpNet {
    match net {
        IpNet::V6(v6) if v6.prefix_len() >= 96 => v6
            .addr()
            .to_ipv4_mapped()
            .and_then(|v4| IpNet::new(v4.into(), v6.prefix_len() - 96).ok())
            .unwrap_or(net),
        _ => net,
    }
    .trunc()
}

/// Whether a network is a single address.
pub fn is_host(net: &IpNet) -> bool {
    net.prefix_len() == net.max_prefix_len()
}

/// A network as people write it: a single address without its prefix length.
pub fn shown(net: IpNet) -> String {
    match is_host(&net) {
        true => net.addr().to_string(),
        false => net.to_string(),
    }
}

/// `net` but for what lies in `holes`: itself, nothing, or its parts.
pub fn without(net: IpNet, holes: &[IpNet]) -> Vec<IpNet> {
    if holes.iter().any(|hole| hole.contains(&net)) {
        return Vec::new();
    }
    if !holes.iter().any(|hole| net.contains(hole)) {
        return vec![net];
    }
    let halves = net.subnets(net.prefix_len().saturating_add(1));
    let halves = halves.into_iter().flatten();
    halves.flat_map(|half| without(half, holes)).collect()
}
