//! Hosts: what one address did lately, as initiator and as responder.
//! Windows are two buckets that rotate with packet time; no counter waits for a timer.

mod aims;
mod sums;
mod window;

use crate::flow::ThreadExits;
use crate::packet::{Address, Packet, flag, protocol};

pub use aims::Aims;
use aims::hash;
pub use sums::{InitiatorSums, ResponderSums};
use window::Age;
pub use window::{Bitmap, Window};

/// Half of the minute window, microseconds: two buckets cover between 30 and 60 s.
pub const MINUTE_BUCKET: u64 = 30_000_000;
/// Half of the half-hour window, microseconds.
pub const HALF_HOUR_BUCKET: u64 = 900_000_000;
/// Half of the window that tells a burst from a habit, microseconds; a flow younger than this may yet be answered.
pub const SECOND_BUCKET: u64 = 1_000_000;

const DNS: u16 = 53;

/// Names one address on one captured interface.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HostKey {
    /// The host.
    pub address: Address,
    /// Capturing interface, with [`crate::packet::TUNNELLED`] where it applies.
    pub link: u32,
    /// Always 0: keys are compared as bytes in the kernel.
    pub reserved: u32,
}

/// Half a minute of a host. Counters saturate.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Minute {
    /// As initiator.
    pub initiated: Initiated,
    /// As responder.
    pub received: Received,
    /// New initiators of flows to this host, less the flows no forger could have made.
    pub doubt: u32,
    /// Distinct responders.
    pub peers: Bitmap<8>,
    /// Distinct responder ports, by protocol.
    pub ports: Bitmap<8>,
    /// Distinct (responder, port, protocol).
    pub services: Bitmap<8>,
    /// Distinct initiators of flows to this host.
    pub initiators: Bitmap<16>,
}

/// What a host did as initiator, in a bucket or in a window.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Initiated {
    /// Flows it opened.
    pub opened: u32,
    /// Of these, answered; `opened − answered` are unanswered.
    pub answered: u32,
    /// Answered with a reset.
    pub refused: u32,
    /// Answered with ICMP unreachable.
    pub unreachable: u32,
    /// Closed.
    pub closed: u32,
    /// Closed without any payload.
    pub short: u32,
    /// Packets with SYN and without ACK.
    pub syns: u32,
    /// Packets it sent.
    pub packets_out: u32,
    /// Packets it was sent back.
    pub packets_in: u32,
    /// Bytes it sent, from the IP header on.
    pub bytes_out: u32,
    /// Bytes it was sent back.
    pub bytes_in: u32,
    /// Payload it sent.
    pub payload_out: u32,
    /// Payload it was sent back.
    pub payload_in: u32,
    /// Sum of the gaps between openings, microseconds.
    pub gap_sum: u32,
    /// Sum of their squares, milliseconds squared.
    pub gap_squares: u32,
    /// DNS queries sent over UDP.
    pub dns_queries: u32,
    /// Their payload.
    pub dns_query_payload: u32,
    /// DNS replies received over UDP.
    pub dns_replies: u32,
    /// Their payload.
    pub dns_reply_payload: u32,
}

/// What a host was sent as responder, in a bucket or in a window.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Received {
    /// Flows opened to it.
    pub opened: u32,
    /// Of these, answered.
    pub answered: u32,
    /// Packets sent to it.
    pub packets_in: u32,
    /// Packets it answered with.
    pub packets_out: u32,
    /// Bytes sent to it.
    pub bytes_in: u32,
    /// Bytes it answered with.
    pub bytes_out: u32,
}

/// A quarter of an hour of a host as initiator.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HalfHour {
    /// Counters.
    pub habits: Habits,
    /// Distinct responders.
    pub peers: Bitmap<8>,
    /// Distinct (responder, port, protocol).
    pub services: Bitmap<8>,
}

/// What a host did as initiator over the long window.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Habits {
    /// Sum of the payload of closed flows, both directions.
    pub closed_payload: u64,
    /// Sum of its squares, each up to 16 MiB.
    pub closed_payload_squares: u64,
    /// Sum of the duration of closed flows, milliseconds.
    pub closed_duration: u64,
    /// Flows it opened.
    pub opened: u32,
    /// Of these, answered.
    pub answered: u32,
    /// Closed.
    pub closed: u32,
    /// Closed without any payload.
    pub short: u32,
}

