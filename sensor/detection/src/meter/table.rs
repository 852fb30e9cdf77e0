//! A bounded table that evicts exactly the entry idle for longest.
//! Entries stand on one of several recency lists, each with a cap of its own; nothing here knows what it holds.

use std::collections::VecDeque;
use std::hash::{BuildHasher, Hash};

use hashbrown::{DefaultHashBuilder, HashTable};

/// Where an entry stands; valid until the entry is removed.
pub type Handle = u32;

const NONE: Handle = Handle::MAX;

#[derive(Debug)]
struct Entry<K, V> {
    key: K,
    value: V,
    older: Handle,
    newer: Handle,
    list: u8,
}

/// Entries in the order of their last use, the oldest first.
#[derive(Debug)]
struct Recency {
    oldest: Handle,
    newest: Handle,
    len: usize,
    cap: usize,
}

/// Keys and values with `LISTS` recency lists over them.
#[derive(Debug)]
pub struct Table<K, V, const LISTS: usize> {
    index: HashTable<Handle>,
    entries: Vec<Entry<K, V>>,
    free: VecDeque<Handle>,
    lists: [Recency; LISTS],
    hasher: DefaultHashBuilder,
    evictions: u64,
}

impl<K: Copy + Eq + Hash, V: Copy, const LISTS: usize> Table<K, V, LISTS> {
    /// An empty table whose lists hold at most `caps` entries each; memory is taken as entries come.
    pub fn new(caps: [usize; LISTS]) -> Self {
        Self {
            index: HashTable::new(),
            entries: Vec::new(),
            free: VecDeque::new(),
            lists: caps.map(|cap| Recency {
                oldest: NONE,
                newest: NONE,
                len: 0,
                cap: cap.max(1),
            }),
            hasher: DefaultHashBuilder::default(),
            evictions: 0,
        }
    }

    /// The entry under `key`, without marking it as used.
    pub fn find(&self, key: &K) -> Option<Handle> {
        let hash = self.hasher.hash_one(key);
        self.index
            .find(hash, |&handle| self.entries[handle as usize].key == *key)
            .copied()
    }

    /// Adds an entry as the newest of `list`, evicting the oldest of that list if it is full.
    ///
    /// The key must not be present.
    pub fn insert(&mut self, key: K, value: V, list: u8) -> Handle {
        let recency = &self.lists[list as usize];
        if recency.len >= recency.cap {
            self.remove(recency.oldest);
            self.evictions += 1;
        }
        let entry = Entry {
            key,
            value,
            older: NONE,
            newer: NONE,
            list,
        };
        let handle = match self.free.pop_front() {
            Some(handle) => {
                self.entries[handle as usize] = entry;
                handle
            }
            None => {
                self.entries.push(entry);
                (self.entries.len() - 1) as Handle
            }
        };
        self.link(handle, list);
        let (entries, hasher) = (&self.entries, &self.hasher);
        let hash = hasher.hash_one(key);
        self.index.insert_unique(hash, handle, |&other| {
            hasher.hash_one(entries[other as usize].key)
        });
        handle
    }

    /// Removes an entry.
    pub fn remove(&mut self, handle: Handle) {
        self.unlink(handle);
        let key = self.entries[handle as usize].key;
        let hash = self.hasher.hash_one(key);
        if let Ok(found) = self.index.find_entry(hash, |&other| other == handle) {
            found.remove();
            self.free.push_back(handle);
        }
    }

    /// Marks an entry as the newest of its list.
    pub fn touch(&mut self, handle: Handle) {
        let list = self.entries[handle as usize].list;
        if self.lists[list as usize].newest != handle {
            self.unlink(handle);
            self.link(handle, list);
        }
    }

    /// Moves an entry to another list, evicting the oldest there if that is full.
    pub fn move_to(&mut self, handle: Handle, list: u8) {
        if self.entries[handle as usize].list == list {
            return;
        }
        let recency = &self.lists[list as usize];
        if recency.len >= recency.cap {
            self.remove(recency.oldest);
            self.evictions += 1;
        }
        self.unlink(handle);
        self.link(handle, list);
    }

