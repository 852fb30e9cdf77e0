//! What stands in the kernel, read back, and where it deviates from what should. It changes nothing.

use std::io;
use std::net::IpAddr;
use std::time::Duration;

use nftnl::nftnl_sys::libc;

use super::attribute::{Attributes, Message, list_request};
use super::element::{Edge, Key};
use super::link::{Link, Whole};
use super::rule::{At, Rule, Step};
use super::ruleset::{Chain, Form, Hooked, Set, TABLE, Tracking};

/// How often a list is asked for anew because the ruleset changed while it was made.
const ATTEMPTS: u32 = 16;

// Attributes and messages of linux/netfilter/nf_tables.h, which libc lacks.
const TABLE_NAME: u16 = 1;
const TABLE_FLAGS: u16 = 2;
const DORMANT: u32 = 1;
const CHAIN_NAME: u16 = 3;
const CHAIN_HOOK: u16 = 4;
const HOOK_NUMBER: u16 = 1;
const HOOK_PRIORITY: u16 = 2;
const CHAIN_POLICY: u16 = 5;
const CHAIN_TYPE: u16 = 7;
const RULE_CHAIN: u16 = 2;
const RULE_EXPRESSIONS: u16 = 4;
const EXPRESSION_NAME: u16 = 1;
const EXPRESSION_DATA: u16 = 2;
const SET_NAME: u16 = 2;
const SET_FLAGS: u16 = 3;
const SET_KEY_LENGTH: u16 = 5;
const SET_DESCRIPTION: u16 = 9;
const DESCRIPTION_SIZE: u16 = 1;
const SET_TIMEOUT: u16 = 11;
const SET_EXPRESSIONS: [u16; 2] = [17, 18];
const ELEMENTS_SET: u16 = 2;
const ELEMENTS: u16 = 3;
const ELEMENT_KEY: u16 = 1;
const ELEMENT_FLAGS: u16 = 3;
const ELEMENT_TIMEOUT: u16 = 4;
const ELEMENT_LEFT: u16 = 5;
const DATA_VALUE: u16 = 1;
const OBJECT_NAME: u16 = 2;
const OBJECT_TYPE: u16 = 3;
const OBJECT_DATA: u16 = 4;
const COUNTER: u32 = 1;
const COUNTER_BYTES: u16 = 1;
const COUNTER_PACKETS: u16 = 2;
/// Which operation a bitwise expression does; 0, or none, for a mask and a flip.
const BITWISE_KIND: u16 = 6;
/// The name of the table a message is about: the same for every kind but tables themselves, where it is the name.
pub(super) const OF_TABLE: u16 = 1;

/// Everything of the table but the elements of its sets.
#[derive(Debug, Default)]
pub(super) struct TableListing {
    table: Option<Sleep>,
    chains: Vec<(String, Option<Hooked>)>,
    rules: Vec<(String, Vec<Step>)>,
    sets: Vec<(String, Form)>,
    /// Name, packets, bytes.
    pub(super) counters: Vec<(String, (u64, u64))>,
}

/// Whether the kernel asks the table at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sleep {
    Awake,
    Dormant,
}

impl TableListing {
    /// Reads it.
    pub(super) fn read(link: &Link) -> io::Result<Self> {
        let mut found = Self::default();
        for (name, flags) in tables(link, libc::NFPROTO_INET)? {
            if name == TABLE {
                let dormant = flags & DORMANT != 0;
                found.table = Some(if dormant {
                    Sleep::Dormant
                } else {
                    Sleep::Awake
                });
            }
        }
        if found.table.is_none() {
            return Ok(found);
        }
        found.chains = ours(link, libc::NFT_MSG_GETCHAIN, |chain| {
            Some((chain.text(CHAIN_NAME)?.to_owned(), hooked(chain)))
        })?;
        found.rules = ours(link, libc::NFT_MSG_GETRULE, |rule| {
            let steps = rule.list(RULE_EXPRESSIONS).map(step).collect();
            Some((rule.text(RULE_CHAIN)?.to_owned(), steps))
        })?;
        found.sets = ours(link, libc::NFT_MSG_GETSET, |set| {
            Some((set.text(SET_NAME)?.to_owned(), form(set)?))
        })?;
        found.counters = ours(link, libc::NFT_MSG_GETOBJ, |object| {
            let counts = object.nest(OBJECT_DATA);
            let tally = (counts.u64(COUNTER_PACKETS)?, counts.u64(COUNTER_BYTES)?);
            let counter = object.u32(OBJECT_TYPE)? == COUNTER;
            counter.then_some((object.text(OBJECT_NAME)?.to_owned(), tally))
        })?;
        Ok(found)
    }

