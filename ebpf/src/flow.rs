//! Flows: the two-way conversation and its counters.
//! Nothing here knows a table or a clock; time comes with the packet.

mod half;
mod key;

use crate::packet::{Packet, flag, protocol};

pub use half::Half;
pub use key::{FlowKey, Side};

/// A flow that got an answer ends after this long without a packet, microseconds: above the keep-alive of most protocols.
pub const ANSWERED_IDLE: u64 = 300_000_000;
/// A flow without an answer ends after this long without a packet, microseconds: above TCP's third retry.
pub const UNANSWERED_IDLE: u64 = 60_000_000;

/// An unanswered flow is looked at again after this long, microseconds: TCP's second retry has had its chance.
pub const SILENCE: u64 = 3_000_000;

/// Ports from here on are taken by clients (Linux's default range begins here, IANA's and Windows' lies above).
const EPHEMERAL: u16 = 32_768;

/// Payload lengths kept from the start of a flow; the first formats of most protocols is done by then.
pub const OPENING: usize = 4;

/// State bits of a flow.
pub mod state {
    /// The side with the higher endpoint is the initiator.
    pub const INITIATOR_HIGH: u32 = 1;
    /// The responder has spoken.
    pub const ANSWERED: u32 = 1 << 1;
    /// The responder's first word was a reset.
    pub const REFUSED: u32 = 1 << 2;
    /// Both sides are done, or one has reset; what follows is a trailing packet.
    pub const CLOSED: u32 = 1 << 3;
    /// The initiator acknowledged a sequence number the responder chose.
    pub const PROVEN: u32 = 1 << 4;
    /// First seen from its responder, and the initiator has not spoken yet.
    pub const REVERSED: u32 = 1 << 5;
    /// A router or host said that the responder cannot be reached.
    pub const UNREACHABLE: u32 = 1 << 6;
    /// Its first packet did not open it: the meter came late.
    pub const MIDSTREAM: u32 = 1 << 7;
    /// A router said that a packet of the initiator had travelled too far: a traceroute's question, answered.
    pub const EXPIRED: u32 = 1 << 8;
}

/// What one packet changed in its flow, beyond counters.
pub mod event {
    /// The responder spoke for the first time.
    pub const ANSWERED: u32 = 1;
    /// The responder's first word was a reset.
    pub const REFUSED: u32 = 1 << 1;
    /// The flow ended.
    pub const CLOSED: u32 = 1 << 2;
    /// The initiator of a flow first seen from its responder spoke.
    pub const TURNED: u32 = 1 << 3;
    /// This packet proves that its sender takes part in a conversation, with payload both ways, under its own address.
    pub const PROVED: u32 = 1 << 4;
    /// It is charged as sent by the initiator, and not as its answer.
    pub const FORTH: u32 = 1 << 5;
    /// The flow has an answer, and that is no reset.
    pub const CONVERSING: u32 = 1 << 6;
    /// The flow's packets passed a multiple of the stride at which suspects are looked at.
    pub const STRODE: u32 = 1 << 7;
    /// The flow's initiator is proven to have the address it gives, by this packet or an earlier one.
    pub const GENUINE: u32 = 1 << 8;
    /// The flow is one a forger could not have made, or none that can be told from it: a handshake is complete, or what
    /// has no handshake is answered.
    pub const ACCEPTED: u32 = 1 << 9;
}

/// What is known of a flow when it ends.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ThreadExits {
    /// Payload of both sides, bytes.
    pub(crate) payload: u64,
    /// From the first packet to the last, microseconds.
    pub(crate) duration: u64,
}

/// A flow's payload is squared up to this many bytes, so that sums of squares fit 64 bits.
const SQUARED_PAYLOAD: u64 = 1 << 24;

impl ThreadExits {
    #[inline(always)]
    pub(crate) fn payload_square(&self) -> u64 {
        let bounded = self.payload.min(SQUARED_PAYLOAD);
        bounded * bounded
    }
}

/// A flow's counters, one half a side, so that two CPUs with a direction each lose nothing.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FlowStats {
    /// What the endpoint that sorts first sent.
    pub low: Half,
    /// What the other endpoint sent.
    pub high: Half,
    /// Time of the first packet, microseconds.
    pub first: u64,
    /// See [`state`].
    pub state: u32,
    /// TCP: the first sequence number seen from the responder.
    pub responder_seq: u32,
    /// How the packet that opened it arrived, see [`Packet::arrival`]; 0 where no opening was seen.
    pub arrival: u32,
    /// Always 0.
    pub reserved: u32,
    /// Lengths of the first payloads, negative from the responder; 0 where there was none yet.
    pub opening_lengths: [i16; OPENING],
    /// Time from the payload before (for the first, from the flow's start) to each of those, microseconds.
    pub opening_gaps: [u32; OPENING],
}

