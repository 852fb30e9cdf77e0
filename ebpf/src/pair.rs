//! Pairs: how often, how regularly and how much one initiator uses one service.
//! A pair opens at a flow's first answer, so that a flood or a scan of silent hosts cannot flush the table.

use crate::flow::ThreadExits;
use crate::packet::{Address, protocol};

/// Names a service of a responder and one initiator that uses it.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PairKey {
    /// Who opens the flows.
    pub initiator: Address,
    /// Who answers.
    pub responder: Address,
    /// Capturing interface.
    pub link: u32,
    /// Responder's port.
    pub port: u16,
    /// IANA protocol number.
    pub protocol: u8,
    /// Always 0: keys are compared as bytes in the kernel.
    pub reserved: u8,
}

impl PairKey {
    /// The pair of `initiator` and what it asks of `responder` on `link`: `service` is port, protocol and ICMP type.
    #[inline(always)]
    pub fn new(initiator: Address, responder: Address, link: u32, service: (u16, u8, u8)) -> Self {
        let (port, protocol, icmp_type) = service;
        // An ICMP identifier is chosen by the initiator; the type is what it asks for.
        let port = match protocol {
            protocol::ICMP | protocol::ICMPV6 => u16::from(icmp_type),
            _ => port,
        };
        Self {
            initiator,
            responder,
            link,
            port,
            protocol,
            reserved: 0,
        }
    }
}

/// What has passed between the two since [`PairStats::first`], an hour ago at most.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PairStats {
    /// Time of the first answered flow, microseconds.
    pub first: u64,
    /// Time of the last answered flow, microseconds.
    pub last: u64,
    /// Sum of the squares of the gaps between attempts, milliseconds squared.
    pub gap_squares: u64,
    /// Sum of the payload of closed attempts, both directions.
    pub payload_sum: u64,
    /// Sum of its squares, each up to 16 MiB.
    pub payload_squares: u64,
    /// Answered flows.
    pub attempts: u32,
    /// Of these, closed.
    pub closed: u32,
}

/// A pair starts anew after this long, microseconds: what a model learnt from short captures must hold after weeks.
const SPAN: u64 = 3_600_000_000;

/// A gap is squared up to this many milliseconds (a day), so that sums of squares fit 64 bits.
const SQUARED_GAP: u64 = 86_400_000;

impl PairStats {
    /// Charges an answered flow.
    #[inline(always)]
    pub(crate) fn open(&mut self, time: u64) {
        if time.saturating_sub(self.first) >= SPAN {
            *self = Self::default();
        }
        if self.attempts == 0 {
            self.first = time;
        } else {
            let gap = (time.saturating_sub(self.last) / 1000).min(SQUARED_GAP);
            self.gap_squares = self.gap_squares.saturating_add(gap * gap);
        }
        if time > self.last {
            self.last = time;
        }
        self.attempts = self.attempts.saturating_add(1);
    }

    /// Charges the end of one of its flows.
    #[inline(always)]
    pub(crate) fn close(&mut self, ending: &ThreadExits) {
        self.payload_sum = self.payload_sum.saturating_add(ending.payload);
        self.payload_squares = self.payload_squares.saturating_add(ending.payload_square());
        self.closed = self.closed.saturating_add(1);
    }
}
