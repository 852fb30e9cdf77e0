//! Batches of changes to nf_tables, built with libnftnl: the only unsafe code of the firewall.
//! It knows what can be written, not what should stand, and sends nothing.
#![expect(
    unsafe_code,
    reason = "libnftnl's safe interface lacks timeouts, intervals and named counters"
)]

use std::alloc::{Layout, handle_alloc_error};
use std::ffi::{CString, c_void};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ptr::NonNull;

use nftnl::expr::{
    Bitwise, Cmp, CmpOp, Conntrack, Expression, Meta, NetworkHeaderField, Payload,
    TransportHeaderField, Verdict,
};
use nftnl::nftnl_sys::{self as sys, libc};
use nftnl::set::SetKey;
use nftnl::{Batch, ChainType, FinalizedBatch, Hook, MsgType, NlMsg, Policy, ProtoFamily};

use super::element::{Edge, Key};
use super::rule::{At, Rule, Step};
use super::ruleset::{CONCATENATED, Chain, Family, Set, TABLE};
use super::service::{Span, Use4, Use6};

/// Keys in a message. An attribute holds 64 KiB, and a key with its timeout takes up to 48 bytes.
const KEYS: usize = 1_000;

/// Changes that are made together.
pub(super) struct Changes {
    batch: Batch,
    table: nftnl::Table,
    sets: u32,
}

impl Changes {
    pub(super) fn new() -> Self {
        Self {
            batch: Batch::new(),
            table: nftnl::Table::new(text(TABLE), ProtoFamily::Inet),
            sets: 0,
        }
    }

    /// What is to be sent.
    pub(super) fn finish(self) -> FinalizedBatch {
        self.batch.finalize()
    }

    /// Adds the table unless it stands.
    pub(super) fn add_table(&mut self) {
        self.batch.add(&self.table, MsgType::Add);
    }

    /// Deletes the table with everything in it.
    pub(super) fn delete_table(&mut self) {
        self.batch.add(&self.table, MsgType::Del);
    }

    /// Adds a set without elements.
    pub(super) fn add_set(&mut self, set: Set) {
        match (set, set.family()) {
            (Set::Service(_) | Set::Port(_), Family::V4) => self.add_set_of::<Use4>(set),
            (Set::Service(_) | Set::Port(_), Family::V6) => self.add_set_of::<Use6>(set),
            (_, Family::V4) => self.add_set_of::<Ipv4Addr>(set),
            (_, Family::V6) => self.add_set_of::<Ipv6Addr>(set),
        }
    }

    fn add_set_of<K: SetKey>(&mut self, set: Set) {
        self.sets += 1;
        let name = text(&set.name());
        let made =
            nftnl::set::Set::<K>::new_named(&name, self.sets, &self.table, ProtoFamily::Inet);
        let form = set.form();
        let mut flags = 0;
        if form.interval {
            flags |= libc::NFT_SET_INTERVAL as u32;
        }
        if form.timeout {
            flags |= libc::NFT_SET_TIMEOUT as u32;
        }
        let raw = made.as_ptr().as_ptr();
        if form.concatenated {
            flags |= CONCATENATED;
            let address = set.family().bytes() as u8;
            let parts = [address, address, 1, 2];
            let (attribute, length) = (sys::NFTNL_SET_DESC_CONCAT as u16, parts.len() as u32);
            // SAFETY: the pointer is the live set's own, which copies as many lengths of parts as it is told.
            unsafe { sys::nftnl_set_set_data(raw, attribute, parts.as_ptr().cast(), length) };
        }
        // SAFETY: the pointer is the live set's own; the attribute is one of its u32.
        unsafe {
            sys::nftnl_set_set_u32(raw, sys::NFTNL_SET_FLAGS as u16, flags);
        }
        self.batch.add(&made, MsgType::Add);
    }

