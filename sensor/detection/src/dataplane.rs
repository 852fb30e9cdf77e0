//! The data plane in user space: frames in, snapshots out, in the order of capture time.
//! One thread, no allocation per packet, no decision.

mod copies;

use std::net::IpAddr;

use ebpf::account::Limits;
use ebpf::host::HostKey;
use ebpf::packet::{Packet, TUNNELLED};
use ebpf::snapshot::Snapshot;
use ipnet::IpNet;

use crate::decode::{DecodeCounters, Decoder, TunnelEnds, nflog};
use crate::frame::{Frame, LinkType, Timestamp};
use crate::meter::table::Table;
use crate::meter::{Caps, Datagram, Meter};
use crate::timeline::Timeline;
use copies::Copies;

/// How often idle and silent flows are looked for, microseconds of capture time.
const SWEEP: u64 = 1_000_000;

/// Inner senders whose tunnel is remembered, for the incident's words.
const MAX_TUNNELLED: usize = 4_096;

/// After the last frame, the moments at which silence makes snapshots due, microseconds: no answer, no retry, no end.
const SILENCE: [u64; 3] = [
    3 * SWEEP,
    ebpf::flow::UNANSWERED_IDLE + 2 * SWEEP,
    ebpf::flow::ANSWERED_IDLE + ebpf::flow::UNANSWERED_IDLE,
];

/// What a frame was, for whoever counts along.
#[derive(Clone, Copy, Debug)]
pub struct Metered {
    /// Monotonic capture time, microseconds.
    pub time: u64,
    /// Sender and receiver; `None` if the frame held no packet that could be metered.
    pub ends: Option<(IpAddr, IpAddr)>,
    /// Their ports, 0 where the protocol has none.
    pub ports: (u16, u16),
}

/// When a frame was captured; netfilter's log has that inside.
fn stamp(frame: &Frame<'_>) -> Timestamp {
    match frame.link_type {
        LinkType::Nflog => nflog::time(frame.bytes).unwrap_or(frame.time),
        _ => frame.time,
    }
}

/// Timeline, decoder and meter in a row.
#[derive(Debug)]
pub struct DataPlane {
    timeline: Timeline,
    meter: Meter,
    decoder: Decoder,
    undecodable: DecodeCounters,
    copies: Copies,
    /// Packets whose outer VLAN the capture has lost.
    lost_vlans: u64,
    tunnels: Table<HostKey, TunnelEnds, 1>,
    /// Outer ends of our own tunnels.
    trusted: Vec<IpNet>,
    next_sweep: u64,
    now: u64,
    frames: u64,
    silences: usize,
}

impl DataPlane {
    /// A data plane with empty tables, for a capture: frames carry the wall time of its machine.
    pub fn new(caps: Caps, limits: Limits) -> Self {
        Self::on(Timeline::new(), caps, limits)
    }

    /// A data plane with empty tables, for live frames: they carry the boot time of this machine.
    pub fn live(caps: Caps, limits: Limits) -> Self {
        Self::on(Timeline::anchored(0, Timestamp::default()), caps, limits)
    }

    fn on(timeline: Timeline, caps: Caps, limits: Limits) -> Self {
        Self {
            timeline,
            meter: Meter::new(caps, limits),
            decoder: Decoder::default(),
            undecodable: DecodeCounters::default(),
            copies: Copies::default(),
            lost_vlans: 0,
            tunnels: Table::new([MAX_TUNNELLED]),
            trusted: Vec::new(),
            next_sweep: 0,
            now: 0,
            frames: 0,
            silences: 0,
        }
    }

