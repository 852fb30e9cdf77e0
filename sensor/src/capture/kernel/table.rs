//! One map of the kernel as a table that is walked in bounded steps.
//! It reads and deletes; only the kernel program writes entries.

use aya::Ebpf;
use aya::maps::{HashMap, IterableMap, MapData, MapError};
use nix::errno::Errno;

use super::{Entry, KernelError, load, read_batch};
use detection::meter::Occupancy;

/// Keys and values of a hash in the kernel, how far a walk over them has come, and what the last one counted.
#[derive(Debug)]
pub(super) struct Table<K: Copy + 'static, V: Copy + 'static> {
    map: HashMap<MapData, Entry<K>, Entry<V>>,
    cursor: Option<u32>,
    keys: Vec<Entry<K>>,
    values: Vec<Entry<V>>,
    walked: usize,
    /// Entries ever made, as the program counted them when the walk began.
    opened: u64,
    deleted: u64,
    occupancy: Occupancy,
}

/// Whether a walk has come to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Walk {
    Continues,
    Ended,
}

impl<K: Copy + 'static, V: Copy + 'static> Table<K, V> {
    /// The map `name` of a loaded object, to be walked `step` entries at a time.
    pub(super) fn open(
        ebpf: &mut Ebpf,
        name: &'static str,
        step: usize,
    ) -> Result<Self, KernelError> {
        Ok(Self {
            map: load::take(ebpf, name)?,
            cursor: None,
            keys: Vec::with_capacity(step),
            values: Vec::with_capacity(step),
            walked: 0,
            opened: 0,
            deleted: 0,
            occupancy: Occupancy::default(),
        })
    }

    /// Begins to walk, when the program has made `opened` entries in all.
    pub(super) fn begin(&mut self, opened: u64) {
        self.cursor = None;
        self.walked = 0;
        self.opened = opened;
    }

    /// Reads the next entries, which [`Table::keys`] and [`Table::values`] give until the next step.
    pub(super) fn step(&mut self) -> Result<Walk, KernelError> {
        let map = self.map.map().fd();
        read_batch(map, &mut self.cursor, &mut self.keys, &mut self.values)
            .map_err(KernelError::Read)?;
        self.walked += self.keys.len();
        match self.cursor {
            Some(_) => Ok(Walk::Continues),
            None => {
                self.occupancy.entries = self.walked;
                let left = self.opened.saturating_sub(self.deleted);
                let evicted = left.saturating_sub(self.walked as u64);
                self.occupancy.evictions = self.occupancy.evictions.max(evicted);
                Ok(Walk::Ended)
            }
        }
    }

    /// The entries of the last step.
    pub(super) fn entries(&self) -> impl Iterator<Item = (&K, &V)> {
        let values = self.values.iter().map(|Entry(value)| value);
        self.keys.iter().map(|Entry(key)| key).zip(values)
    }

    /// The value under `key` now.
    pub(super) fn get(&self, key: &K) -> Option<V> {
        self.map.get(&Entry(*key), 0).ok().map(|Entry(value)| value)
    }

    /// Deletes an entry, if it is there.
    pub(super) fn delete(&mut self, key: &K) {
        match self.map.remove(&Entry(*key)) {
            Ok(()) => self.deleted += 1,
            // The kernel was faster and evicted it.
            Err(MapError::KeyNotFound) => {}
            Err(MapError::SyscallError(error))
                if error.io_error.raw_os_error() == Some(Errno::ENOENT as i32) => {}
            Err(error) => tracing::debug!("an entry of the kernel's tables stays: {error}"),
        }
    }

    /// What the last walk found; entries that came and went between two walks are not known to have been evicted.
    pub(super) fn occupancy(&self, table: &'static str) -> Occupancy {
        Occupancy {
            table,
            ..self.occupancy
        }
    }

    /// Kernel memory it takes, bytes.
    pub(super) fn memory(&self) -> u64 {
        load::memory(self.map.map().fd())
    }
}