    /// Adds a named counter that goes on from these packets and bytes.
    pub(super) fn add_counter(&mut self, name: &str, (packets, bytes): (u64, u64)) {
        let name = text(name);
        // SAFETY: the object is freed when `Counter` is dropped; it copies the texts, which outlive the calls.
        let counter = unsafe {
            let object = allocated(sys::nftnl_obj_alloc());
            let raw = object.as_ptr();
            sys::nftnl_obj_set_u32(raw, sys::NFTNL_OBJ_TYPE as u16, COUNTER);
            sys::nftnl_obj_set_str(raw, sys::NFTNL_OBJ_TABLE as u16, text(TABLE).as_ptr());
            sys::nftnl_obj_set_str(raw, sys::NFTNL_OBJ_NAME as u16, name.as_ptr());
            sys::nftnl_obj_set_u64(raw, sys::NFTNL_OBJ_CTR_PKTS as u16, packets);
            sys::nftnl_obj_set_u64(raw, sys::NFTNL_OBJ_CTR_BYTES as u16, bytes);
            Counter(object)
        };
        self.batch.add(&counter, MsgType::Add);
    }

    /// Adds a base chain without rules.
    pub(super) fn add_chain(&mut self, chain: Chain) {
        let made = hooked(&self.table, chain);
        self.batch.add(&made, MsgType::Add);
    }

    /// Appends a rule to its chain.
    pub(super) fn add_rule(&mut self, rule: &Rule) {
        let chain = hooked(&self.table, rule.chain);
        let mut made = nftnl::Rule::new(&chain);
        for step in rule.steps() {
            made.add_expr(&step);
        }
        self.batch.add(&made, MsgType::Add);
    }

    /// Adds keys; one that is already there stays as it is.
    pub(super) fn add(&mut self, set: Set, keys: &[Key]) {
        for keys in keys.chunks(KEYS) {
            self.batch.add(&Elements::new(set, keys), MsgType::Add);
        }
    }

    /// Adds spans to a set of services.
    pub(super) fn add_spans(&mut self, set: Set, spans: &[Span]) {
        for spans in spans.chunks(KEYS / 4) {
            let elements = Elements::of(set, spans.iter().map(span));
            self.batch.add(&elements, MsgType::Add);
        }
    }

    /// Deletes keys, all of which must be there.
    pub(super) fn delete(&mut self, set: Set, keys: &[Key]) {
        for keys in keys.chunks(KEYS) {
            self.batch.add(&Elements::new(set, keys), MsgType::Del);
        }
    }

    /// Deletes every key.
    pub(super) fn flush(&mut self, set: Set) {
        self.batch.add(&Elements::new(set, &[]), MsgType::Del);
    }
}

fn hooked(table: &nftnl::Table, chain: Chain) -> nftnl::Chain<'_> {
    let mut made = nftnl::Chain::new(text(chain.name()), table);
    let hook = match chain {
        Chain::Prerouting | Chain::Opening => Hook::PreRouting,
        Chain::Output => Hook::Out,
    };
    made.set_type(ChainType::Filter);
    made.set_hook(hook, chain.hooked().priority);
    made.set_policy(Policy::Accept);
    made
}

/// `NFT_OBJECT_COUNTER` of linux/netfilter/nf_tables.h.
const COUNTER: u32 = 1;

struct Counter(NonNull<sys::nftnl_obj>);

// SAFETY: a counter's message is a few attributes, names of at most 256 bytes among them.
unsafe impl NlMsg for Counter {
    unsafe fn write(&self, buffer: *mut c_void, seq: u32, _: MsgType) {
        let flags = (libc::NLM_F_CREATE | libc::NLM_F_ACK) as u16;
        let kind = libc::NFT_MSG_NEWOBJ as u16;
        let family = libc::NFPROTO_INET as u16;
        // SAFETY: the caller gives room for the longest message; the object is alive.
        unsafe {
            let header = sys::nftnl_nlmsg_build_hdr(buffer.cast(), kind, family, flags, seq);
            sys::nftnl_obj_nlmsg_build_payload(header, self.0.as_ptr());
        }
    }
}

impl Drop for Counter {
    fn drop(&mut self) {
        // SAFETY: it was allocated by libnftnl and is not used again.
        unsafe { sys::nftnl_obj_free(self.0.as_ptr()) };
    }
}

/// Keys of one set that go into one message; no keys stand for all.
struct Elements(NonNull<sys::nftnl_set>);

impl Elements {
    fn new(set: Set, keys: &[Key]) -> Self {
        Self::of(set, keys.iter().map(element))
    }

