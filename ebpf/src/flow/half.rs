//! One side of a conversation, as far as counters go.
//! It knows nothing of the other side, nor what a packet means to the flow.

use crate::packet::{Packet, flag, protocol};

/// What one side of a flow sent.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Half {
    /// Bytes from the IP header on.
    pub bytes: u64,
    /// Bytes after the transport header.
    pub payload: u64,
    /// Sum of the squares of the segments' IP lengths.
    pub length_squares: u64,
    /// Sum of the gaps between packets, microseconds.
    pub gap_sum: u64,
    /// Sum of the squares of the gaps, milliseconds squared: microseconds would overflow within half an hour.
    pub gap_squares: u64,
    /// Time of the last packet, microseconds; 0 before the first.
    pub last: u64,
    /// Packets; segments where an offload merged them.
    pub packets: u32,
    /// Packets that carried payload.
    pub payload_packets: u32,
    /// Shortest gap between two packets, microseconds.
    pub gap_min: u32,
    /// Longest gap between two packets, microseconds.
    pub gap_max: u32,
    /// TCP: the sequence number expected next from this side.
    pub next_seq: u32,
    /// Shortest IP length.
    pub length_min: u16,
    /// Longest IP length.
    pub length_max: u16,
    /// Packets with SYN.
    pub syn: u16,
    /// Packets with FIN.
    pub fin: u16,
    /// Packets with RST.
    pub rst: u16,
    /// Packets with PSH.
    pub psh: u16,
}

impl Half {
    #[inline(always)]
    pub(super) fn charge(&mut self, packet: &Packet) {
        let length = saturate_u16(packet.segment_len);
        if self.packets == 0 {
            self.length_min = length;
            self.length_max = length;
            self.gap_min = u32::MAX;
        } else {
            let gap = packet.time.saturating_sub(self.last);
            let short = if gap > u64::from(u32::MAX) {
                u32::MAX
            } else {
                gap as u32
            };
            self.gap_min = self.gap_min.min(short);
            self.gap_max = self.gap_max.max(short);
            self.gap_sum = self.gap_sum.saturating_add(gap);
            let millis = u64::from(short / 1000);
            self.gap_squares = self.gap_squares.saturating_add(millis * millis);
            self.length_min = self.length_min.min(length);
            self.length_max = self.length_max.max(length);
        }
        let squares = u64::from(length) * u64::from(length) * u64::from(packet.segments);
        self.length_squares = self.length_squares.saturating_add(squares);
        self.bytes = self.bytes.saturating_add(u64::from(packet.bytes));
        self.payload = self.payload.saturating_add(u64::from(packet.payload));
        self.packets = self.packets.saturating_add(packet.segments);
        if packet.payload > 0 {
            self.payload_packets = self.payload_packets.saturating_add(packet.segments);
        }
        if packet.time > self.last {
            self.last = packet.time;
        }
        if packet.endpoints.protocol == protocol::TCP {
            let has = |bit: u8| u16::from(packet.flags & bit != 0);
            self.syn = self.syn.saturating_add(has(flag::SYN));
            self.fin = self.fin.saturating_add(has(flag::FIN));
            self.rst = self.rst.saturating_add(has(flag::RST));
            self.psh = self.psh.saturating_add(has(flag::PSH));
        }
    }
}

#[inline(always)]
fn saturate_u16(value: u32) -> u16 {
    if value > u32::from(u16::MAX) {
        u16::MAX
    } else {
        value as u16
    }
}
