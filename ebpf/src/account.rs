//! The orchestration: which flow, hosts and pair a packet is charged to, and when a snapshot is taken.
//! It keeps nothing itself; what is kept lives in the tables.

use crate::flow::{FlowKey, FlowStats, Side, ThreadExits, event, state};
use crate::host::{Aims, HostKey};
use crate::packet::{Kind, Packet, protocol};
use crate::pair::{PairKey, PairStats};
use crate::snapshot::{Snapshot, reason};
use crate::tables::{Loss, Tables};

/// Snapshots begin at this count: from 1 on, a spoofed flood would make one of every packet.
const FIRST_TRIGGER: u32 = 4;
/// The victim alarm's first snapshot: fewer initiators are everyday traffic.
const FIRST_INITIATORS: u32 = 64;
/// Under suspicion every opening, answer and end is a snapshot up to this many flows a minute; then powers of two again.
const SUSPECT_FLOWS: u32 = 256;

/// Under suspicion a long flow is a snapshot every 2⁶ packets: a flood in one flow opens and closes nothing.
const SUSPECT_STRIDE: u32 = 6;

/// Settings of the meter.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Limits {
    /// Seed of the bitmap hashes; fixed in replay.
    pub seed: u64,
    /// New initiators a minute of flows to one responder that may be forged; above, only proven ones get an entry.
    pub flood_guard: u32,
    /// 1 keeps conversations of different VLANs and tunnels apart, 0 joins them: many networks tag one direction only.
    pub separate_tags: u32,
}

/// The meter's working memory: too large for the kernel's stack of 512 bytes.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Work {
    /// The packet, filled by [`crate::packet::parse`].
    pub packet: Packet,
    /// Settings.
    pub limits: Limits,
    key: FlowKey,
    flow: FlowStats,
    initiator: HostKey,
    responder: HostKey,
    pair: PairKey,
    ending: ThreadExits,
    /// What the packet changed in its flow, see [`event`]. Here and not in a variable, as is `reasons`: the kernel's
    /// verifier follows every value of a variable that is tested twice, and takes what comes out of memory for unknown.
    events: u32,
    reasons: u32,
    /// How the packet that opened the flow arrived.
    arrival: u32,
    reserved: u32,
    snapshot: Snapshot,
}

impl Work {
    /// Working memory for one packet at a time under `limits`.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            ..Self::default()
        }
    }

    /// Names the hosts and the pair: `sender_initiates` says in which direction.
    #[inline(always)]
    fn name_hosts(&mut self, sender_initiates: bool) {
        let ends = &self.packet.endpoints;
        let (initiator, responder, port) = if sender_initiates {
            (ends.source, ends.destination, ends.destination_port)
        } else {
            (ends.destination, ends.source, ends.source_port)
        };
        let link = self.packet.link;
        self.initiator = HostKey {
            address: initiator,
            link,
            reserved: 0,
        };
        self.responder = HostKey {
            address: responder,
            link,
            reserved: 0,
        };
        self.pair = PairKey::new(
            initiator,
            responder,
            link,
            (port, ends.protocol, ends.icmp_type),
        );
    }

    /// The tag that is part of a flow's name.
    #[inline(always)]
    fn tag(&self) -> u32 {
        if self.limits.separate_tags != 0 {
            self.packet.tag
        } else {
            0
        }
    }

    /// Whether the packet had any of the [`event`] bits in `bits`.
    #[inline(always)]
    fn had(&self, bits: u32) -> bool {
        self.events & bits != 0
    }

    /// What the flow adds to its initiator. Hashed late: most of a flood never gets so far.
    #[inline(always)]
    fn aims(&self) -> Aims {
        let service = (self.pair.port, self.pair.protocol);
        Aims::new(self.limits.seed, &self.responder.address, service)
    }
}

/// Charges the packet in `work` to `tables`, and takes the snapshots it makes due.
#[inline(always)]
pub fn account<T: Tables>(tables: &mut T, work: &mut Work) {
    match work.packet.kind {
        Kind::Flow => {}
        // Without ports there is no telling whose flow it belongs to, nor who opened that.
        Kind::LaterFragment => return tables.lose(Loss::Fragment),
        Kind::Error | Kind::Unreachable => {
            if account_error(tables, work) {
                return;
            }
        }
    }
    let tag = work.tag();
    let side = work
        .key
        .write(&work.packet.endpoints, work.packet.link, tag);
    let found = tables.find_flow(&work.key);
    if let Some(flow) = found
        && !tables.flow(flow).is_over(&work.packet)
    {
        return account_packet(tables, work, flow, side);
    }
    work.flow.open(&work.packet, side);
    match found {
        Some(flow) => *tables.flow(flow) = work.flow,
        None => tables.insert_flow(&work.key, &work.flow),
    }
    account_opening(tables, work);
}