    fn of(set: Set, members: impl Iterator<Item = NonNull<sys::nftnl_set_elem>>) -> Self {
        // SAFETY: the set is freed with its elements when `Elements` is dropped; it copies the texts and the keys.
        unsafe {
            let elements = Self(allocated(sys::nftnl_set_alloc()));
            let raw = elements.0.as_ptr();
            sys::nftnl_set_set_str(raw, sys::NFTNL_SET_TABLE as u16, text(TABLE).as_ptr());
            sys::nftnl_set_set_str(raw, sys::NFTNL_SET_NAME as u16, text(&set.name()).as_ptr());
            for member in members {
                sys::nftnl_set_elem_add(raw, member.as_ptr());
            }
            elements
        }
    }
}

fn element(key: &Key) -> NonNull<sys::nftnl_set_elem> {
    let octets: &[u8] = match &key.address {
        IpAddr::V4(address) => &address.octets(),
        IpAddr::V6(address) => &address.octets(),
    };
    // SAFETY: the element copies the octets, whose length is given with them, and belongs to the caller.
    unsafe {
        let element = allocated(sys::nftnl_set_elem_alloc());
        let raw = element.as_ptr();
        let (attribute, length) = (sys::NFTNL_SET_ELEM_KEY as u16, octets.len() as u32);
        sys::nftnl_set_elem_set(raw, attribute, octets.as_ptr().cast(), length);
        if key.edge == Edge::End {
            let end = libc::NFT_SET_ELEM_INTERVAL_END as u32;
            sys::nftnl_set_elem_set_u32(raw, sys::NFTNL_SET_ELEM_FLAGS as u16, end);
        }
        if let Some(milliseconds) = key.milliseconds() {
            let attribute = sys::NFTNL_SET_ELEM_TIMEOUT as u16;
            sys::nftnl_set_elem_set_u64(raw, attribute, milliseconds);
        }
        element
    }
}

fn span(span: &Span) -> NonNull<sys::nftnl_set_elem> {
    let [first, last] = span.keys();
    // SAFETY: the element copies both keys, whose length is given with them, and belongs to the caller.
    unsafe {
        let element = allocated(sys::nftnl_set_elem_alloc());
        let raw = element.as_ptr();
        for (attribute, key) in [
            (sys::NFTNL_SET_ELEM_KEY, first),
            (sys::NFTNL_SET_ELEM_KEY_END, last),
        ] {
            sys::nftnl_set_elem_set(raw, attribute as u16, key.as_ptr().cast(), key.len() as u32);
        }
        let attribute = sys::NFTNL_SET_ELEM_TIMEOUT as u16;
        sys::nftnl_set_elem_set_u64(raw, attribute, span.milliseconds());
        element
    }
}

// SAFETY: a message of at most `KEYS` elements is shorter than the longest one.
unsafe impl NlMsg for Elements {
    unsafe fn write(&self, buffer: *mut c_void, seq: u32, kind: MsgType) {
        // Neither exclusive, so that what is there already is no error, nor acknowledged, so that no number of
        // messages overruns the socket: the kernel speaks up only where it refuses.
        let (kind, flags) = match kind {
            MsgType::Add => (libc::NFT_MSG_NEWSETELEM, libc::NLM_F_CREATE),
            MsgType::Del => (libc::NFT_MSG_DELSETELEM, 0),
        };
        let (kind, flags) = (kind as u16, flags as u16);
        let family = libc::NFPROTO_INET as u16;
        // SAFETY: the caller gives room for the longest message; the set is alive.
        unsafe {
            let header = sys::nftnl_nlmsg_build_hdr(buffer.cast(), kind, family, flags, seq);
            sys::nftnl_set_elems_nlmsg_build_payload(header, self.0.as_ptr());
        }
    }
}

impl Drop for Elements {
    fn drop(&mut self) {
        // SAFETY: it was allocated by libnftnl, owns its elements, and is not used again.
        unsafe { sys::nftnl_set_free(self.0.as_ptr()) };
    }
}

