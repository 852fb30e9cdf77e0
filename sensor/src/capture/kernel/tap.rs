//! The kernel meter at work: snapshots out of its ring, sweeps between them, and what it has counted.
//! It judges nothing, and touches no interface but those it was given.

use std::net::IpAddr;
use std::os::fd::AsFd;
use std::time::Duration;

use aya::maps::{HashMap, IterableMap, MapData, RingBuf};
use ebpf::host::HostKey;
use ebpf::packet::Address;
use ebpf::program::{self, Count, Counters, map};
use ebpf::snapshot::Snapshot;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::time::{ClockId, clock_gettime};

use super::attach::{Attachment, Hook, Port};
use super::sweep::{HOST_STEP, Opened, STEP, Sweep, Tables};
use super::table::Table;
use super::{Entry, KernelError, load, snapshot};
use crate::capture::{CaptureError, LiveSource, Statistics, live};
use crate::local_network::network::Changes;
use contract::printable::sentence;
use detection::decode::TunnelEnds;
use settings::Config;

/// Snapshots taken from the ring at once, so that a flood of them does not keep the sweeps waiting.
const DRAIN: usize = 4096;
/// How often interfaces are looked for, microseconds.
const LOOK: u64 = 1_000_000;

/// The meter in the kernel, attached to some interfaces until it is dropped.
pub struct Kernel {
    /// Before the programs, so that it is dropped before them.
    ports: Vec<Port>,
    routes: Option<Routes>,
    /// What was counted on interfaces that are no longer watched.
    former: Counters,
    attachment: Attachment,
    ring: RingBuf<MapData>,
    tables: Tables,
    suspects: HashMap<MapData, Entry<HostKey>, u32>,
    sweep: Sweep,
    look_due: u64,
    /// How far it has seen, microseconds.
    seen: u64,
    kernel_memory: u64,
    /// Items of the ring that were no snapshot: never, unless program and sensor disagree.
    garbled: u64,
}

/// The default routes, for whom no interface is named.
struct Routes {
    changes: Changes,
    settings: settings::Capture,
    /// Whether they could not be read when they changed.
    unread: bool,
}

impl std::fmt::Debug for Kernel {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Kernel")
            .field("ports", &self.ports)
            .field("hook", &self.attachment.hook)
            .finish_non_exhaustive()
    }
}

impl Kernel {
    /// Loads the meter with tables as `config` sizes them, and attaches it to `interfaces` by the better hook.
    pub fn open(interfaces: &[String], config: &Config) -> Result<Self, CaptureError> {
        Ok(Self::attach(interfaces, config, Hook::best())?)
    }

    /// The same by this `hook`.
    pub fn attach(interfaces: &[String], config: &Config, hook: Hook) -> Result<Self, KernelError> {
        let sizes = &config.meter;
        let mut ebpf = load::load(sizes, config.evidence.max_addresses.get())?;
        let now = boot_time();
        let flows = sizes.max_flows.get() + sizes.max_unanswered_flows.get();
        let mut kernel = Self {
            ports: Vec::new(),
            routes: None,
            former: [0; Count::ALL.len()],
            ring: load::take(&mut ebpf, map::SNAPSHOTS)?,
            tables: Tables {
                flows: Table::open(&mut ebpf, map::FLOWS, STEP)?,
                hosts: Table::open(&mut ebpf, map::HOSTS, HOST_STEP)?,
                pairs: Table::open(&mut ebpf, map::PAIRS, STEP)?,
            },
            suspects: load::take(&mut ebpf, map::SUSPECTS)?,
            attachment: Attachment {
                counters: load::take(&mut ebpf, map::COUNTERS)?,
                ebpf,
                hook,
            },
            sweep: Sweep::new(flows, now),
            look_due: now + LOOK,
            seen: now,
            kernel_memory: 0,
            garbled: 0,
        };
        kernel.kernel_memory = kernel.tables.memory()
            + load::memory(&kernel.ring)
            + load::memory(kernel.suspects.map().fd())
            + load::memory(kernel.attachment.counters.map().fd());
        for name in interfaces {
            kernel.ports.push(Port::open(name, &mut kernel.attachment)?);
        }
        Ok(kernel)
    }

    /// Watches the interfaces of the default routes from now on, whichever those will be.
    pub fn follow_routes(&mut self, settings: &settings::Capture) -> Result<(), CaptureError> {
        let routes = Routes {
            // Watched before they are read: what changes in between is seen.
            changes: Changes::watch()?,
            settings: settings.clone(),
            unread: false,
        };
        self.watch(&live::interfaces(settings)?);
        self.routes = Some(routes);
        Ok(())
    }

    /// Waits until there is a snapshot, something is due, or `patience` is over.
    fn wait(&self, patience: Duration) -> Result<(), KernelError> {
        let due = self.look_due.min(self.sweep.due());
        let until_due = Duration::from_micros(due.saturating_sub(boot_time()));
        // Rounded up: a poll of nothing would be asked for again and again until the moment has come.
        let patience = patience.min(until_due + Duration::from_micros(999));
        let timeout = PollTimeout::try_from(patience).unwrap_or(PollTimeout::MAX);
        let mut ring = [PollFd::new(self.ring.as_fd(), PollFlags::POLLIN)];
        match poll(&mut ring, timeout) {
            Ok(_) | Err(Errno::EINTR) => Ok(()),
            Err(errno) => Err(KernelError::Wait(errno)),
        }
    }

