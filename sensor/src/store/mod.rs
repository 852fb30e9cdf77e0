//! Where incidents, blocks, reviews, the outbox and the audit trail survive: one SQLite file, one thread that writes it.
//! Nobody waits for it: detection and blocking go on whatever becomes of the disk.

mod audit;
mod column;
mod entry;
mod error;
mod file;
mod health;
mod outbox;
mod queue;
mod reader;
mod recovery;
mod retention;
mod rows;
mod write;
mod writer;

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::sync::watch;

use contract::timestamp::Timestamp;
use settings::Config;

pub use entry::{Entry, Kind, LastRevision, Message};
pub use error::StoreError;
pub use health::{Health, State};
pub use reader::Reader;
pub use rows::{
    AuditCheck, AuditHead, Dropped, IncidentQuery, Labelled, Offences, OutboxExtent, Page,
    PastBlock, Posted, Recovered, Released, StoredIncident,
};

use queue::Queue;
use writer::{Shared, Writer};

/// How long a reader waits for what was recorded before it: where a disk takes longer, what is on it has to do.
const PATIENCE: Duration = Duration::from_secs(1);

/// A way to the store, as cheap to clone as to use.
#[derive(Debug, Clone)]
pub struct Store {
    handle: Arc<Handle>,
}

/// The last one to let go waits for what is still to be written.
#[derive(Debug)]
struct Handle {
    shared: Arc<Shared>,
    writer: Mutex<Option<JoinHandle<()>>>,
    /// Whether anybody is reported to.
    reports: bool,
}

/// Whether the file at `path` could be used: looks for damage, and changes nothing.
pub fn examine(path: &Path) -> Result<(), StoreError> {
    file::examine(path)
}

impl Store {
    /// Opens the file of `[store]` and reads what has to be known again; `clock` gives the wall time. It never fails: a
    /// file that cannot be used shows in [`Store::health`], is tried again, and entries wait for it in memory.
    pub fn open(config: &Config, clock: fn() -> Timestamp) -> (Self, Recovered) {
        let queue = Queue::new(config.store.max_waiting_mib.size() << 20);
        let shared = Arc::new(Shared::new(&config.store.path, queue, clock));
        let (writer, recovered) = Writer::open(Arc::clone(&shared), config.into());
        let started = thread::Builder::new()
            .name("store".to_owned())
            .spawn(|| writer.run());
        let writer = started.map_err(|source| {
            shared.fail(&StoreError::Thread {
                path: shared.path.to_path_buf(),
                source,
            });
        });
        let handle = Handle {
            shared,
            writer: Mutex::new(writer.ok()),
            reports: config.report.url.get().is_some(),
        };
        let handle = Arc::new(handle);
        (Self { handle }, recovered)
    }

    /// Keeps an entry: it is on the disk within a fifth of a second where that works, and in memory at once. Never waits.
    ///
    /// Messages are kept only where there is a broker to send them to.
    pub fn record(&self, mut entry: Entry) {
        let shared = &self.handle.shared;
        if !self.handle.reports {
            match &mut entry {
                Entry::Publish(_) => return,
                Entry::Incident { message, .. } | Entry::Abandoned { message, .. } => {
                    *message = None
                }
                _ => {}
            }
        }
        shared.queue.push(entry, (shared.clock)());
    }

    /// A connection to ask on; it waits for the disk.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn reader(&self) -> Result<Reader, StoreError> {
        Reader::open(&self.handle.shared.path)
    }

    /// A connection that sees everything recorded before, as far as the disk takes it within a second.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn current_reader(&self) -> Result<Reader, StoreError> {
        self.handle.shared.queue.flush(PATIENCE);
        self.reader()
    }

    /// How the store is doing.
    pub fn health(&self) -> Health {
        self.handle.shared.health()
    }

    /// The number of the last message in the outbox, each time that messages were committed.
    pub fn outbox_changed(&self) -> watch::Receiver<u64> {
        self.handle.shared.posted.subscribe()
    }

    /// What tells this file, and with it its sequence numbers, from every other; nothing while there never was a file.
    pub fn epoch(&self) -> Option<String> {
        self.handle.shared.epoch()
    }

    /// Writes what waits, for all who have this store, and takes no more. What a broken disk does not take is lost.
    pub fn close(self) {
        self.handle.finish();
    }
}

impl Handle {
    fn finish(&self) {
        self.shared.queue.close();
        let writer = self.writer.lock();
        let writer = writer.unwrap_or_else(PoisonError::into_inner).take();
        if let Some(Err(_)) = writer.map(JoinHandle::join) {
            tracing::error!("the thread that writes the store has died");
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.finish();
    }
}
