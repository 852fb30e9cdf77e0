//! Live capture with pcap: frames of several interfaces through one meter in user space.
//! Neither an interface that goes away nor a wall clock that is set may stop it.

mod clock;
mod headers;
mod port;

use std::collections::{BTreeSet, VecDeque};
use std::net::IpAddr;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use ebpf::account::Limits;
use ebpf::host::HostKey;
use ebpf::packet::{Address, TUNNELLED};
use ebpf::snapshot::Snapshot;
use ipnet::IpNet;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::{CaptureError, InterfaceStatistics, LiveSource, Statistics};
use crate::local_network::network::{Changes, Network};
use clock::{Clock, Moment};
use contract::printable::sentence;
use detection::frame::{Frame, Timestamp};

use detection::dataplane::DataPlane;

use detection::decode::Decoder;
use detection::decode::TunnelEnds;
use detection::meter::Caps;

use headers::Headers;
use port::Port;

/// Frames read from one interface before the next has its turn; about a millisecond of work.
const BATCH: usize = 1_024;

/// Batches read from an interface before the caller gets what there is: a flood must not keep decisions waiting.
const BATCHES: usize = 8;

/// An interface that is missing is looked for again after this long, should no event tell of it.
const RETRY: Duration = Duration::from_secs(1);

/// Silence is judged this long after the clock, microseconds: frames may lie in the kernel for its buffer timeout, which
/// it rounds up to its tick of at most 10 ms.
const LAG: u64 = 20_000;

/// At most this long without a look at the tables: what silence makes due is a second apart.
const PATIENCE: Duration = Duration::from_secs(1);

/// Names of interfaces that went away, kept for verdicts about what was seen there.
const FORMER: usize = 64;

/// What is told where no interface is configured and no default route leads to one.
const NO_ROUTE: &str =
    "there is no default route; name the interfaces to watch in capture.interfaces";

/// Live interfaces metered in user space.
pub struct Live {
    settings: settings::Capture,
    ports: Vec<Port>,
    plane: DataPlane,
    clock: Clock,
    headers: Headers,
    changes: Changes,
    /// When missing interfaces are looked for again; nothing while all are there.
    retry: Option<Instant>,
    /// Whether frames may be waiting that no event will tell of again.
    more: bool,
    former: VecDeque<(u32, String)>,
    /// Drops at interfaces that are no longer watched.
    dropped: [u64; 2],
}

impl Live {
    /// Listens on the interfaces of `settings`. One that is not there, or is down, is waited for.
    pub fn open(
        settings: &settings::Capture,
        caps: Caps,
        limits: Limits,
    ) -> Result<Self, CaptureError> {
        port::permitted()?;
        port::check_filter(settings)?;
        let kept = (&settings.max_kept_addresses, &settings.max_kept_headers);
        let mut live = Self {
            settings: settings.clone(),
            ports: Vec::new(),
            plane: DataPlane::live(caps, limits),
            clock: Clock::default(),
            headers: Headers::new(kept.0.size(), kept.1.size()),
            // Watched before it is read: what changes in between is seen.
            changes: Changes::watch()?,
            retry: None,
            more: true,
            former: VecDeque::new(),
            dropped: [0; 2],
        };
        live.review(&Network::read()?);
        Ok(live)
    }

    /// Believes the addresses inside tunnels both of whose ends lie in `networks`.
    pub fn trust(&mut self, networks: &[IpNet]) {
        self.plane.trust(networks);
    }

    /// Looks for tunnels and mirrors with this decoder from now on.
    pub fn decode_with(&mut self, decoder: Decoder) {
        self.plane.decode_with(decoder);
    }

    /// Brings the handles in line with the interfaces there are.
    fn review(&mut self, network: &Network) {
        let wanted = wanted(&self.settings, network);
        // Where the default route is gone the interfaces it had are still the best guess.
        if !wanted.is_empty() {
            let dropped = &mut self.dropped;
            self.ports.retain_mut(|port| {
                let keep = wanted.contains(port.seen.name.as_str());
                if !keep {
                    port.count_drops();
                    dropped[0] += port.overrun;
                    dropped[1] += port.undelivered;
                }
                keep
            });
        }
        for name in wanted {
            if !self.ports.iter().any(|port| port.seen.name == name) {
                self.ports.push(Port::new(name));
            }
        }
        for port in &mut self.ports {
            port.follow(network.link(&port.seen.name), &self.settings);
            if let Some(index) = port.index() {
                self.former.retain(|(known, _)| *known != index);
                self.former.push_back((index, port.seen.name.clone()));
            }
        }
        while self.former.len() > FORMER.max(self.ports.len()) {
            self.former.pop_front();
        }
        self.retry = self.incomplete().then(|| Instant::now() + RETRY);
    }

    fn incomplete(&self) -> bool {
        self.ports.is_empty() || self.ports.iter().any(|port| port.seen.missing.is_some())
    }