/// The last second or two of a host.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Second {
    /// Flows it opened.
    pub opened: u32,
    /// Packets it sent as initiator.
    pub packets_out: u32,
}

/// What one address did lately.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HostStats {
    /// Time of the last packet, microseconds.
    pub last: u64,
    /// Time of the last flow it opened, microseconds; 0 for none.
    pub last_opening: u64,
    /// When it last proved to converse under its own address, microseconds; 0 for never.
    pub proven: u64,
    /// How the openings of its proven conversations arrived, the last two that differ, see
    /// [`Packet::arrival`](crate::packet::Packet::arrival); 0 for none.
    pub arrivals: [u32; 2],
    /// The last second or two.
    pub second: Window<Second>,
    /// The last half to whole minute.
    pub minute: Window<Minute>,
    /// The last quarter to half hour.
    pub half_hour: Window<HalfHour>,
}

const _: () = assert!(size_of::<HostStats>() <= 1434);

/// Adds to a counter, saturating.
macro_rules! add {
    ($counter:expr, $amount:expr) => {
        $counter = $counter.saturating_add($amount)
    };
}

impl HostStats {
    /// Moves the windows to `time`. Every other method expects this to be done.
    #[inline(always)]
    pub fn advance(&mut self, time: u64) {
        if time > self.last {
            self.last = time;
        }
        if self.second.age(time, SECOND_BUCKET) != Age::Both {
            self.second.rotate(time, SECOND_BUCKET);
            if self.minute.age(time, MINUTE_BUCKET) != Age::Both {
                self.rotate_long(time);
            }
        }
    }

    // Not `#[cold]`: that would be a section of its own, and aya resolves calls within one section only.
    #[inline(never)]
    fn rotate_long(&mut self, time: u64) {
        self.minute.rotate(time, MINUTE_BUCKET);
        self.half_hour.rotate(time, HALF_HOUR_BUCKET);
    }

    /// Charges a flow this host opened.
    #[inline(always)]
    pub(crate) fn initiate(&mut self, time: u64, aims: &Aims) {
        let minute = &mut self.minute.current;
        if self.last_opening != 0 {
            let gap = time
                .saturating_sub(self.last_opening)
                .min(2 * MINUTE_BUCKET) as u32;
            add!(minute.initiated.gap_sum, gap);
            let millis = gap / 1000;
            add!(minute.initiated.gap_squares, millis.saturating_mul(millis));
        }
        self.last_opening = time;
        add!(minute.initiated.opened, 1);
        minute.peers.insert(aims.responder);
        minute.ports.insert(aims.port);
        minute.services.insert(aims.service);
        let half_hour = &mut self.half_hour.current;
        add!(half_hour.habits.opened, 1);
        half_hour.peers.insert(aims.responder);
        half_hour.services.insert(aims.service);
        add!(self.second.current.opened, 1);
    }

    /// Charges a flow `initiator` opened to this host; returns whether it set a new bit for distinct initiators.
    /// A bit of the bucket before is not new: else each returning initiator would reach the same number again.
    #[inline(always)]
    pub(crate) fn receive(&mut self, seed: u64, initiator: &Address) -> bool {
        let minute = &mut self.minute;
        add!(minute.current.received.opened, 1);
        let initiator = hash(seed, initiator);
        let known = minute.previous.initiators.contains(initiator);
        minute.current.initiators.insert(initiator) && !known
    }

    /// Bits set for distinct initiators in the minute window: a count too dear for every packet.
    #[inline(always)]
    pub(crate) fn initiators(&self) -> u16 {
        let (now, before) = (&self.minute.current, &self.minute.previous);
        now.initiators.union_len(&before.initiators)
    }

    /// Charges the first answer to a flow this host opened.
    #[inline(always)]
    pub(crate) fn be_answered(&mut self, refused: bool) {
        add!(self.minute.current.initiated.answered, 1);
        add!(self.half_hour.current.habits.answered, 1);
        if refused {
            add!(self.minute.current.initiated.refused, 1);
        }
    }

    /// Notes that it converses under its own address, in a flow whose opening arrived so.
    #[inline(always)]
    pub(crate) fn prove(&mut self, time: u64, arrival: u32) {
        self.proven = time;
        let [last, _] = self.arrivals;
        if arrival != 0 && arrival != last {
            self.arrivals = [arrival, last];
        }
    }

