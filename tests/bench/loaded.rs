//! The meter with tables as the shipped configuration sizes them, without the sensor around it.
//! It attaches nothing.

use anyhow::{Context, Result};
use aya::maps::{HashMap, MapData, RingBuf};
use aya::programs::SchedClassifier;
use aya::programs::TcAttachType;
use aya::programs::tc::SchedClassifierLink;
use aya::{Ebpf, EbpfLoader};
use ebpf::program::{METER, constant, map};

const FLOWS: u32 = 131_072;
const HOSTS: u32 = 16_384;
const PAIRS: u32 = 32_768;
const SUSPECTS: u32 = 4_096;
const FLOOD_GUARD: u32 = 4_096;

/// The loaded meter.
pub(crate) struct Meter {
    pub(crate) ebpf: Ebpf,
    pub(crate) ring: RingBuf<MapData>,
}

impl Meter {
    /// Room for conversations.
    pub(crate) const FLOWS: u32 = FLOWS;

    /// Loads `object`.
    pub(crate) fn load(object: &[u8]) -> Result<Self> {
        let mut limits = vec![7; 8];
        limits.extend(FLOOD_GUARD.to_ne_bytes());
        limits.extend([0; 4]);
        let mut ebpf = EbpfLoader::new()
            .btf(None)
            .map_max_entries(map::FLOWS, FLOWS)
            .map_max_entries(map::HOSTS, HOSTS)
            .map_max_entries(map::PAIRS, PAIRS)
            .map_max_entries(map::SUSPECTS, SUSPECTS)
            .override_global(constant::LIMITS, &limits[..], true)
            .load(object)
            .context("the meter does not load")?;
        let ring = RingBuf::try_from(ebpf.take_map(map::SNAPSHOTS).context("no ring")?)?;
        Ok(Self { ebpf, ring })
    }

    /// Attaches it to loopback.
    pub(crate) fn attach(&mut self) -> Result<SchedClassifierLink> {
        attach(&mut self.ebpf, METER)
    }

    /// The values of a map, as the bytes of their structure: `K` and `V` are its sizes.
    pub(crate) fn values<const K: usize, const V: usize>(
        &self,
        name: &str,
    ) -> Result<Vec<[u8; V]>> {
        let map = self
            .ebpf
            .map(name)
            .with_context(|| format!("no map {name}"))?;
        let map = HashMap::<_, [u8; K], [u8; V]>::try_from(map)?;
        Ok(map
            .iter()
            .map(|entry| entry.map(|(_, value)| value))
            .collect::<Result<_, _>>()?)
    }
}

/// Attaches the program `name` to what comes in on loopback.
pub(crate) fn attach(ebpf: &mut Ebpf, name: &str) -> Result<SchedClassifierLink> {
    let classifier = classifier(ebpf, name)?;
    if classifier.fd().is_err() {
        classifier
            .load()
            .with_context(|| format!("{name} does not load"))?;
    }
    let link = classifier.attach("lo", TcAttachType::Ingress)?;
    Ok(classifier.take_link(link)?)
}

/// The program `name`.
pub(crate) fn classifier<'a>(ebpf: &'a mut Ebpf, name: &str) -> Result<&'a mut SchedClassifier> {
    let program = ebpf
        .program_mut(name)
        .with_context(|| format!("no program {name}"))?;
    Ok(program.try_into()?)
}