    /// Whether elements of this set can be read and written.
    pub(super) fn has(&self, set: Set) -> bool {
        let name = set.name();
        self.sets
            .iter()
            .any(|(found, form)| *found == name && *form == set.form())
    }

    /// The packets and bytes that a counter stands at.
    pub(super) fn tally(&self, counter: &str) -> (u64, u64) {
        let known = self.counters.iter().find(|(name, _)| name == counter);
        known.map_or((0, 0), |(_, tally)| *tally)
    }

    /// Each difference to what should stand, in words; none where all is well.
    pub(super) fn deviations(&self, tracking: Tracking) -> Vec<String> {
        match self.table {
            None => return vec![format!("the table {TABLE} is missing")],
            Some(Sleep::Dormant) => return vec![format!("the table {TABLE} is dormant")],
            Some(Sleep::Awake) => {}
        }
        let mut found = Vec::new();
        for set in Set::all() {
            let name = set.name();
            match self.sets.iter().find(|(known, _)| *known == name) {
                None => found.push(format!("the set {name} is missing")),
                Some((_, form)) if *form != set.form() => {
                    found.push(format!("the set {name} has another form"));
                }
                Some(_) => {}
            }
        }
        for chain in Chain::all(tracking) {
            self.compare_chain(chain, &mut found);
        }
        let ours = |name: &str| Chain::all(tracking).any(|chain| chain.name() == name);
        let foreign = self.chains.iter().filter(|(name, _)| !ours(name));
        found.extend(foreign.map(|(name, _)| format!("there is a foreign chain {name}")));
        for counter in Rule::all(tracking).map(|rule| rule.counter()) {
            if !self.counters.iter().any(|(name, _)| *name == counter) {
                found.push(format!("the counter {counter} is missing"));
            }
        }
        found
    }

    fn compare_chain(&self, chain: Chain, found: &mut Vec<String>) {
        let name = chain.name();
        match self.chains.iter().find(|(known, _)| known == name) {
            None => return found.push(format!("the chain {name} is missing")),
            Some((_, hook)) if *hook != Some(chain.hooked()) => {
                found.push(format!(
                    "the chain {name} has another hook, priority or policy"
                ));
            }
            Some(_) => {}
        }
        let standing = self.rules.iter().filter(|(of, _)| of == name);
        let wanted = Rule::all(Tracking::Connections).filter(|rule| rule.chain == chain);
        if !standing
            .map(|(_, steps)| steps.clone())
            .eq(wanted.map(|rule| rule.steps()))
        {
            found.push(format!("the chain {name} has other rules"));
        }
    }
}

/// Name and flags of every table of a family; `NFPROTO_UNSPEC` for all.
pub(super) fn tables(link: &Link, family: i32) -> io::Result<Vec<(String, u32)>> {
    let request = list_request(libc::NFT_MSG_GETTABLE, family, &[]);
    read(link, &request, |message| {
        let name = message.attributes.text(TABLE_NAME)?.to_owned();
        let flags = message.attributes.u32(TABLE_FLAGS).unwrap_or_default();
        Some((name, flags))
    })
}

