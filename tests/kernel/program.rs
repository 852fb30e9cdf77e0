//! The kernel program under test: loaded through the verifier, run on frames, its maps read back.
//! It attaches to nothing, so that no traffic but the test's is metered.
#![expect(
    unsafe_code,
    reason = "aya moves map entries as plain old data, and only a promise makes them that"
)]

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use aya::maps::{HashMap, MapData, PerCpuArray, RingBuf};
use aya::programs::{ProgramInfo, SchedClassifier, TestRun, TestRunOptions};
use aya::{Ebpf, EbpfLoader, Pod};
use ebpf::account::Limits;
use ebpf::host::HostKey;
use ebpf::program::{Counters, LINKS, METER, constant, map};
use ebpf::snapshot::Snapshot;

use super::frames::Frame;
use super::oracle::State;

/// Times a load is tried before its error counts; libbpf's own number.
const LOADS: usize = 5;

/// Room beyond what a table will hold: the LRU evicts before it is full, because each CPU keeps free entries in hand.
const SLACK: usize = 4096;
/// No test suspects more.
const SUSPECTS: u32 = 4096;

/// Of each frame this much is run: the headers, and less than the page the kernel allows.
const RUN_LEN: usize = 512;

/// Fields of the context a test run may set: offsets in the kernel's `struct __sk_buff`, `linux/bpf.h`.
mod context {
    pub(super) const SIZE: usize = 192;
    pub(super) const TSTAMP: usize = 152;
    pub(super) const WIRE_LEN: usize = 160;
    pub(super) const GSO_SEGS: usize = 164;
}

/// A map's entry as aya wants it.
#[repr(transparent)]
#[derive(Clone, Copy)]
struct Entry<T: Copy + 'static>(T);

// SAFETY: every `T` here is one of the meter's `repr(C)` structures of integers, for which any bytes are a value.
unsafe impl<T: Copy + 'static> Pod for Entry<T> {}

/// Whether the kernel runs a program on `frame`: it wants a whole IP header where the Ethernet header announces one, and
/// no more on the wire than 64 KiB.
pub(crate) fn accepts(frame: &Frame) -> bool {
    let header = match frame.bytes.get(12..14) {
        Some([0x08, 0x00]) => 20,
        Some([0x86, 0xdd]) => 40,
        Some(_) => 0,
        None => return false,
    };
    frame.bytes.len() >= 14 + header && frame.wire <= 1 << 16
}

/// The loaded program and its maps.
pub(crate) struct Program {
    ebpf: Ebpf,
    ring: RingBuf<MapData>,
    state: State,
}

impl Program {
    /// Loads `object` with tables of its own for `entries` each, to meter frames of a test run under `limits`.
    ///
    /// The kernel gives a load up with EAGAIN when it is interrupted, and aya does not ask again as libbpf does.
    pub(crate) fn load(object: &[u8], limits: Limits, entries: usize) -> Result<Self> {
        let mut tries = (0..LOADS).map(|_| Self::load_once(object, limits, entries));
        let loaded = tries.find(Result::is_ok);
        loaded.unwrap_or_else(|| Self::load_once(object, limits, entries))
    }

    fn load_once(object: &[u8], limits: Limits, entries: usize) -> Result<Self> {
        let entries = u32::try_from(2 * entries + SLACK)?;
        let mut ebpf = EbpfLoader::new()
            .map_max_entries(map::FLOWS, entries)
            .map_max_entries(map::HOSTS, entries)
            .map_max_entries(map::PAIRS, entries)
            .map_max_entries(map::SUSPECTS, SUSPECTS)
            .override_global(constant::LIMITS, &Entry(limits), true)
            .override_global(constant::REPLAY, &1u32, true)
            .load(object)
            .context("the object does not load")?;
        classifier(&mut ebpf)?
            .load()
            .context("the verifier refuses the program")?;
        let ring = ebpf.take_map(map::SNAPSHOTS).context("no ring")?;
        let ring = RingBuf::try_from(ring)?;
        let state = State::default();
        Ok(Self { ebpf, ring, state })
    }

