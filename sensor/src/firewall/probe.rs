//! What `garita check` asks of the machine's firewall. It changes nothing.

use nftnl::nftnl_sys::libc;

use super::FirewallError;
use super::link::Link;
use super::listing::{flowtables, tables};
use contract::printable::printable;

/// What the machine's nf_tables is like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    /// Tables of everybody.
    pub tables: usize,
    /// Flowtables as `table name`: traffic they forward passes no rule of ours.
    pub flowtables: Vec<String>,
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
    })
}
