//! The watched interfaces: the program attached to each, again when one comes back, and what was counted on it.
//! It waits for nothing: whoever owns it says when to look.

use aya::Ebpf;
use aya::maps::{MapData, PerCpuArray};
use aya::programs::tc::{NlOptions, SchedClassifierLink, TcAttachOptions};
use aya::programs::{LinkOrder, TcAttachType};
use aya::util::KernelVersion;
use ebpf::program::{Count, Counters, LINKS, METER, RAW_METER};
use nix::ifaddrs::getifaddrs;
use nix::net::if_::if_nametoindex;

use super::{Entry, KernelError, clsact, load};
use crate::capture::InterfaceStatistics;

/// Indices an interface is remembered by: it gets a new one each time it comes back, and incidents still name the old.
const REMEMBERED: usize = 16;

/// How a program is attached to an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hook {
    /// A link that ends with this process, however it ends; since Linux 6.6.
    Tcx,
    /// A filter of the clsact queueing discipline, which a killed process leaves behind: the next start removes it.
    Clsact,
}

/// The first kernel that has them.
const TCX: KernelVersion = KernelVersion::new(6, 6, 0);

impl Hook {
    /// The better one this kernel has.
    pub fn best() -> Self {
        if KernelVersion::current().is_ok_and(|version| version >= TCX) {
            Self::Tcx
        } else {
            Self::Clsact
        }
    }
}

/// The loaded program, and how it comes to interfaces.
pub(super) struct Attachment {
    pub(super) ebpf: Ebpf,
    pub(super) hook: Hook,
    pub(super) counters: PerCpuArray<MapData, Entry<Counters>>,
}

impl Attachment {
    fn attach(
        &mut self,
        program: &'static str,
        name: &str,
        direction: TcAttachType,
    ) -> Result<SchedClassifierLink, KernelError> {
        let program = load::program(&mut self.ebpf, program)?;
        let options = match self.hook {
            Hook::Tcx => TcAttachOptions::TcxOrder(LinkOrder::default()),
            Hook::Clsact => TcAttachOptions::Netlink(NlOptions::default()),
        };
        let attached = program
            .attach_with_options(name, direction, options)
            .and_then(|id| program.take_link(id));
        attached.map_err(|source| KernelError::attaching(name, source))
    }

    /// The counters of an interface, summed over the CPUs.
    fn read(&self, index: u32) -> Counters {
        let mut sum = Counters::default();
        let Ok(cpus) = self.counters.get(&(index & (LINKS - 1)), 0) else {
            return sum;
        };
        for Entry(cpu) in cpus.iter() {
            for (sum, count) in sum.iter_mut().zip(cpu) {
                *sum += count;
            }
        }
        sum
    }
}

/// A watched interface.
#[derive(Debug)]
pub(super) struct Port {
    name: String,
    /// Its indices, the latest last.
    indices: Vec<u32>,
    /// What keeps the program attached; none while the interface is missing.
    links: Vec<SchedClassifierLink>,
    /// Whether the interface has its clsact from us, this run or a killed one.
    made_clsact: bool,
    missing: Option<String>,
    /// Counted under earlier indices.
    earlier: Counters,
    /// What its counters showed when it was attached.
    base: Counters,
    counted: Counters,
    last_packet: u64,
}