/// The table and the name of every flowtable of the machine.
pub(super) fn flowtables(link: &Link) -> io::Result<Vec<(String, String)>> {
    // NFT_MSG_GETFLOWTABLE
    let request = list_request(23, libc::NFPROTO_UNSPEC, &[]);
    read(link, &request, |message| {
        let of = message.attributes.text(OF_TABLE)?.to_owned();
        Some((of, message.attributes.text(2)?.to_owned()))
    })
}

/// The keys of a set.
pub(super) fn keys(link: &Link, set: Set) -> io::Result<Vec<Key>> {
    let texts = [(OF_TABLE, TABLE), (ELEMENTS_SET, &*set.name())];
    let request = list_request(libc::NFT_MSG_GETSETELEM, libc::NFPROTO_INET, &texts);
    let messages = read(link, &request, |message| {
        Some(elements(message.attributes).1)
    })?;
    Ok(messages.into_iter().flatten().collect())
}

/// The set and the keys that a message about elements names.
pub(super) fn elements(message: Attributes<'_>) -> (Option<Set>, Vec<Key>) {
    let set = message.text(ELEMENTS_SET).and_then(Set::named);
    (set, message.list(ELEMENTS).filter_map(key).collect())
}

fn key(element: Attributes<'_>) -> Option<Key> {
    let octets = element.nest(ELEMENT_KEY).get(DATA_VALUE)?;
    let address = match *octets {
        [a, b, c, d] => IpAddr::from([a, b, c, d]),
        _ => IpAddr::from(<[u8; 16]>::try_from(octets).ok()?),
    };
    let flags = element.u32(ELEMENT_FLAGS).unwrap_or_default();
    let ends = flags & libc::NFT_SET_ELEM_INTERVAL_END as u32 != 0;
    let timeout = element.u64(ELEMENT_TIMEOUT).filter(|&timeout| timeout > 0);
    let left = timeout.map(|timeout| element.u64(ELEMENT_LEFT).unwrap_or(timeout));
    Some(Key {
        address,
        edge: if ends { Edge::End } else { Edge::Start },
        left: left.map(Duration::from_millis),
    })
}

fn hooked(chain: Attributes<'_>) -> Option<Hooked> {
    let hook = chain.nest(CHAIN_HOOK);
    Some(Hooked {
        hook: hook.u32(HOOK_NUMBER)?,
        priority: hook.u32(HOOK_PRIORITY)?.cast_signed(),
        kind: chain.text(CHAIN_TYPE)?.to_owned(),
        accepts: chain.u32(CHAIN_POLICY) == Some(libc::NF_ACCEPT as u32),
    })
}

fn form(set: Attributes<'_>) -> Option<Form> {
    let flags = set.u32(SET_FLAGS).unwrap_or_default();
    let (interval, timeout) = (libc::NFT_SET_INTERVAL as u32, libc::NFT_SET_TIMEOUT as u32);
    let concatenated = super::ruleset::CONCATENATED;
    // A size would make it full some day, and a timeout of its own would end what is permanent.
    let foreign = flags & !(interval | timeout | concatenated) != 0
        || set.nest(SET_DESCRIPTION).get(DESCRIPTION_SIZE).is_some()
        || set.get(SET_TIMEOUT).is_some()
        || SET_EXPRESSIONS.iter().any(|&kind| set.get(kind).is_some());
    Some(Form {
        interval: flags & interval != 0,
        timeout: flags & timeout != 0,
        concatenated: flags & concatenated != 0,
        key: set.u32(SET_KEY_LENGTH)?,
        foreign,
    })
}

/// One expression of a rule. Whatever is not exactly as we write it is foreign.
fn step(expression: Attributes<'_>) -> Step {
    let name = expression.text(EXPRESSION_NAME).unwrap_or_default();
    known_step(name, expression.nest(EXPRESSION_DATA))
        .unwrap_or_else(|| Step::Foreign(name.to_owned()))
}