    /// Waits for frames or for a change of interfaces, which it then follows.
    fn wait(&mut self, patience: Duration) -> Result<(), CaptureError> {
        let mut patience = if self.more {
            Duration::ZERO
        } else {
            patience.min(PATIENCE)
        };
        if let Some(retry) = self.retry {
            patience = patience.min(retry.saturating_duration_since(Instant::now()));
        }
        let timeout = PollTimeout::try_from(patience).unwrap_or(PollTimeout::ZERO);
        let handles = self.ports.iter().filter_map(Port::descriptor);
        let mut waits: Vec<PollFd<'_>> = handles
            .chain([self.changes.as_fd()])
            .map(|descriptor| PollFd::new(descriptor, PollFlags::POLLIN))
            .collect();
        match poll(&mut waits, timeout) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => return Err(CaptureError::Wait(error.into())),
        }
        drop(waits);
        let due = self.retry.is_some_and(|retry| retry <= Instant::now());
        if self.changes.drain() || due {
            match Network::read() {
                Ok(network) => self.review(&network),
                Err(error) => {
                    if self.retry.is_none() {
                        tracing::warn!("{}; it is tried again every second", sentence(&error));
                    }
                    self.retry = Some(Instant::now() + RETRY);
                }
            }
        }
        Ok(())
    }

    /// Meters what waits, up to a bound.
    fn meter(&mut self, into: &mut Vec<Snapshot>) {
        self.more = false;
        let (plane, clock, headers) = (&mut self.plane, &mut self.clock, &mut self.headers);
        for port in &mut self.ports {
            let mut batches = 0;
            loop {
                let now = Moment::now();
                let read = port.read(BATCH, |raw, (index, link_type), seen| {
                    let frame = Frame {
                        time: Timestamp::from_nanoseconds(clock.stamp(raw.wall, now)),
                        wire_len: raw.wire_len,
                        bytes: raw.bytes,
                        link_type,
                        interface: index,
                    };
                    let metered = plane.take(&frame, into);
                    seen.packets += 1;
                    seen.last_packet = metered.time;
                    if let Some(ends) = metered.ends {
                        headers.keep(ends, &frame, raw.wall);
                    }
                });
                batches += 1;
                if read == 0 {
                    break;
                }
                if batches == BATCHES {
                    self.more = true;
                    break;
                }
            }
        }
        if self.incomplete() && self.retry.is_none() {
            self.retry = Some(Instant::now() + RETRY);
        }
    }
}

impl LiveSource for Live {
    fn listen(
        &mut self,
        patience: Duration,
        into: &mut Vec<Snapshot>,
    ) -> Result<u64, CaptureError> {
        self.wait(patience)?;
        let begun = Moment::now().micros();
        self.meter(into);
        if !self.more {
            self.plane.pass(begun.saturating_sub(LAG), into);
        }
        Ok(self.plane.now())
    }

    fn suspect(&mut self, host: HostKey, suspected: bool) {
        if suspected {
            self.headers.follow(host.address.into());
        }
        self.plane.meter().suspect(host, suspected);
    }

    fn forget(&mut self, addresses: &[Address]) {
        self.plane.meter().forget(addresses);
    }

    fn tunnel(&self, sender: &HostKey) -> Option<TunnelEnds> {
        self.plane.tunnel(sender)
    }

    fn interface(&self, link: u32) -> Option<&str> {
        let mut known = self.former.iter();
        let found = known.find(|(index, _)| *index == link & !TUNNELLED);
        found.map(|(_, name)| name.as_str())
    }

    fn statistics(&mut self) -> Statistics {
        let [mut overrun, mut undelivered] = self.dropped;
        for port in &mut self.ports {
            port.count_drops();
            overrun += port.overrun;
            undelivered += port.undelivered;
        }
        let dropped = [("kernel-buffer", overrun), ("interface", undelivered)];
        let mut interfaces: Vec<InterfaceStatistics> =
            self.ports.iter().map(|port| port.seen.clone()).collect();
        if interfaces.is_empty() {
            interfaces.push(InterfaceStatistics {
                name: "default-route".to_owned(),
                missing: Some(NO_ROUTE.to_owned()),
                ..InterfaceStatistics::default()
            });
        }
        Statistics {
            mode: "pcap",
            interfaces,
            losses: dropped.into_iter().chain(self.plane.losses()).collect(),
            tables: self.plane.meter().occupancy(),
            kernel_memory: 0,
        }
    }

    fn headers(&self, address: IpAddr) -> Option<Vec<u8>> {
        self.headers.file(address)
    }
}

/// Says of each interface that would be captured on now what stands in the way, if anything does. What stands in the way
/// of all of them, a missing right or a bad filter, is the error.
pub fn probe(
    settings: &settings::Capture,
) -> Result<Vec<(String, Option<CaptureError>)>, CaptureError> {
    port::permitted()?;
    port::check_filter(settings)?;
    let network = Network::read()?;
    let probed = wanted(settings, &network).into_iter().map(|name| {
        let possible = port::probe(name, network.link(name), settings);
        (name.to_owned(), possible.err())
    });
    Ok(probed.collect())
}

/// The names of the interfaces to capture on now.
pub fn interfaces(settings: &settings::Capture) -> Result<Vec<String>, CaptureError> {
    let network = Network::read()?;
    Ok(wanted(settings, &network)
        .into_iter()
        .map(str::to_owned)
        .collect())
}

/// The interfaces named, or those of the default routes.
fn wanted<'a>(settings: &'a settings::Capture, network: &'a Network) -> BTreeSet<&'a str> {
    let named = settings.interfaces.iter().map(settings::Interface::as_str);
    if settings.interfaces.is_empty() {
        network.exits().collect()
    } else {
        named.collect()
    }
}