impl Port {
    /// The interface `name`, to which the next look attaches the program.
    pub(super) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            indices: Vec::new(),
            links: Vec::new(),
            made_clsact: false,
            missing: None,
            earlier: Counters::default(),
            base: Counters::default(),
            counted: Counters::default(),
            last_packet: 0,
        }
    }

    /// Attaches the program to the interface `name`.
    pub(super) fn open(name: &str, attachment: &mut Attachment) -> Result<Self, KernelError> {
        let mut port = Self::new(name);
        let index = if_nametoindex(name).map_err(|_| KernelError::NoInterface {
            name: name.to_owned(),
        })?;
        port.attach(index, attachment)?;
        Ok(port)
    }

    /// Looks whether the interface is still the same, attaches again where it came back, and reads its counters.
    pub(super) fn look(&mut self, time: u64, attachment: &mut Attachment) {
        self.count(time, attachment);
        match if_nametoindex(self.name.as_str()) {
            Ok(index) if !self.links.is_empty() && self.index() == Some(index) => {}
            Ok(index) => match self.attach(index, attachment) {
                Ok(()) => tracing::info!("watching interface {}", self.name),
                Err(error) => self.miss(error.to_string()),
            },
            Err(_) => self.miss(format!("there is no interface {} now", self.name)),
        }
    }

    fn miss(&mut self, reason: String) {
        self.links.clear();
        if self.missing.as_ref() != Some(&reason) {
            tracing::warn!("no packets are seen on {}: {reason}", self.name);
            self.missing = Some(reason);
        }
    }

    fn attach(&mut self, index: u32, attachment: &mut Attachment) -> Result<(), KernelError> {
        self.links.clear();
        let (program, directions) = directions(&self.name)?;
        // A new interface of the name has nothing from us yet.
        self.made_clsact &= self.index() == Some(index);
        if clsact::remove_filters(&self.name).is_ok_and(|any| any) {
            tracing::info!("removed a filter an earlier run left on {}", self.name);
            self.made_clsact = true;
        }
        if attachment.hook == Hook::Clsact {
            self.made_clsact |= clsact::make(&self.name);
        }
        for &direction in directions {
            self.links
                .push(attachment.attach(program, &self.name, direction)?);
        }
        if self.index() != Some(index) {
            self.earlier = self.counted;
            self.base = attachment.read(index);
            if self.indices.len() == REMEMBERED {
                self.indices.remove(0);
            }
            self.indices.push(index);
        }
        self.missing = None;
        Ok(())
    }

    fn count(&mut self, time: u64, attachment: &Attachment) {
        let Some(index) = self.index() else { return };
        let frames = self.counted(Count::Frame);
        let now = attachment.read(index);
        for (place, counted) in self.counted.iter_mut().enumerate() {
            *counted = self.earlier[place] + now[place].saturating_sub(self.base[place]);
        }
        if self.counted(Count::Frame) > frames {
            self.last_packet = time;
        }
    }

    /// What was counted on it until the last look.
    pub(super) fn counted(&self, count: Count) -> u64 {
        self.counted[count.index()]
    }

    /// Its present, or else its last, index.
    pub(super) fn index(&self) -> Option<u32> {
        self.indices.last().copied()
    }

    /// Indices it has had.
    pub(super) fn indices(&self) -> &[u32] {
        &self.indices
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn statistics(&self) -> InterfaceStatistics {
        InterfaceStatistics {
            name: self.name.clone(),
            packets: self.counted(Count::Frame),
            last_packet: self.last_packet,
            missing: self.missing.clone(),
        }
    }
}

impl Drop for Port {
    fn drop(&mut self) {
        self.links.clear();
        if self.made_clsact
            && let Err(error) = clsact::remove_unused(&self.name)
        {
            tracing::warn!("{}", contract::printable::sentence(&error));
        }
    }
}

/// `ARPHRD_` numbers of `linux/if_arp.h`.
mod hardware {
    pub(super) const ETHERNET: u16 = 1;
    pub(super) const PPP: u16 = 512;
    pub(super) const RAW_IP: u16 = 519;
    pub(super) const IPIP: u16 = 768;
    pub(super) const IP6_TUNNEL: u16 = 769;
    pub(super) const LOOPBACK: u16 = 772;
    pub(super) const SIT: u16 = 776;
    /// WireGuard and tun.
    pub(super) const NONE: u16 = 0xfffe;
}

/// The program for the frames of an interface, and the directions in which each of its packets passes once.
fn directions(name: &str) -> Result<(&'static str, &'static [TcAttachType]), KernelError> {
    const BOTH: &[TcAttachType] = &[TcAttachType::Ingress, TcAttachType::Egress];
    let mut addresses = getifaddrs().into_iter().flatten();
    // Each interface is listed first by its link-layer address, or by none where its kind has none.
    let first = addresses.find(|entry| entry.interface_name == name);
    let found = first.map(|entry| match entry.address {
        Some(address) => address
            .as_link_addr()
            .map_or(hardware::NONE, |link| link.hatype()),
        None => hardware::NONE,
    });
    match found {
        Some(hardware::ETHERNET) => Ok((METER, BOTH)),
        // What leaves comes in again at once.
        Some(hardware::LOOPBACK) => Ok((METER, &[TcAttachType::Ingress])),
        Some(
            hardware::NONE
            | hardware::PPP
            | hardware::RAW_IP
            | hardware::IPIP
            | hardware::IP6_TUNNEL
            | hardware::SIT,
        ) => Ok((RAW_METER, BOTH)),
        Some(kind) => Err(KernelError::Hardware {
            name: name.to_owned(),
            kind,
        }),
        None => Err(KernelError::NoInterface {
            name: name.to_owned(),
        }),
    }
}
