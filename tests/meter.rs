//! The meter against packets written by hand: every counter, state and reason has the value the packets say.
//! Captures are not its matter, nor is the kernel; `tshark` and `kernel` see to those.

mod flow;
mod host;
mod icmp;
mod parser;
mod properties;
mod table;
mod trigger;
mod window;

use std::net::IpAddr;

use detection::meter::{Caps, Datagram, Meter};
use ebpf::account::Limits;
use ebpf::flow::{FlowKey, FlowStats};
use ebpf::host::{HostKey, HostStats, InitiatorSums, ResponderSums};
use ebpf::pair::PairStats;
use ebpf::snapshot::Snapshot;
use proptest::prelude::ProptestConfig;

use crate::kernel::frames::{ACK, FIN, PSH, RST, SYN, address, icmp, ip, tcp, udp};

/// When the stories begin, microseconds: late enough that no window still counts from the start of time.
const START: u64 = 10_000_000_000;
const SECOND: u64 = 1_000_000;

/// So many cases of a property; one that fails becomes a test with a name, not a file of seeds.
fn cases(count: u32) -> ProptestConfig {
    ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(count)
    }
}

/// The initiator of most stories; its address sorts first.
fn a() -> IpAddr {
    address(0, 1)
}

/// The responder of most stories.
fn b() -> IpAddr {
    address(1, 2)
}

/// One whom IPv6 hosts, of which there are many, meet.
fn six() -> IpAddr {
    address(3, 1)
}

/// A meter on the bench, and what left it.
struct Bench {
    meter: Meter,
    snapshots: Vec<Snapshot>,
}

impl Bench {
    fn new() -> Self {
        Self::guarded(u32::MAX)
    }

    fn guarded(flood_guard: u32) -> Self {
        let caps = Caps {
            flows: 10_000,
            unanswered: 10_000,
            hosts: 10_000,
            pairs: 10_000,
        };
        Self::sized(caps, flood_guard)
    }

    fn sized(caps: Caps, flood_guard: u32) -> Self {
        let limits = Limits {
            seed: 0x5eed,
            flood_guard,
            separate_tags: 0,
        };
        Self::limited(caps, limits)
    }

    /// One with room for a few, under these limits.
    fn under(limits: Limits) -> Self {
        let room = 64;
        let caps = Caps {
            flows: room,
            unanswered: room,
            hosts: room,
            pairs: room,
        };
        Self::limited(caps, limits)
    }

    fn limited(caps: Caps, limits: Limits) -> Self {
        Self {
            meter: Meter::new(caps, limits),
            snapshots: Vec::new(),
        }
    }

    /// Meters the IP packet `bytes` at `START + after`.
    fn packet(&mut self, after: u64, bytes: &[u8]) -> &mut Self {
        self.frame(after, bytes, (0, 0))
    }

    /// The same, on an interface and behind a tag.
    fn frame(&mut self, after: u64, bytes: &[u8], place: (u32, u32)) -> &mut Self {
        self.meter.meter(&Datagram {
            bytes,
            wire_len: bytes.len() as u32,
            time: START + after,
            link: place.0,
            tag: place.1,
        });
        self.meter.take_snapshots(&mut self.snapshots);
        self
    }

    fn tcp(&mut self, after: u64, from_a: bool, segment: &[u8]) -> &mut Self {
        let ends = if from_a { (a(), b()) } else { (b(), a()) };
        self.packet(after, &ip(ends, 6, segment))
    }

    fn sweep(&mut self, after: u64) -> &mut Self {
        self.meter.sweep(START + after);
        self.meter.take_snapshots(&mut self.snapshots);
        self
    }

    /// A whole conversation from `port` of `a` to port 22 of `b`: see [`flow`] for what it amounts to.
    fn converse(&mut self, after: u64, port: u16) -> &mut Self {
        let (there, back) = ((port, 22), (22, port));
        let steps: [(u64, bool, Vec<u8>); 9] = [
            (0, true, tcp(there, (1000, 0), SYN, &[])),
            (1_000, false, tcp(back, (5000, 1001), SYN | ACK, &[])),
            (1_500, true, tcp(there, (1001, 5001), ACK, &[])),
            (2_000, true, tcp(there, (1001, 5001), PSH | ACK, &[7; 100])),
            (5_000, false, tcp(back, (5001, 1101), PSH | ACK, &[8; 1000])),
            (10_000, true, tcp(there, (1101, 6001), ACK, &[])),
            (2_010_000, true, tcp(there, (1101, 6001), FIN | ACK, &[])),
            (2_010_400, false, tcp(back, (6001, 1102), FIN | ACK, &[])),
            (2_010_600, true, tcp(there, (1102, 6002), ACK, &[])),
        ];
        for (since, from_a, segment) in steps {
            self.tcp(after + since, from_a, &segment);
        }
        self
    }

    /// A query over UDP from `port` of `a` to port 53 of `b`, and the reply 500 µs later.
    fn ask(&mut self, after: u64, port: u16) -> &mut Self {
        let query = ip((a(), b()), 17, &udp((port, 53), &[1; 30]));
        let reply = ip((b(), a()), 17, &udp((53, port), &[2; 90]));
        self.packet(after, &query).packet(after + 500, &reply)
    }

    /// The flows, by key.
    fn flows(&self) -> Vec<(FlowKey, FlowStats)> {
        let mut flows: Vec<_> = self.meter.flows().map(|(k, v)| (*k, *v)).collect();
        flows.sort_by_key(|(key, _)| *key);
        flows
    }

    /// The only flow.
    fn flow(&self) -> FlowStats {
        let flows = self.flows();
        assert_eq!(flows.len(), 1, "{flows:?}");
        flows[0].1
    }

    fn host(&self, address: IpAddr) -> HostStats {
        let key = HostKey {
            address: address.into(),
            link: 0,
            reserved: 0,
        };
        let mut hosts = self.meter.hosts();
        *hosts
            .find(|(host, _)| **host == key)
            .expect("a known host")
            .1
    }

    /// The only pair.
    fn pair(&self) -> PairStats {
        let pairs: Vec<_> = self.meter.pairs().collect();
        assert_eq!(pairs.len(), 1, "{pairs:?}");
        *pairs[0].1
    }

    fn initiator(&self, address: IpAddr, after: u64) -> InitiatorSums {
        let mut sums = InitiatorSums::default();
        sums.write(&self.host(address), START + after);
        sums
    }

    fn responder(&self, address: IpAddr, after: u64) -> ResponderSums {
        let mut sums = ResponderSums::default();
        sums.write(&self.host(address), START + after);
        sums
    }

    /// When snapshots were taken, after `START`, and why.
    fn reasons(&self) -> Vec<(u64, u32)> {
        let told = |snapshot: &Snapshot| (snapshot.time - START, snapshot.reason);
        self.snapshots.iter().map(told).collect()
    }

    fn lost(&self, cause: &str) -> u64 {
        let mut losses = self.meter.losses();
        losses
            .find(|(name, _)| *name == cause)
            .expect("a known cause")
            .1
    }
}