    /// Takes what is in the ring, up to a bound, and returns up to when all of it was taken.
    fn drain(&mut self, into: &mut Vec<Snapshot>) -> u64 {
        // What is written to the ring from now on is younger.
        let now = boot_time();
        for _ in 0..DRAIN {
            let Some(item) = self.ring.next() else {
                return now;
            };
            match snapshot(&item) {
                Some(snapshot) => into.push(snapshot),
                None => self.garbled += 1,
            }
        }
        into.last().map_or(now, |snapshot| snapshot.time)
    }

    fn look(&mut self, time: u64) {
        if let Some(routes) = &mut self.routes
            && (routes.changes.drain() || routes.unread)
        {
            let wanted = live::interfaces(&routes.settings);
            let known = std::mem::replace(&mut routes.unread, wanted.is_err());
            match wanted {
                Ok(wanted) => self.watch(&wanted),
                Err(error) if !known => {
                    tracing::warn!("{}; it is tried again every second", sentence(&error));
                }
                Err(_) => {}
            }
        }
        for port in &mut self.ports {
            port.look(time, &mut self.attachment);
        }
    }

    /// Watches these interfaces and no others, each as soon as it is there. Where there are none, the default route being
    /// gone, those it had are still the best guess.
    fn watch(&mut self, wanted: &[String]) {
        if wanted.is_empty() {
            return;
        }
        let former = &mut self.former;
        self.ports.retain(|port| {
            let keep = wanted.iter().any(|name| name == port.name());
            if !keep {
                for (sum, count) in former.iter_mut().zip(Count::ALL) {
                    *sum += port.counted(count);
                }
                tracing::info!("no default route leads to {} any more", port.name());
            }
            keep
        });
        for name in wanted {
            if !self.ports.iter().any(|port| port.name() == name) {
                self.ports.push(Port::new(name));
            }
        }
    }

    fn counted(&self, count: Count) -> u64 {
        let now = self.ports.iter().map(|port| port.counted(count));
        self.former[count.index()] + now.sum::<u64>()
    }
}

impl LiveSource for Kernel {
    fn listen(
        &mut self,
        patience: Duration,
        into: &mut Vec<Snapshot>,
    ) -> Result<u64, CaptureError> {
        self.wait(patience)?;
        self.seen = self.seen.max(self.drain(into));
        let now = self.seen;
        if now >= self.look_due {
            self.look(now);
            self.look_due = now + LOOK;
        }
        let opened = Opened {
            flows: self.counted(Count::Opened(program::Table::Flows)),
            hosts: self.counted(Count::Opened(program::Table::Hosts)),
            pairs: self.counted(Count::Opened(program::Table::Pairs)),
        };
        self.sweep.turn(&mut self.tables, (now, opened), into)?;
        Ok(now)
    }

    fn suspect(&mut self, host: HostKey, suspected: bool) {
        let changed = if suspected {
            self.suspects.insert(Entry(host), 1, 0)
        } else {
            self.suspects.remove(&Entry(host))
        };
        // It is as large as the engine's own; one that is refused all the same costs snapshots, and nothing else.
        if let Err(error) = changed {
            tracing::debug!("the kernel's list of suspects stays as it was: {error}");
        }
    }

    fn forget(&mut self, addresses: &[Address]) {
        for &address in addresses {
            for &link in self.ports.iter().flat_map(Port::indices) {
                self.tables.hosts.delete(&HostKey {
                    address,
                    link,
                    reserved: 0,
                });
            }
            self.sweep.forget(address, boot_time());
        }
    }

    /// None: the kernel program does not look into tunnels.
    fn tunnel(&self, _: &HostKey) -> Option<TunnelEnds> {
        None
    }

    fn interface(&self, link: u32) -> Option<&str> {
        let port = self
            .ports
            .iter()
            .find(|port| port.indices().contains(&link))?;
        Some(port.name())
    }

    fn statistics(&mut self) -> Statistics {
        self.look(boot_time());
        self.sweep.ask();
        let losses = Count::ALL.iter().filter(|count| count.is_loss());
        let mut losses: Vec<_> = losses
            .map(|count| (count.name(), self.counted(*count)))
            .collect();
        losses.push(("garbled-snapshot", self.garbled));
        Statistics {
            mode: "ebpf",
            interfaces: self.ports.iter().map(Port::statistics).collect(),
            losses,
            tables: [
                self.tables.flows.occupancy("flows"),
                self.tables.hosts.occupancy("hosts"),
                self.tables.pairs.occupancy("pairs"),
            ],
            kernel_memory: self.kernel_memory,
        }
    }

    /// None: no packet leaves the kernel.
    fn headers(&self, _: IpAddr) -> Option<Vec<u8>> {
        None
    }
}

/// Microseconds of the boot clock, which the kernel program reads too.
fn boot_time() -> u64 {
    // It cannot fail: every kernel that runs the program has this clock.
    let time = clock_gettime(ClockId::CLOCK_BOOTTIME).unwrap_or_else(|_| Duration::ZERO.into());
    Duration::from(time).as_micros() as u64
}