    /// What the kernel says of the program.
    pub(crate) fn info(&mut self) -> Result<ProgramInfo> {
        Ok(classifier(&mut self.ebpf)?.info()?)
    }

    /// Puts a host under suspicion.
    pub(crate) fn suspect(&mut self, host: HostKey) -> Result<()> {
        let suspects = self.ebpf.map_mut(map::SUSPECTS).context("no suspects")?;
        let mut suspects = HashMap::<_, Entry<HostKey>, u32>::try_from(suspects)?;
        suspects.insert(Entry(host), 1, 0)?;
        self.state.suspects.insert(host);
        Ok(())
    }

    /// Runs the program on one frame, and takes the snapshots that leaves.
    pub(crate) fn run(&mut self, frame: &Frame) -> Result<()> {
        let mut context = [0; context::SIZE];
        let mut set =
            |at: usize, field: &[u8]| context[at..at + field.len()].copy_from_slice(field);
        set(context::TSTAMP, &(frame.time * 1000).to_ne_bytes());
        set(context::WIRE_LEN, &frame.wire.to_ne_bytes());
        set(context::GSO_SEGS, &frame.segments.to_ne_bytes());
        let run_len = frame.bytes.len().min(RUN_LEN);
        let options = TestRunOptions {
            data_in: Some(&frame.bytes[..run_len]),
            ctx_in: Some(&context),
            ..TestRunOptions::default()
        };
        let result = classifier(&mut self.ebpf)?
            .test_run(options)
            .with_context(|| format!("the kernel refuses to run the program on {frame:?}"))?;
        // TC_ACT_UNSPEC: the frame goes on to the next program.
        anyhow::ensure!(
            result.return_value == u32::MAX,
            "a frame was not left alone"
        );
        self.take_snapshots()
    }

    fn take_snapshots(&mut self) -> Result<()> {
        while let Some(item) = self.ring.next() {
            anyhow::ensure!(item.len() == size_of::<Snapshot>(), "half a snapshot");
            // SAFETY: the bytes are as many as a `Snapshot` has, and any bytes are one.
            let snapshot = unsafe { item.as_ptr().cast::<Snapshot>().read_unaligned() };
            self.state.snapshots.push(snapshot);
        }
        Ok(())
    }

    /// Reads the maps, and gives up the program.
    pub(crate) fn finish(mut self) -> Result<State> {
        self.state.flows = entries(&self.ebpf, map::FLOWS)?;
        self.state.hosts = entries(&self.ebpf, map::HOSTS)?;
        self.state.pairs = entries(&self.ebpf, map::PAIRS)?;
        let counters = self.ebpf.map(map::COUNTERS).context("no counters")?;
        let counters = PerCpuArray::<_, Entry<Counters>>::try_from(counters)?;
        for link in 0..LINKS {
            for Entry(cpu) in counters.get(&link, 0)?.iter() {
                for (sum, count) in self.state.counters.iter_mut().zip(cpu) {
                    *sum += count;
                }
            }
        }
        Ok(self.state)
    }
}

fn classifier(ebpf: &mut Ebpf) -> Result<&mut SchedClassifier> {
    let program = ebpf.program_mut(METER).context("no such program")?;
    Ok(program.try_into()?)
}

fn entries<K, V>(ebpf: &Ebpf, name: &str) -> Result<BTreeMap<K, V>>
where
    K: Copy + Ord + 'static,
    V: Copy + 'static,
{
    let map = ebpf.map(name).with_context(|| format!("no map {name}"))?;
    let map = HashMap::<&MapData, Entry<K>, Entry<V>>::try_from(map)?;
    map.iter()
        .map(|entry| entry.map(|(Entry(key), Entry(value))| (key, value)))
        .collect::<Result<_, _>>()
        .with_context(|| format!("map {name} cannot be read"))
}