/// An ICMP error belongs to the live flow whose packet it quotes, if it goes back to that packet's sender.
#[inline(always)]
fn account_error<T: Tables>(tables: &mut T, work: &mut Work) -> bool {
    if work.packet.quoted.source != work.packet.endpoints.destination {
        return false;
    }
    let tag = work.tag();
    work.key.write(&work.packet.quoted, work.packet.link, tag);
    let Some(flow) = tables.find_flow(&work.key) else {
        return false;
    };
    let stats = tables.flow(flow);
    let told = if work.packet.kind == Kind::Unreachable {
        state::UNREACHABLE
    } else {
        state::EXPIRED
    };
    if stats.is(told) {
        return true;
    }
    let silent = !stats.is(state::ANSWERED | state::UNREACHABLE | state::EXPIRED);
    stats.state |= told;
    work.initiator = HostKey {
        address: work.packet.quoted.source,
        link: work.packet.link,
        reserved: 0,
    };
    let Some(initiator) = tables.find_host(&work.initiator) else {
        return true;
    };
    let host = tables.host(initiator);
    host.advance(work.packet.time);
    if told == state::UNREACHABLE {
        host.find_unreachable();
    }
    if silent && told == state::EXPIRED {
        host.be_answered(false);
    }
    true
}

/// The first packet of a flow, already in `work.flow`, charged to its sender as initiator.
#[inline(always)]
fn account_opening<T: Tables>(tables: &mut T, work: &mut Work) {
    if work.flow.is_unopened(work.packet.endpoints.protocol) {
        return;
    }
    let time = work.packet.time;
    work.events = 0;
    work.reasons = 0;
    work.name_hosts(true);
    let Some(responder) = tables.open_host(&work.responder) else {
        return tables.lose(Loss::Host);
    };
    let host = tables.host(responder);
    host.advance(time);
    let is_new = host.receive(work.limits.seed, &work.initiator.address);
    host.respond(&work.packet, false);
    // As many flows at least, before the bits are worth counting.
    if is_new && host.received() >= FIRST_INITIATORS {
        let initiators = u32::from(host.initiators());
        if initiators >= FIRST_INITIATORS && initiators.is_power_of_two() {
            work.reasons |= reason::INITIATORS;
        }
    }
    let Some(initiator) = open_initiator(tables, work, responder) else {
        if work.reasons != 0 {
            work.snapshot.flow = work.flow;
            work.snapshot.initiator = Default::default();
            work.snapshot.pair = PairStats::default();
            finish(tables, work, responder);
        }
        return;
    };
    let host = tables.host(initiator);
    host.advance(time);
    if !work.flow.is(state::REVERSED) {
        host.initiate(time, &work.aims());
    }
    host.send(&work.packet);
    let (opened, unanswered) = host.opened_and_unanswered();
    if opened >= FIRST_TRIGGER && opened.is_power_of_two() {
        work.reasons |= reason::FLOWS;
    }
    if unanswered >= FIRST_TRIGGER && unanswered.is_power_of_two() {
        work.reasons |= reason::UNANSWERED;
    }
    if opened <= SUSPECT_FLOWS && tables.is_suspect(&work.initiator) {
        work.reasons |= reason::SUSPECT;
    }
    if work.reasons != 0 {
        work.snapshot.flow = work.flow;
        snapshot(tables, work, initiator, responder);
    }
}