const _: () = assert!(size_of::<FlowStats>() <= 256);
const _: () = assert!(size_of::<FlowKey>() == 48);

impl FlowStats {
    /// The initiator's side.
    #[inline(always)]
    pub fn initiator(&self) -> Side {
        if self.state & state::INITIATOR_HIGH != 0 {
            Side::High
        } else {
            Side::Low
        }
    }

    /// What the initiator sent and what the responder sent.
    pub fn halves(&self) -> (&Half, &Half) {
        match self.initiator() {
            Side::Low => (&self.low, &self.high),
            Side::High => (&self.high, &self.low),
        }
    }

    /// Whether any of the [`state`] bits in `bits` is set.
    #[inline(always)]
    pub fn is(&self, bits: u32) -> bool {
        self.state & bits != 0
    }

    /// Packets of both sides.
    #[inline(always)]
    pub fn packets(&self) -> u32 {
        self.low.packets.saturating_add(self.high.packets)
    }

    /// Payload bytes of both sides.
    #[inline(always)]
    pub fn payload(&self) -> u64 {
        self.low.payload.saturating_add(self.high.payload)
    }

    /// Time of the last packet of either side, microseconds.
    #[inline(always)]
    pub fn last(&self) -> u64 {
        self.low.last.max(self.high.last)
    }

    /// From the first packet to the last, microseconds.
    #[inline(always)]
    pub fn duration(&self) -> u64 {
        self.last().saturating_sub(self.first)
    }

    #[inline(always)]
    pub(crate) fn ending(&self) -> ThreadExits {
        ThreadExits {
            payload: self.payload(),
            duration: self.duration(),
        }
    }

    /// Whether the flow has ended by silence at `time`.
    #[inline(always)]
    pub fn is_idle(&self, time: u64) -> bool {
        let limit = if self.is(state::ANSWERED) {
            ANSWERED_IDLE
        } else {
            UNANSWERED_IDLE
        };
        time.saturating_sub(self.last()) >= limit
    }

    /// Whether nothing has come back yet, and the flow is still open.
    #[inline(always)]
    pub fn is_silent(&self) -> bool {
        !self.is(state::ANSWERED | state::CLOSED)
    }

    /// Whether nobody can be charged with having opened it: TCP of which the meter saw neither a SYN nor yet, after a
    /// SYN+ACK, the side that must have sent one. A server that closes what has been idle for long, answers without their
    /// questions, and a mirror of one direction all look so.
    #[inline(always)]
    pub fn is_unopened(&self, protocol: u8) -> bool {
        protocol == protocol::TCP && self.state & (state::MIDSTREAM | state::REVERSED) != 0
    }

    /// Whether `packet` begins another conversation under the same key.
    #[inline(always)]
    pub fn is_over(&self, packet: &Packet) -> bool {
        let reopens = packet.endpoints.protocol == protocol::TCP
            && packet.flags & (flag::SYN | flag::ACK) == flag::SYN;
        (reopens && self.is(state::CLOSED)) || self.is_idle(packet.time)
    }

    /// Starts the flow with its first packet, sent by `side`.
    #[inline(always)]
    pub fn open(&mut self, packet: &Packet, side: Side) {
        *self = Self::default();
        self.first = packet.time;
        let reversed = comes_from_responder(packet);
        if (side == Side::High) != reversed {
            self.state |= state::INITIATOR_HIGH;
        }
        if reversed {
            self.state |= state::REVERSED;
        }
        if packet.endpoints.protocol == protocol::TCP && packet.flags & flag::SYN == 0 {
            self.state |= state::MIDSTREAM;
        } else if !reversed {
            self.arrival = packet.arrival;
        }
        self.charge(packet, side);
    }

