//! The meter's other home: the kernel program, its maps as tables, and the snapshots that come out of its ring.
//! What the program counts is decided in the `ebpf` crate; no packet is looked at here.
#![expect(
    unsafe_code,
    reason = "map entries are plain memory that the kernel writes, and only a promise makes them values"
)]

mod attach;
mod clsact;
mod error;
mod load;
mod sweep;
mod table;
mod tap;

use std::os::fd::{AsFd, AsRawFd};
use std::ptr;

use aya::Pod;
use ebpf::snapshot::Snapshot;
use nix::errno::Errno;
use nix::libc;

pub use attach::Hook;
pub use clsact::withdraw;
pub use error::KernelError;
pub use load::probe;
pub use tap::Kernel;

/// A key or value of a map as aya wants it: one of the meter's `repr(C)` structures of integers.
#[repr(transparent)]
#[derive(Clone, Copy, Debug)]
struct Entry<T: Copy + 'static>(T);

// SAFETY: `Entry` is private to this folder, where every `T` is a structure of integers without padding, shared with the
// kernel program: any bytes are a value of it.
unsafe impl<T: Copy + 'static> Pod for Entry<T> {}

/// The snapshot an item of the ring is; nothing where its length is another.
fn snapshot(item: &[u8]) -> Option<Snapshot> {
    if item.len() != size_of::<Snapshot>() {
        return None;
    }
    // SAFETY: the bytes are as many as a `Snapshot` has, and any bytes are one: it is all integers.
    Some(unsafe { item.as_ptr().cast::<Snapshot>().read_unaligned() })
}

/// `BPF_MAP_LOOKUP_BATCH` of `enum bpf_cmd`, since Linux 5.6.
const LOOKUP_BATCH: libc::c_long = 24;

/// The part of `union bpf_attr` that the batch commands read, `linux/bpf.h`.
#[repr(C)]
#[derive(Default)]
struct BatchAttributes {
    from: u64,
    to: u64,
    keys: u64,
    values: u64,
    count: u32,
    map: u32,
    element_flags: u64,
    flags: u64,
}

/// Reads up to `keys.capacity()` entries of a hash from `cursor` on into the emptied `keys` and `values`, and moves
/// `cursor`: nothing is the beginning, and again the end. aya reads entry by entry, two system calls each.
fn read_batch<K: Copy, V: Copy>(
    map: impl AsFd,
    cursor: &mut Option<u32>,
    keys: &mut Vec<Entry<K>>,
    values: &mut Vec<Entry<V>>,
) -> nix::Result<()> {
    keys.clear();
    values.clear();
    let room = keys.capacity().min(values.capacity());
    let mut next = 0_u32;
    let mut attributes = BatchAttributes {
        from: cursor
            .as_ref()
            .map_or(0, |bucket| ptr::from_ref(bucket) as u64),
        to: &raw mut next as u64,
        keys: keys.as_mut_ptr() as u64,
        values: values.as_mut_ptr() as u64,
        count: u32::try_from(room).unwrap_or(u32::MAX),
        map: map.as_fd().as_raw_fd().cast_unsigned(),
        ..BatchAttributes::default()
    };
    // SAFETY: the kernel writes at most `count` keys and values of the map's own sizes, which are those of `K` and `V`
    // (aya compared them when the table was opened), into the spare room of the two vectors; `from` and `to` point at
    // bucket numbers of four bytes, as the hash maps of the kernel use, that outlive the call.
    let returned = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            LOOKUP_BATCH,
            &raw mut attributes,
            size_of::<BatchAttributes>(),
        )
    };
    let ended = match Errno::result(returned) {
        Ok(_) => false,
        // The last entries, if any, come with this.
        Err(Errno::ENOENT) => true,
        Err(errno) => return Err(errno),
    };
    let count = (attributes.count as usize).min(room);
    // SAFETY: the kernel has written `count` entries to each, and `count` is within their capacity.
    unsafe {
        keys.set_len(count);
        values.set_len(count);
    }
    *cursor = (!ended).then_some(next);
    Ok(())
}
