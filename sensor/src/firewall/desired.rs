//! What is wanted in force, as changes to what stands: whole sets made anew, hosts that are missing, strangers kept.
//! It sends nothing.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;

use super::element::{Key, intervals, prefixes, unproven};
use super::listing::TableListing;
use super::netlink::Changes;
use super::rule::Rule;
use super::ruleset::{Chain, Family, Set, Tracking};
use super::service::spans;
use super::{DesiredState, Element, Host, ServiceElement};
use contract::record::Scope;

/// How far the remaining time of a host may be from the wanted one before it is set again.
const TOLERANCE: Duration = Duration::from_secs(2);

/// The whole table without elements, in place of whatever stands; counters go on where they were.
pub(super) fn lay(changes: &mut Changes, standing: &TableListing, tracking: Tracking) {
    changes.add_table();
    changes.delete_table();
    changes.add_table();
    for set in Set::all() {
        changes.add_set(set);
    }
    for chain in Chain::all(tracking) {
        changes.add_chain(chain);
    }
    for rule in Rule::all(tracking) {
        let counter = rule.counter();
        changes.add_counter(&counter, standing.tally(&counter));
        changes.add_rule(&rule);
    }
}

/// Makes these the only prefixes of the two sets.
pub(super) fn replace(
    changes: &mut Changes,
    set: fn(Family) -> Set,
    prefixes: impl Iterator<Item = Element>,
) {
    for (family, keys) in intervals(prefixes) {
        changes.flush(set(family));
        changes.add(set(family), &keys);
    }
}

/// Makes these the only prefixes that are kept out.
pub(super) fn replace_blocked(changes: &mut Changes, prefixes: &[Element]) {
    replace(changes, Set::BlockedNet, prefixes.iter().copied());
    replace(changes, Set::UnprovenNet, unproven(prefixes).into_iter());
}

/// Makes these the only services that anybody is kept from.
pub(super) fn replace_services(changes: &mut Changes, services: &[ServiceElement]) {
    for (set, scope) in [
        (Set::Service as fn(Family) -> Set, Scope::Opening),
        (Set::Port, Scope::All),
    ] {
        for (family, spans) in spans(services, scope) {
            changes.flush(set(family));
            changes.add_spans(set(family), &spans);
        }
    }
}

pub(super) fn scope(unproven: bool) -> Scope {
    match unproven {
        true => Scope::Opening,
        false => Scope::All,
    }
}

/// Who is in a set, by its keys.
pub(super) fn prefixes_of(set: Set, keys: Vec<Key>) -> Vec<IpNet> {
    match set.form().interval {
        true => prefixes(keys)
            .into_iter()
            .map(|element| element.target)
            .collect(),
        false => keys.into_iter().map(|key| key.address.into()).collect(),
    }
}

/// Deletes keys whether they are there or not.
pub(super) fn withdraw(changes: &mut Changes, set: Set, keys: &[Key]) {
    if !keys.is_empty() {
        changes.add(set, keys);
        changes.delete(set, keys);
    }
}

pub(super) fn networks(nets: &[IpNet]) -> impl Iterator<Item = Element> {
    nets.iter().map(|&target| Element {
        target,
        left: None,
        scope: Scope::All,
    })
}

/// What stands beside what is wanted: nobody here has ordered it.
pub(super) fn strangers(found: &[Element], wanted: &DesiredState) -> Vec<Element> {
    let hosts = wanted.hosts.iter().map(|host| host.key().address.into());
    let ordered: HashSet<IpNet> = hosts
        .chain(
            wanted
                .prefixes
                .iter()
                .map(|prefix| contract::address::canonical(prefix.target)),
        )
        .collect();
    let strange = found
        .iter()
        .filter(|element| !ordered.contains(&element.target));
    strange.copied().collect()
}

/// The wanted hosts that do not stand, or not for as long as they should, or not as they should.
pub(super) fn missing<'a>(
    found: &[Element],
    wanted: &'a [Host],
) -> impl Iterator<Item = Host> + use<'a> {
    let standing: HashMap<IpAddr, (Option<Duration>, Scope)> = found
        .iter()
        .map(|element| (element.target.addr(), (element.left, element.scope)))
        .collect();
    let lacks = move |host: &&Host| {
        let Some(&(left, scope)) = standing.get(&host.address.to_canonical()) else {
            return true;
        };
        let time = match (left, host.left) {
            (None, None) => true,
            (Some(left), Some(wanted)) => left.abs_diff(wanted) <= TOLERANCE,
            _ => false,
        };
        !time || scope != host.scope
    };
    wanted.iter().filter(lacks).copied()
}