    /// The entry of `list` idle for longest.
    pub fn oldest(&self, list: u8) -> Option<Handle> {
        let oldest = self.lists[list as usize].oldest;
        (oldest != NONE).then_some(oldest)
    }

    /// Whether the next entry on `list` evicts another.
    pub fn is_full(&self, list: u8) -> bool {
        let recency = &self.lists[list as usize];
        recency.len >= recency.cap
    }

    /// Removes every entry whose key fails `keep`; looks at all of them.
    pub fn retain(&mut self, keep: impl Fn(&K) -> bool) {
        let gone: Vec<Handle> = self
            .index
            .iter()
            .copied()
            .filter(|&handle| !keep(&self.entries[handle as usize].key))
            .collect();
        gone.into_iter().for_each(|handle| self.remove(handle));
    }

    /// The key of an entry.
    pub fn key(&self, handle: Handle) -> &K {
        &self.entries[handle as usize].key
    }

    /// The value of an entry.
    pub fn value(&self, handle: Handle) -> &V {
        &self.entries[handle as usize].value
    }

    /// The value of an entry, to be changed.
    pub fn value_mut(&mut self, handle: Handle) -> &mut V {
        &mut self.entries[handle as usize].value
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Entries in the table.
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// Entries evicted so far because a list was full.
    pub fn evictions(&self) -> u64 {
        self.evictions
    }

    /// Every key and value, in no order that means anything.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.index.iter().map(|&handle| {
            let entry = &self.entries[handle as usize];
            (&entry.key, &entry.value)
        })
    }

    fn link(&mut self, handle: Handle, list: u8) {
        let recency = &mut self.lists[list as usize];
        let before = recency.newest;
        recency.newest = handle;
        recency.len += 1;
        if before == NONE {
            recency.oldest = handle;
        } else {
            self.entries[before as usize].newer = handle;
        }
        let entry = &mut self.entries[handle as usize];
        entry.older = before;
        entry.newer = NONE;
        entry.list = list;
    }

    fn unlink(&mut self, handle: Handle) {
        let Entry {
            older, newer, list, ..
        } = self.entries[handle as usize];
        let recency = &mut self.lists[list as usize];
        recency.len -= 1;
        if older == NONE {
            recency.oldest = newer;
        } else {
            self.entries[older as usize].newer = newer;
        }
        let recency = &mut self.lists[list as usize];
        if newer == NONE {
            recency.newest = older;
        } else {
            self.entries[newer as usize].older = older;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(table: &Table<u32, (), 2>) -> Vec<u32> {
        let mut keys: Vec<u32> = table.iter().map(|(key, ())| *key).collect();
        keys.sort_unstable();
        keys
    }

    #[test]
    fn evicts_the_longest_idle_of_the_full_list_only() {
        let mut table = Table::new([2, 2]);
        let first = table.insert(1, (), 0);
        table.insert(2, (), 0);
        table.insert(10, (), 1);
        table.touch(first);
        table.insert(3, (), 0);
        assert_eq!(keys(&table), [1, 3, 10]);
        assert_eq!(table.evictions(), 1);
    }

    #[test]
    fn moving_between_lists_respects_the_cap_of_the_target() {
        let mut table = Table::new([3, 1]);
        let first = table.insert(1, (), 0);
        let second = table.insert(2, (), 0);
        table.move_to(first, 1);
        table.move_to(second, 1);
        assert_eq!(keys(&table), [2]);
        assert_eq!(table.oldest(0), None);
    }

    #[test]
    fn handles_are_reused_after_removal() {
        let mut table: Table<u32, (), 2> = Table::new([4, 4]);
        let first = table.insert(1, (), 0);
        table.remove(first);
        assert_eq!(table.find(&1), None);
        assert_eq!(table.insert(2, (), 1), first);
        assert_eq!(table.len(), 1);
    }
}