/// A further packet of a flow.
#[inline(always)]
fn account_packet<T: Tables>(tables: &mut T, work: &mut Work, flow: T::Flow, side: Side) {
    let time = work.packet.time;
    let stats = tables.flow(flow);
    work.reasons = 0;
    work.arrival = stats.arrival;
    work.events = stats.charge(&work.packet, side);
    work.ending = stats.ending();
    let unopened = stats.is_unopened(work.packet.endpoints.protocol);
    let packets = stats.packets();
    let before = packets - work.packet.segments.min(packets);
    // The highest bit differs: a power of two was reached or, by merged segments, passed.
    if packets >= FIRST_TRIGGER && (before ^ packets) > (before & packets) {
        work.reasons |= reason::PACKETS;
    }
    if before >> SUSPECT_STRIDE != packets >> SUSPECT_STRIDE {
        work.events |= event::STRODE;
    }
    if work.had(event::ANSWERED) {
        tables.keep_flow(flow);
    }
    if unopened {
        return account_unopened(tables, work);
    }
    work.name_hosts(work.had(event::FORTH));
    let Some(responder) = tables.open_host(&work.responder) else {
        return tables.lose(Loss::Host);
    };
    let host = tables.host(responder);
    host.advance(time);
    host.respond(&work.packet, !work.had(event::FORTH));
    if work.had(event::TURNED) {
        host.receive(work.limits.seed, &work.initiator.address);
    }
    if work.had(event::ANSWERED) {
        host.answer();
    }
    if work.had(event::ACCEPTED) {
        host.believe();
    }
    let Some(initiator) = open_initiator(tables, work, responder) else {
        return;
    };
    let host = tables.host(initiator);
    host.advance(time);
    if work.had(event::TURNED) {
        host.initiate(time, &work.aims());
        if work.packet.endpoints.protocol != protocol::TCP {
            host.answer();
        }
    }
    if work.had(event::FORTH) {
        host.send(&work.packet);
    } else {
        host.be_sent(&work.packet);
    }
    if work.had(event::PROVED) {
        host.prove(time, work.arrival);
    }
    if work.had(event::ANSWERED) {
        host.be_answered(work.had(event::REFUSED));
    }
    if work.had(event::CLOSED) {
        host.close(&work.ending);
        work.reasons |= reason::CLOSED;
    }
    let (opened, _) = host.opened_and_unanswered();
    if work.had(event::ANSWERED | event::CLOSED) && work.had(event::CONVERSING) {
        charge_pair(tables, work);
    }
    if work.had(event::ANSWERED | event::CLOSED | event::STRODE)
        && opened <= SUSPECT_FLOWS
        && tables.is_suspect(&work.initiator)
    {
        work.reasons |= reason::SUSPECT;
    }
    if work.reasons != 0 {
        work.snapshot.flow = *tables.flow(flow);
        snapshot(tables, work, initiator, responder);
    }
}

/// A further packet of a flow nobody can be charged with: all it may show is that its ends converse under their own names.
#[inline(always)]
fn account_unopened<T: Tables>(tables: &mut T, work: &mut Work) {
    if !work.had(event::PROVED) {
        return;
    }
    work.name_hosts(true);
    if let Some(host) = tables.open_host(&work.initiator) {
        let host = tables.host(host);
        host.advance(work.packet.time);
        host.prove(work.packet.time, 0);
    }
}

/// The initiator's entry; a new one only where the flood guard of `responder` lets it be, or nobody could forge it.
#[inline(always)]
fn open_initiator<T: Tables>(tables: &mut T, work: &Work, responder: T::Host) -> Option<T::Host> {
    if let Some(initiator) = tables.find_host(&work.initiator) {
        return Some(initiator);
    }
    if tables.host(responder).doubt() >= work.limits.flood_guard && !work.had(event::GENUINE) {
        tables.lose(Loss::FloodGuard);
        return None;
    }
    let Some(initiator) = tables.open_host(&work.initiator) else {
        tables.lose(Loss::Host);
        return None;
    };
    tables.host(responder).meet();
    Some(initiator)
}

/// Charges an answer or an end to the pair.
#[inline(always)]
fn charge_pair<T: Tables>(tables: &mut T, work: &mut Work) {
    let Some(pair) = tables.open_pair(&work.pair) else {
        return tables.lose(Loss::Pair);
    };
    let pair = tables.pair(pair);
    if work.had(event::ANSWERED) {
        pair.open(work.packet.time);
        if pair.attempts >= FIRST_TRIGGER && pair.attempts.is_power_of_two() {
            work.reasons |= reason::ATTEMPTS;
        }
    }
    if work.had(event::CLOSED) {
        pair.close(&work.ending);
    }
}

/// Completes the snapshot whose flow is written, and takes it out.
#[inline(always)]
fn snapshot<T: Tables>(tables: &mut T, work: &mut Work, initiator: T::Host, responder: T::Host) {
    work.snapshot
        .initiator
        .write(tables.host(initiator), work.packet.time);
    work.snapshot.pair = PairStats::default();
    if let Some(pair) = tables.find_pair(&work.pair) {
        work.snapshot.pair = *tables.pair(pair);
    }
    finish(tables, work, responder);
}

#[inline(always)]
fn finish<T: Tables>(tables: &mut T, work: &mut Work, responder: T::Host) {
    work.snapshot
        .responder
        .write(tables.host(responder), work.packet.time);
    work.snapshot.time = work.packet.time;
    work.snapshot.reason = work.reasons;
    work.snapshot.key = work.key;
    tables.emit(&work.snapshot);
}
