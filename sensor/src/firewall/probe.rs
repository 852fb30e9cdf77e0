//! What `garita check` asks of the machine's firewall. It changes nothing.

use std::io;
use std::net::Ipv4Addr;

use nftnl::nftnl_sys::libc;

use super::FirewallError;
use super::element::Key;
use super::link::Link;
use super::listing::{flowtables, tables};
use super::netlink::Changes;
use super::rule::Rule;
use super::ruleset::{Chain, Family, Set, Tracking};
use contract::printable::printable;

/// What the machine's nf_tables is like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    /// Tables of everybody.
    pub tables: usize,
    /// Flowtables as `table name`: traffic they forward passes no rule of ours.
    pub flowtables: Vec<String>,
    /// Whether it tracks connections (nf_conntrack, nft_ct).
    pub tracks: bool,
}

/// Reaches nf_tables and lists, which takes the same capability as changing.
pub fn probe() -> Result<Machine, FirewallError> {
    let link = Link::open(0).map_err(FirewallError::to("open nf_tables"))?;
    let act = "list the tables of nf_tables";
    let tables = tables(&link, libc::NFPROTO_UNSPEC).map_err(|error| {
        // Netlink's word for a part of netfilter that is neither built in nor loadable.
        match error.raw_os_error() {
            Some(libc::EINVAL) => FirewallError::Absent { act },
            _ => FirewallError::to(act)(error),
        }
    })?;
    let found = flowtables(&link).map_err(FirewallError::to("list the flowtables of nf_tables"))?;
    let words =
        |(table, name): (String, String)| printable(&format!("{table} {name}")).into_owned();
    Ok(Machine {
        tables: tables.len(),
        flowtables: found.into_iter().map(words).collect(),
        tracks: tracks(&link).map_err(FirewallError::to("try a rule on connections"))?,
    })
}

/// Whether the kernel would take our rules on connections. They are handed over with something it must refuse, so that
/// it takes nothing of all that, but says what else it does not like.
fn tracks(link: &Link) -> io::Result<bool> {
    let mut changes = Changes::new();
    changes.add_table();
    for set in Set::all() {
        changes.add_set(set);
    }
    changes.add_chain(Chain::Opening);
    for rule in Rule::all(Tracking::Connections).filter(|rule| rule.chain == Chain::Opening) {
        changes.add_counter(&rule.counter(), (0, 0));
        changes.add_rule(&rule);
    }
    let nobody = Key::host(Ipv4Addr::UNSPECIFIED.into(), None);
    changes.delete(Set::Unproven(Family::V4), &[nobody]);
    Ok(link.refusals(changes)? == 1)
}
