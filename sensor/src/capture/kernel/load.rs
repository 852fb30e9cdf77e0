//! The embedded kernel program, loaded with tables of the configured size.
//! It attaches nothing.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::os::fd::{AsFd, AsRawFd};
use std::sync::LazyLock;

use aya::maps::Map;
use aya::programs::{ProgramError, SchedClassifier};
use aya::{Ebpf, EbpfLoader};
use ebpf::account::Limits;
use ebpf::program::{METER, RAW_METER, constant, map};
use nix::errno::Errno;

use super::{Entry, KernelError};
use settings::Count;

/// What `cargo xtask ebpf` built, empty where it was not asked.
static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/garita-meter.o"));

/// Times a load is tried before its error counts, libbpf's own number: the kernel gives up when it is interrupted.
const LOADS: usize = 5;

/// Seed of the bitmap hashes: one for the life of this process, which nobody outside can know.
static SEED: LazyLock<u64> = LazyLock::new(|| RandomState::new().hash_one(std::process::id()));

/// Makes the maps and reads the object; the programs are verified when an interface first needs one.
pub(super) fn load(sizes: &settings::Meter, suspects: u32) -> Result<Ebpf, KernelError> {
    if OBJECT.is_empty() {
        return Err(KernelError::Absent);
    }
    let limits = Limits {
        seed: *SEED,
        flood_guard: sizes.flood_guard.get(),
        separate_tags: u32::from(sizes.tags == settings::Tags::Separate),
    };
    let flows = sizes.max_flows.get() + sizes.max_unanswered_flows.get();
    let (hosts, pairs) = (sizes.max_hosts.get(), sizes.max_pairs.get());
    EbpfLoader::new()
        // The program reads nothing of the kernel's own structures, so it needs no types of them.
        .btf(None)
        .map_max_entries(map::FLOWS, flows)
        .map_max_entries(map::HOSTS, hosts)
        .map_max_entries(map::PAIRS, pairs)
        .map_max_entries(map::SUSPECTS, suspects)
        .override_global(constant::LIMITS, &Entry(limits), true)
        .load(OBJECT)
        .map_err(|error| {
            KernelError::loading(error, |name| match name {
                map::FLOWS => flows,
                map::HOSTS => hosts,
                map::PAIRS => pairs,
                map::SUSPECTS => suspects,
                _ => 1,
            })
        })
}

/// Whether this kernel takes the program, tried with tables of next to no size; nothing of it stays.
pub fn probe() -> Result<(), KernelError> {
    let sizes = settings::Meter {
        max_flows: Count::clamped(0),
        max_unanswered_flows: Count::clamped(0),
        max_hosts: Count::clamped(0),
        max_pairs: Count::clamped(0),
        ..settings::Meter::default()
    };
    let mut ebpf = load(&sizes, 1)?;
    for name in [METER, RAW_METER] {
        program(&mut ebpf, name)?;
    }
    Ok(())
}

/// The program `name`, verified and in the kernel.
pub(super) fn program<'a>(
    ebpf: &'a mut Ebpf,
    name: &'static str,
) -> Result<&'a mut SchedClassifier, KernelError> {
    let found = ebpf.program_mut(name).ok_or(KernelError::Absent)?;
    let program: &mut SchedClassifier = found.try_into().map_err(KernelError::verifying)?;
    for attempt in 1.. {
        match program.load() {
            Ok(()) | Err(ProgramError::AlreadyLoaded) => break,
            Err(ProgramError::LoadError { io_error, .. })
                if io_error.raw_os_error() == Some(Errno::EAGAIN as i32) && attempt < LOADS => {}
            Err(error) => return Err(KernelError::verifying(error)),
        }
    }
    Ok(program)
}

/// Takes a map out of the loaded object.
pub(super) fn take<T>(ebpf: &mut Ebpf, name: &'static str) -> Result<T, KernelError>
where
    T: TryFrom<Map, Error = aya::maps::MapError>,
{
    let unfit = |source| KernelError::Map { map: name, source };
    let map = ebpf.take_map(name).ok_or_else(|| unfit(None))?;
    T::try_from(map).map_err(|error| unfit(Some(error)))
}

/// Kernel memory of a map in bytes, as the kernel accounts for it; 0 where it does not say.
pub(super) fn memory(map: impl AsFd) -> u64 {
    let path = format!("/proc/self/fdinfo/{}", map.as_fd().as_raw_fd());
    let info = std::fs::read_to_string(path).unwrap_or_default();
    let line = info.lines().find_map(|line| line.strip_prefix("memlock:"));
    line.and_then(|bytes| bytes.trim().parse().ok())
        .unwrap_or(0)
}