    /// Meters one frame; snapshots it makes due, and those time made due before it, are appended to `snapshots`.
    pub fn take(&mut self, frame: &Frame<'_>, snapshots: &mut Vec<Snapshot>) -> Metered {
        let time = self.timeline.advance(stamp(frame));
        self.frames += 1;
        self.now = self.now.max(time);
        self.sweep_when_due();
        let (mut ends, mut ports) = (None, (0, 0));
        match self.decoder.decode(frame) {
            Ok(peeled) if self.copies.is_known(&peeled, time) => {}
            Ok(peeled) => {
                self.lost_vlans += u64::from(peeled.lost_vlan);
                let inside = match &peeled.tunnel {
                    Some(outer) if !self.trusts(outer) => TUNNELLED,
                    _ => 0,
                };
                let datagram = Datagram {
                    bytes: peeled.ip,
                    wire_len: peeled.wire_len,
                    time,
                    link: frame.interface & !TUNNELLED | inside,
                    tag: peeled.tag.get(),
                };
                if let Some(&packet) = self.meter.meter(&datagram) {
                    ends = Some((
                        packet.endpoints.source.into(),
                        packet.endpoints.destination.into(),
                    ));
                    ports = (
                        packet.endpoints.source_port,
                        packet.endpoints.destination_port,
                    );
                    if let Some(outer) = peeled.tunnel {
                        self.remember_tunnel(&packet, outer);
                    }
                }
            }
            Err(cause) => self.undecodable.count(cause),
        }
        self.meter.take_snapshots(snapshots);
        Metered { time, ends, ports }
    }

    /// Lets time pass without a frame, up to `time`; snapshots that silence makes due are appended to `snapshots`.
    pub fn pass(&mut self, time: u64, snapshots: &mut Vec<Snapshot>) {
        self.now = self.now.max(time);
        self.sweep_when_due();
        self.meter.take_snapshots(snapshots);
    }

    /// What the silence after the last frame makes due, one step of it at a time, as the daemon would see it if nothing
    /// more came: the time of the step, monotonic microseconds, or `None` when nothing is left.
    pub fn next_silence(&mut self, snapshots: &mut Vec<Snapshot>) -> Option<u64> {
        let silence = SILENCE.get(self.silences)?;
        self.silences += 1;
        let time = self.now + silence;
        self.meter.sweep(time);
        self.meter.take_snapshots(snapshots);
        Some(time)
    }

    /// How far time has come, monotonic microseconds.
    pub fn now(&self) -> u64 {
        self.now
    }

    /// What makes wall time out of the meter's.
    pub fn timeline(&self) -> &Timeline {
        &self.timeline
    }

    /// The tunnel that last carried a packet of this inner sender, in the direction of that packet.
    pub fn tunnel(&self, sender: &HostKey) -> Option<TunnelEnds> {
        let found = self.tunnels.find(sender)?;
        Some(*self.tunnels.value(found))
    }

    /// The meter, to be asked and to be told.
    pub fn meter(&mut self) -> &mut Meter {
        &mut self.meter
    }

    /// Frames taken.
    pub fn frames(&self) -> u64 {
        self.frames
    }

    /// Frames and packets that could not be metered as they should, by cause.
    pub fn losses(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let undecodable = self
            .undecodable
            .iter()
            .map(|(cause, count)| (cause.name(), count));
        let seen = [
            ("second-copy", self.copies.known()),
            ("lost-outer-vlan", self.lost_vlans),
        ];
        undecodable.chain(seen).chain(self.meter.losses())
    }

    fn sweep_when_due(&mut self) {
        if self.now >= self.next_sweep {
            self.meter.sweep(self.now);
            self.next_sweep = self.now + SWEEP;
        }
    }

    /// Looks for tunnels and mirrors with this decoder from now on.
    pub fn decode_with(&mut self, decoder: Decoder) {
        self.decoder = decoder;
    }

    /// Believes the addresses inside tunnels both of whose ends lie in `networks`.
    pub fn trust(&mut self, networks: &[IpNet]) {
        self.trusted = networks.to_vec();
    }

    fn trusts(&self, outer: &TunnelEnds) -> bool {
        let known = |end: &IpAddr| self.trusted.iter().any(|net| net.contains(end));
        [outer.source, outer.destination]
            .map(|end| end.to_canonical())
            .iter()
            .all(known)
    }

    fn remember_tunnel(&mut self, packet: &Packet, outer: TunnelEnds) {
        let sender = HostKey {
            address: packet.endpoints.source,
            link: packet.link,
            reserved: 0,
        };
        match self.tunnels.find(&sender) {
            Some(found) => {
                self.tunnels.touch(found);
                *self.tunnels.value_mut(found) = outer;
            }
            None => {
                self.tunnels.insert(sender, outer, 0);
            }
        }
    }
}