impl Expression for Step {
    fn to_expr(&self, rule: &nftnl::Rule<'_>) -> NonNull<sys::nftnl_expr> {
        match self {
            Self::Protocol => Meta::NfProto.to_expr(rule),
            Self::Transport(at) => {
                let made = Meta::L4Proto.to_expr(rule);
                into(made, sys::NFTNL_EXPR_META_DREG, *at)
            }
            Self::Port(at) => {
                // Source and destination port begin the header of TCP and UDP (RFC 9293, RFC 768).
                let field = TransportHeaderField::Raw {
                    offset_bits: 2,
                    length_bits: 2,
                };
                let made = Payload::Transport(field).to_expr(rule);
                into(made, sys::NFTNL_EXPR_PAYLOAD_DREG, *at)
            }
            Self::Connection => Conntrack::State.to_expr(rule),
            Self::TcpFlags => {
                // The byte of flags in a TCP header (RFC 9293 §3.1).
                let field = TransportHeaderField::Raw {
                    offset_bits: 13,
                    length_bits: 1,
                };
                Payload::Transport(field).to_expr(rule)
            }
            Self::Mask(bits) => {
                let nothing = vec![0_u8; bits.len()];
                Bitwise::new(&bits[..], &nothing[..]).to_expr(rule)
            }
            Self::Equals(value) => Cmp::new(CmpOp::Eq, &value[..]).to_expr(rule),
            Self::Differs(value) => Cmp::new(CmpOp::Neq, &value[..]).to_expr(rule),
            Self::Load { offset, bytes, at } => {
                // The crate hands both on as they are: they are bytes, whatever it calls them.
                let field = NetworkHeaderField::Raw {
                    offset_bits: *offset,
                    length_bits: *bytes,
                };
                let made = Payload::Network(field).to_expr(rule);
                into(made, sys::NFTNL_EXPR_PAYLOAD_DREG, *at)
            }
            Self::In(set) => lookup(set, 0),
            Self::NotIn(set) => lookup(set, libc::NFT_LOOKUP_F_INV as u32),
            Self::Count(counter) => {
                let name = text(counter);
                // SAFETY: the expression copies the name and belongs to the caller.
                unsafe {
                    let made = allocated(sys::nftnl_expr_alloc(c"objref".as_ptr()));
                    let raw = made.as_ptr();
                    let kind = sys::NFTNL_EXPR_OBJREF_IMM_TYPE as u16;
                    sys::nftnl_expr_set_u32(raw, kind, COUNTER);
                    let attribute = sys::NFTNL_EXPR_OBJREF_IMM_NAME as u16;
                    sys::nftnl_expr_set_str(raw, attribute, name.as_ptr());
                    made
                }
            }
            Self::Drop | Self::Foreign(_) => Verdict::Drop.to_expr(rule),
        }
    }
}

/// Has an expression load its value there.
fn into(made: NonNull<sys::nftnl_expr>, attribute: u32, at: At) -> NonNull<sys::nftnl_expr> {
    let register = match at.0 % 4 {
        0 => libc::NFT_REG_1 as u32 + at.0 / 4,
        _ => libc::NFT_REG32_00 as u32 + at.0,
    };
    // SAFETY: the expression is alive and nobody else's; the attribute is one of its u32.
    unsafe { sys::nftnl_expr_set_u32(made.as_ptr(), attribute as u16, register) };
    made
}

fn lookup(set: &str, flags: u32) -> NonNull<sys::nftnl_expr> {
    let name = text(set);
    // SAFETY: the expression copies the name and belongs to the caller.
    unsafe {
        let made = allocated(sys::nftnl_expr_alloc(c"lookup".as_ptr()));
        let raw = made.as_ptr();
        let register = libc::NFT_REG_1 as u32;
        sys::nftnl_expr_set_u32(raw, sys::NFTNL_EXPR_LOOKUP_SREG as u16, register);
        sys::nftnl_expr_set_str(raw, sys::NFTNL_EXPR_LOOKUP_SET as u16, name.as_ptr());
        sys::nftnl_expr_set_u32(raw, sys::NFTNL_EXPR_LOOKUP_FLAGS as u16, flags);
        made
    }
}

/// A name as C wants it. Ours hold no NUL; one that did would name nothing.
fn text(name: &str) -> CString {
    CString::new(name).unwrap_or_default()
}

/// What libnftnl allocated. Without memory for so little the program cannot go on.
fn allocated<T>(pointer: *mut T) -> NonNull<T> {
    NonNull::new(pointer).unwrap_or_else(|| handle_alloc_error(Layout::new::<u64>()))
}
