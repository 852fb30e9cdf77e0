//! A host at one moment: what still counts of its windows, summed.
//! It changes nothing, so a sweep can sum what the kernel owns.

use super::window::{Age, Window};
use super::{
    HALF_HOUR_BUCKET, Habits, HalfHour, HostStats, Initiated, MINUTE_BUCKET, Minute, Received,
    SECOND_BUCKET, Second,
};

/// A host as initiator at one moment: its windows summed.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InitiatorSums {
    /// When it last proved to converse under its own address, microseconds; 0 for never.
    pub proven: u64,
    /// The half-hour window.
    pub habits: Habits,
    /// The minute window.
    pub minute: Initiated,
    /// The last second or two.
    pub second: Second,
    /// How the openings of its proven conversations arrived; 0 for none.
    pub arrivals: [u32; 2],
    /// Bits set for distinct responders, of 512.
    pub peers: u16,
    /// Bits set for distinct ports, of 512.
    pub ports: u16,
    /// Bits set for distinct services, of 512.
    pub services: u16,
    /// Bits set for distinct responders in the half hour, of 512.
    pub habit_peers: u16,
    /// Bits set for distinct services in the half hour, of 512.
    pub habit_services: u16,
    /// Always 0: padding the compiler would leave unwritten.
    pub reserved: [u16; 1],
}

/// A host as responder at one moment: its windows summed.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ResponderSums {
    /// The minute window.
    pub minute: Received,
    /// Bits set for distinct initiators, of 1,024.
    pub initiators: u16,
    /// Always 0.
    pub reserved: [u16; 3],
}

macro_rules! sum_fields {
    ($target:expr, $a:expr, $b:expr, [$($field:ident),* $(,)?]) => {
        $($target.$field = $a.$field.saturating_add($b.$field);)*
    };
}

impl InitiatorSums {
    /// Sums what still counts of `host` at `time`.
    #[inline(never)]
    pub fn write(&mut self, host: &HostStats, time: u64) {
        self.proven = host.proven;
        self.arrivals = host.arrivals;
        self.reserved = [0; 1];
        self.write_second(&host.second, time);
        self.write_minute(&host.minute, time);
        self.write_half_hour(&host.half_hour, time);
    }

    #[inline(always)]
    fn write_second(&mut self, window: &Window<Second>, time: u64) {
        match window.age(time, SECOND_BUCKET) {
            Age::Both => {
                sum_fields!(
                    self.second,
                    window.current,
                    window.previous,
                    [opened, packets_out]
                );
            }
            Age::Current => self.second = window.current,
            Age::Neither => self.second = Second::default(),
        }
    }

    #[inline(always)]
    fn write_minute(&mut self, window: &Window<Minute>, time: u64) {
        let (now, before) = (&window.current, &window.previous);
        match window.age(time, MINUTE_BUCKET) {
            Age::Both => {
                sum_fields!(
                    self.minute,
                    now.initiated,
                    before.initiated,
                    [
                        opened,
                        answered,
                        refused,
                        unreachable,
                        closed,
                        short,
                        syns,
                        packets_out,
                        packets_in,
                        bytes_out,
                        bytes_in,
                        payload_out,
                        payload_in,
                        gap_sum,
                        gap_squares,
                        dns_queries,
                        dns_query_payload,
                        dns_replies,
                        dns_reply_payload,
                    ]
                );
                self.peers = now.peers.union_len(&before.peers);
                self.ports = now.ports.union_len(&before.ports);
                self.services = now.services.union_len(&before.services);
            }
            Age::Current => {
                self.minute = now.initiated;
                self.peers = now.peers.len();
                self.ports = now.ports.len();
                self.services = now.services.len();
            }
            Age::Neither => {
                self.minute = Initiated::default();
                self.peers = 0;
                self.ports = 0;
                self.services = 0;
            }
        }
    }

    #[inline(always)]
    fn write_half_hour(&mut self, window: &Window<HalfHour>, time: u64) {
        let (now, before) = (&window.current, &window.previous);
        match window.age(time, HALF_HOUR_BUCKET) {
            Age::Both => {
                sum_fields!(
                    self.habits,
                    now.habits,
                    before.habits,
                    [
                        opened,
                        answered,
                        closed,
                        short,
                        closed_payload,
                        closed_payload_squares,
                        closed_duration,
                    ]
                );
                self.habit_peers = now.peers.union_len(&before.peers);
                self.habit_services = now.services.union_len(&before.services);
            }
            Age::Current => {
                self.habits = now.habits;
                self.habit_peers = now.peers.len();
                self.habit_services = now.services.len();
            }
            Age::Neither => {
                self.habits = Habits::default();
                self.habit_peers = 0;
                self.habit_services = 0;
            }
        }
    }
}

impl ResponderSums {
    /// Sums what still counts of `host` at `time`.
    #[inline(never)]
    pub fn write(&mut self, host: &HostStats, time: u64) {
        let (now, before) = (&host.minute.current, &host.minute.previous);
        self.reserved = [0; 3];
        match host.minute.age(time, MINUTE_BUCKET) {
            Age::Both => {
                sum_fields!(
                    self.minute,
                    now.received,
                    before.received,
                    [
                        opened,
                        answered,
                        packets_in,
                        packets_out,
                        bytes_in,
                        bytes_out,
                    ]
                );
                self.initiators = now.initiators.union_len(&before.initiators);
            }
            Age::Current => {
                self.minute = now.received;
                self.initiators = now.initiators.len();
            }
            Age::Neither => {
                self.minute = Received::default();
                self.initiators = 0;
            }
        }
    }
}