fn known_step(name: &str, data: Attributes<'_>) -> Option<Step> {
    let register = libc::NFT_REG_1 as u32;
    let is = |kind, value| data.u32(kind) == Some(value);
    match name {
        "meta" => match data.u32(2)?.cast_signed() {
            libc::NFT_META_NFPROTO => is(1, register).then_some(Step::Protocol),
            libc::NFT_META_L4PROTO => Some(Step::Transport(at(data.u32(1)?)?)),
            _ => None,
        },
        "cmp" => {
            let value = data.nest(3).get(DATA_VALUE)?.to_vec();
            let operation = data.u32(2).filter(|_| is(1, register))?;
            match operation.cast_signed() {
                libc::NFT_CMP_EQ => Some(Step::Equals(value)),
                libc::NFT_CMP_NEQ => Some(Step::Differs(value)),
                _ => None,
            }
        }
        "ct" => {
            let state = is(1, register) && is(2, libc::NFT_CT_STATE as u32);
            (state && data.get(3).is_none()).then_some(Step::Connection)
        }
        "bitwise" => {
            let masks =
                is(1, register) && is(2, register) && data.u32(BITWISE_KIND).unwrap_or(0) == 0;
            let flips = data.nest(5).get(DATA_VALUE)?.iter().any(|&byte| byte != 0);
            let bits = data.nest(4).get(DATA_VALUE)?.to_vec();
            (masks && !flips).then_some(Step::Mask(bits))
        }
        "payload" => {
            let at = at(data.u32(1)?)?;
            let transport = libc::NFT_PAYLOAD_TRANSPORT_HEADER;
            match (data.u32(2)?.cast_signed(), data.u32(3)?, data.u32(4)?) {
                (libc::NFT_PAYLOAD_NETWORK_HEADER, offset, bytes) => {
                    Some(Step::Load { offset, bytes, at })
                }
                (base, 13, 1) if base == transport && at == At(0) => Some(Step::TcpFlags),
                (base, 2, 2) if base == transport => Some(Step::Port(at)),
                _ => None,
            }
        }
        "lookup" => {
            let set = data.text(1)?.to_owned();
            let plain = is(2, register) && data.get(3).is_none();
            let inverted = data.u32(5).unwrap_or_default() & libc::NFT_LOOKUP_F_INV as u32 != 0;
            plain.then_some(if inverted {
                Step::NotIn(set)
            } else {
                Step::In(set)
            })
        }
        "objref" => is(1, COUNTER).then_some(Step::Count(data.text(2)?.to_owned())),
        "immediate" => {
            let code = data.nest(2).nest(2).u32(1)?;
            let drops = is(1, libc::NFT_REG_VERDICT as u32) && code == libc::NF_DROP as u32;
            drops.then_some(Step::Drop)
        }
        _ => None,
    }
}

/// Which place a register is: the kernel calls those of 16 bytes 1 to 4, and all others by their four bytes.
fn at(register: u32) -> Option<At> {
    match register {
        1..=4 => Some(At(4 * (register - 1))),
        8..=23 => Some(At(register - 8)),
        _ => None,
    }
}

/// What stands of one kind in our table.
fn ours<T>(
    link: &Link,
    kind: i32,
    one: impl Fn(Attributes<'_>) -> Option<T>,
) -> io::Result<Vec<T>> {
    let request = list_request(kind, libc::NFPROTO_INET, &[(OF_TABLE, TABLE)]);
    read(link, &request, |message| {
        // An older kernel lists those of every table, whatever it is asked.
        let ours = message.attributes.text(OF_TABLE) == Some(TABLE);
        ours.then(|| one(message.attributes)).flatten()
    })
}

fn read<T>(
    link: &Link,
    request: &[u8],
    one: impl Fn(Message<'_>) -> Option<T>,
) -> io::Result<Vec<T>> {
    for _ in 0..ATTEMPTS {
        let mut found = Vec::new();
        let whole = link.list(request, |bytes| {
            found.extend(Message::read(bytes).and_then(&one));
        })?;
        if whole == Whole::Yes {
            return Ok(found);
        }
    }
    Err(io::Error::from(io::ErrorKind::ResourceBusy))
}