    /// Adds a packet sent by `side` and returns what it changed, see [`event`].
    #[inline(always)]
    pub fn charge(&mut self, packet: &Packet, side: Side) -> u32 {
        let from_initiator = side == self.initiator();
        let mut events = 0;
        if packet.payload > 0 {
            self.note_opening(packet, from_initiator);
        }
        let opposite_seq = if side == Side::Low {
            self.high.next_seq
        } else {
            self.low.next_seq
        };
        let half = if side == Side::Low {
            &mut self.low
        } else {
            &mut self.high
        };
        let first_word = half.packets == 0;
        half.charge(packet);
        let tcp = packet.endpoints.protocol == protocol::TCP;
        // A reset repeats a number its sender was given (RFC 9293 §3.5.2), so it says nothing of whom it goes to.
        if tcp && packet.flags & flag::RST == 0 {
            let controls =
                u32::from(packet.flags & flag::SYN != 0) + u32::from(packet.flags & flag::FIN != 0);
            half.next_seq = packet
                .seq
                .wrapping_add(packet.payload)
                .wrapping_add(controls);
        }
        if from_initiator {
            // A reset of something nobody asked for opens nothing.
            if self.state & state::REVERSED != 0 && !(tcp && packet.flags & flag::RST != 0) {
                self.state = self.state & !state::REVERSED | state::ANSWERED;
                events |= event::TURNED | event::ANSWERED;
                if !tcp {
                    events |= event::ACCEPTED;
                }
            }
            let live = self.state & (state::ANSWERED | state::CLOSED) == state::ANSWERED;
            if tcp && packet.flags & (flag::ACK | flag::RST) == flag::ACK && live {
                // Within what the responder sent: only who received it can name a number in that range.
                let sent = opposite_seq.wrapping_sub(self.responder_seq);
                let acked = packet.ack.wrapping_sub(self.responder_seq);
                if acked != 0 && acked <= sent && sent < 1 << 30 {
                    if self.state & state::PROVEN == 0 {
                        self.state |= state::PROVEN;
                        events |= event::ACCEPTED;
                    }
                    if self.low.payload > 0 && self.high.payload > 0 {
                        events |= event::PROVED;
                    }
                }
            }
        } else if first_word {
            self.responder_seq = packet.seq;
            if self.state & state::REVERSED == 0 {
                self.state |= state::ANSWERED;
                events |= event::ANSWERED;
                if !tcp {
                    events |= event::ACCEPTED;
                }
                // A reset that answers a FIN, or data, refuses nothing.
                if tcp && packet.flags & flag::RST != 0 && !self.has_said_more_than_syn() {
                    self.state |= state::REFUSED;
                    events |= event::REFUSED;
                }
            }
        }
        let finished = self.low.fin > 0 && self.high.fin > 0;
        let reset = self.low.rst > 0 || self.high.rst > 0;
        if (finished || reset) && self.state & state::CLOSED == 0 {
            self.state |= state::CLOSED;
            events |= event::CLOSED;
        }
        if from_initiator || self.state & state::REVERSED != 0 {
            events |= event::FORTH;
        }
        if self.state & (state::ANSWERED | state::REFUSED) == state::ANSWERED {
            events |= event::CONVERSING;
        }
        if self.state & state::PROVEN != 0 {
            events |= event::GENUINE;
        }
        events
    }

    /// Whether the initiator has sent payload or ended its side.
    #[inline(always)]
    fn has_said_more_than_syn(&self) -> bool {
        let forward = match self.initiator() {
            Side::Low => &self.low,
            Side::High => &self.high,
        };
        forward.payload > 0 || forward.fin > 0
    }

    #[inline(always)]
    fn note_opening(&mut self, packet: &Packet, from_initiator: bool) {
        // One segment's share: a merged frame opens a flow as its segments would have done.
        let share = packet.payload.div_ceil(packet.segments.max(1));
        let length = share.min(i16::MAX as u32) as i16;
        let length = if from_initiator { length } else { -length };
        let mut before = self.first;
        for (slot, gap) in self.opening_lengths.iter_mut().zip(&mut self.opening_gaps) {
            if *slot == 0 {
                *slot = length;
                let since = packet.time.saturating_sub(before);
                *gap = since.min(u64::from(u32::MAX)) as u32;
                return;
            }
            before += u64::from(*gap);
        }
    }
}

/// Whether the first packet of a flow was sent by the side that answers.
#[inline(always)]
fn comes_from_responder(packet: &Packet) -> bool {
    let ends = &packet.endpoints;
    let from_service = ends.source_port < 1024 && ends.destination_port >= 1024;
    let to_client = ends.source_port < EPHEMERAL && ends.destination_port >= EPHEMERAL;
    match ends.protocol {
        protocol::TCP if packet.flags & flag::RST != 0 => true,
        protocol::TCP if packet.flags & flag::SYN != 0 => packet.flags & flag::ACK != 0,
        protocol::TCP => from_service,
        protocol::UDP => from_service || to_client,
        protocol::ICMP | protocol::ICMPV6 => packet.icmp_reply != 0,
        _ => false,
    }
}