    /// Charges an ICMP error that says a responder of this host cannot be reached.
    #[inline(always)]
    pub(crate) fn find_unreachable(&mut self) {
        add!(self.minute.current.initiated.unreachable, 1);
    }

    /// Charges the answer this host gave to a flow opened to it.
    #[inline(always)]
    pub(crate) fn answer(&mut self) {
        add!(self.minute.current.received.answered, 1);
    }

    /// Charges a new initiator of a flow to this host.
    #[inline(always)]
    pub(crate) fn meet(&mut self) {
        add!(self.minute.current.doubt, 1);
    }

    /// Charges that a flow to this host is one no forger could have made.
    #[inline(always)]
    pub(crate) fn believe(&mut self) {
        let doubt = &mut self.minute.current.doubt;
        *doubt = doubt.saturating_sub(1);
    }

    /// Charges the end of a flow this host opened.
    #[inline(always)]
    pub(crate) fn close(&mut self, ending: &ThreadExits) {
        let short = u32::from(ending.payload == 0);
        add!(self.minute.current.initiated.closed, 1);
        add!(self.minute.current.initiated.short, short);
        let habits = &mut self.half_hour.current.habits;
        add!(habits.closed, 1);
        add!(habits.short, short);
        add!(habits.closed_payload, ending.payload);
        add!(habits.closed_payload_squares, ending.payload_square());
        add!(habits.closed_duration, ending.duration / 1000);
    }

    /// Charges a packet this host sent as initiator.
    #[inline(always)]
    pub(crate) fn send(&mut self, packet: &Packet) {
        let initiated = &mut self.minute.current.initiated;
        add!(initiated.packets_out, packet.segments);
        add!(initiated.bytes_out, packet.bytes);
        add!(initiated.payload_out, packet.payload);
        if packet.flags & (flag::SYN | flag::ACK) == flag::SYN {
            add!(initiated.syns, 1);
        }
        if packet.endpoints.protocol == protocol::UDP && packet.endpoints.destination_port == DNS {
            let counted = u32::from(packet.long_by_nature == 0);
            add!(initiated.dns_queries, counted);
            add!(initiated.dns_query_payload, counted * packet.payload);
        }
        add!(self.second.current.packets_out, packet.segments);
    }

    /// Charges a packet this host was sent in answer, as initiator.
    #[inline(always)]
    pub(crate) fn be_sent(&mut self, packet: &Packet) {
        let initiated = &mut self.minute.current.initiated;
        add!(initiated.packets_in, packet.segments);
        add!(initiated.bytes_in, packet.bytes);
        add!(initiated.payload_in, packet.payload);
        if packet.endpoints.protocol == protocol::UDP && packet.endpoints.source_port == DNS {
            let counted = u32::from(packet.long_by_nature == 0);
            add!(initiated.dns_replies, counted);
            add!(initiated.dns_reply_payload, counted * packet.payload);
        }
    }

    /// Charges a packet of a flow in which this host is the responder.
    #[inline(always)]
    pub(crate) fn respond(&mut self, packet: &Packet, outward: bool) {
        let received = &mut self.minute.current.received;
        if outward {
            add!(received.packets_out, packet.segments);
            add!(received.bytes_out, packet.bytes);
        } else {
            add!(received.packets_in, packet.segments);
            add!(received.bytes_in, packet.bytes);
        }
    }

    /// Flows opened to this host in the minute window.
    #[inline(always)]
    pub(crate) fn received(&self) -> u32 {
        let Window {
            current, previous, ..
        } = &self.minute;
        current
            .received
            .opened
            .saturating_add(previous.received.opened)
    }

    /// New initiators of flows to this host in the minute window that may be forged.
    #[inline(always)]
    pub(crate) fn doubt(&self) -> u32 {
        let Window {
            current, previous, ..
        } = &self.minute;
        current.doubt.saturating_add(previous.doubt)
    }

    /// Flows this host opened in the minute window, and how many of them got no answer.
    #[inline(always)]
    pub(crate) fn opened_and_unanswered(&self) -> (u32, u32) {
        let (now, before) = (
            &self.minute.current.initiated,
            &self.minute.previous.initiated,
        );
        let opened = now.opened.saturating_add(before.opened);
        (
            opened,
            opened.saturating_sub(now.answered.saturating_add(before.answered)),
        )
    }
}
