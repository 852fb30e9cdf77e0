//! The thread that writes: batches into the file, tried again until they are there, and old records out of it.
//! It decides nothing, and nobody waits for it.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rusqlite::{Connection, TransactionBehavior};
use tokio::sync::watch;

use super::entry::Kind;
use super::error::{StoreError, is_of_the_entry};
use super::file::{self, File};
use super::health::{Health, State};
use super::queue::{Queue, Waiting, Wake};
use super::retention::{self, Bounds, Step};
use super::rows::Recovered;
use super::{audit, outbox, write};
use contract::timestamp::{Timestamp, clock};

/// The first pause after a failure, and the longest: a disk is freed by hand, and whoever does it looks for the effect.
const PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(8);

/// How often it is looked whether records have become too old or too many.
const TIDY_EVERY: Duration = Duration::from_secs(30);

/// Two damaged files in this time mean a bad disk, on which a third would not help.
const BAD_DISK: Duration = Duration::from_secs(86_400);

/// What the writer shares with those who hand it entries.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) queue: Queue,
    pub(super) clock: fn() -> Timestamp,
    pub(super) path: Box<Path>,
    /// The number of the last message that was committed.
    pub(super) posted: watch::Sender<u64>,
    told: Mutex<Progress>,
}

/// What the writer tells of itself.
#[derive(Debug, Default)]
struct Progress {
    state: State,
    replaced: Option<String>,
    epoch: Option<String>,
    file_bytes: u64,
    commits: u64,
}

/// The writer.
#[derive(Debug)]
pub(super) struct Writer {
    shared: Arc<Shared>,
    bounds: Bounds,
    file: Option<File>,
    pause: Duration,
    tidy_at: Instant,
    moved_aside: Option<Instant>,
}

impl Shared {
    pub(super) fn new(path: &Path, queue: Queue, clock: fn() -> Timestamp) -> Self {
        Self {
            queue,
            clock,
            path: path.into(),
            posted: watch::Sender::new(0),
            told: Mutex::default(),
        }
    }

    pub(super) fn health(&self) -> Health {
        let load = self.queue.load();
        let told = self.told();
        Health {
            state: told.state.clone(),
            replaced: told.replaced.clone(),
            waiting: load.entries,
            waiting_bytes: load.bytes,
            lost: load.lost,
            file_bytes: told.file_bytes,
            commits: told.commits,
        }
    }

    pub(super) fn epoch(&self) -> Option<String> {
        self.told().epoch.clone()
    }

    /// Says that entries do not reach the disk, once for each reason.
    pub(super) fn fail(&self, error: &StoreError) {
        let mut told = self.told();
        let (since, known) = match &told.state {
            State::Ok => ((self.clock)(), None),
            State::Failing { since, why } => (*since, Some(why.clone())),
        };
        let why = error.to_string();
        if known.as_ref() != Some(&why) {
            tracing::error!("the store failed, detection continues without it: {why}");
        }
        told.state = State::Failing { since, why };
    }

    fn told(&self) -> MutexGuard<'_, Progress> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Writer {
    /// Opens the file and reads what has to be known again. Where it cannot be written, what can be read counts.
    pub(super) fn open(shared: Arc<Shared>, bounds: Bounds) -> (Self, Recovered) {
        let mut writer = Self {
            shared,
            bounds,
            file: None,
            pause: PAUSE,
            tidy_at: Instant::now(),
            moved_aside: None,
        };
        let recovered = match writer.try_open() {
            Ok(recovered) => recovered,
            Err(error) => {
                writer.shared.fail(&error);
                writer.read_only()
            }
        };
        (writer, recovered)
    }

    /// Writes until the queue is closed and all of it is written, or cannot be.
    pub(super) fn run(mut self) {
        loop {
            if self.file.is_none() && !self.try_again() {
                if self.shared.queue.rest(self.pause) && !self.try_again() {
                    let lost = self.shared.queue.abandon().lost;
                    tracing::error!("the store was closed before everything was written: {lost:?}");
                    return;
                }
                self.pause = (self.pause * 2).min(LONGEST_PAUSE);
                continue;
            }
            match self.shared.queue.next(self.tidy_at) {
                Wake::Batch(batch) => {
                    self.write(batch);
                    // While entries keep coming the queue is never idle.
                    if self.tidy_at <= Instant::now() {
                        self.tidy();
                    }
                }
                Wake::Idle => self.tidy(),
                Wake::Closed => return,
            }
        }
    }

    /// Opens the file again and writes what waits, which alone shows that it works.
    fn try_again(&mut self) -> bool {
        if let Err(error) = self.try_open() {
            self.shared.fail(&error);
            return false;
        }
        let batch = self.shared.queue.at_once();
        self.write(batch);
        self.file.is_some()
    }

    /// Opens the file; a damaged one is replaced by a new one, with what can be read of it.
    fn try_open(&mut self) -> Result<Recovered, StoreError> {
        let now = (self.shared.clock)();
        let opened = File::open(&self.shared.path).and_then(|file| {
            let (recovered, wrong) = Recovered::read(&file.db, now);
            match wrong {
                None => Ok((file, recovered)),
                Some(source) => Err(StoreError::Read {
                    what: "what has to be known again",
                    path: self.shared.path.to_path_buf(),
                    source,
                }),
            }
        });
        let (file, recovered) = match opened {
            Err(error) if error.is_corruption() => return self.replace(&error),
            opened => opened?,
        };
        self.take_over(file)?;
        Ok(recovered)
    }

    fn take_over(&mut self, file: File) -> Result<(), StoreError> {
        let read = |what| {
            let path = self.shared.path.to_path_buf();
            move |source| StoreError::Read { what, path, source }
        };
        let epoch = file.epoch().map_err(read("the epoch"))?;
        let last = outbox::last(&file.db).map_err(read("the outbox"))?;
        let mut told = self.shared.told();
        told.epoch = Some(epoch);
        told.file_bytes = file::bytes(&self.shared.path);
        drop(told);
        self.shared.posted.send_replace(last);
        self.file = Some(file);
        Ok(())
    }

    /// Moves a damaged file aside and begins a new one with what could still be read.
    fn replace(&mut self, damage: &StoreError) -> Result<Recovered, StoreError> {
        if self.moved_aside.is_some_and(|at| at.elapsed() < BAD_DISK) {
            return Err(StoreError::DamagedAgain {
                path: self.shared.path.to_path_buf(),
                damage: damage.to_string(),
            });
        }
        self.file = None;
        let recovered = self.read_only();
        let aside = file::move_aside(&self.shared.path, (self.shared.clock)())?;
        self.moved_aside = Some(Instant::now());
        let why = format!(
            "{damage}; it is now {}, and a new one was begun with {} blocks that could be read",
            aside.display(),
            recovered.blocks.len()
        );
        self.begin_with(&recovered, why)?;
        Ok(recovered)
    }

    /// Begins a new file with what is known of the one before.
    fn begin_with(&mut self, recovered: &Recovered, why: String) -> Result<(), StoreError> {
        let mut file = File::open(&self.shared.path)?;
        let written = file.db.transaction().and_then(|begun| {
            recovered.write(&begun)?;
            // The trail begins anew with the file, so its first entry says why.
            let entry = audit::Said {
                at: (self.shared.clock)(),
                by: "garita",
                action: "store replaced",
                object: &self.shared.path.display().to_string(),
                outcome: &why,
            };
            audit::append(&begun, &entry)?;
            begun.commit()
        });
        written.map_err(|source| self.unwritten(source))?;
        tracing::error!("{why}");
        self.shared.told().replaced = Some(why);
        self.take_over(file)
    }

    /// What can be read of a file that cannot be written.
    fn read_only(&self) -> Recovered {
        let now = (self.shared.clock)();
        file::open_to_read(&self.shared.path)
            .map(|db| Recovered::read(&db, now).0)
            .unwrap_or_default()
    }

    /// Begins a new file with what stands where somebody has deleted the one that is open.
    fn follow(&mut self) {
        let Some(file) = &self.file else { return };
        if file.is_in_place() {
            return;
        }
        let (recovered, _) = Recovered::read(&file.db, (self.shared.clock)());
        let path = self.shared.path.display();
        let why = format!("{path} was deleted, and a new one was begun with what stood in it");
        self.file = None;
        if let Err(error) = self.begin_with(&recovered, why) {
            self.shared.fail(&error);
        }
    }

    fn write(&mut self, batch: Vec<Waiting>) {
        self.follow();
        let Some(file) = &mut self.file else {
            return self.shared.queue.give_back(batch);
        };
        match commit(&mut file.db, &batch, &self.bounds.outbox) {
            Ok((last, unwritable)) => {
                self.shared.queue.settle(&batch, &unwritable);
                self.succeed();
                self.shared.posted.send_if_modified(|posted| {
                    let is_new = *posted != last;
                    *posted = last;
                    is_new
                });
            }
            Err(source) => {
                self.shared.queue.give_back(batch);
                self.lose_file(source);
            }
        }
    }

    /// Deletes a little of what is too old; the next step comes as soon as nothing waits.
    fn tidy(&mut self) {
        self.follow();
        let Some(file) = &mut self.file else { return };
        let now = (self.shared.clock)();
        let stepped = file.db.transaction().and_then(|step| {
            let more = retention::step(&step, &self.bounds, now)?;
            step.commit()?;
            Ok(more)
        });
        let stepped = stepped.and_then(|more| match more {
            Step::More => Ok(more),
            Step::Done => retention::shrink(&file.db),
        });
        match stepped {
            Ok(Step::More) => self.tidy_at = Instant::now(),
            Ok(Step::Done) => self.tidy_at = Instant::now() + TIDY_EVERY,
            Err(source) => self.lose_file(source),
        }
    }

    /// Lets go of a file that failed, to open it again after a pause; whatever was wrong may be mended by then.
    fn lose_file(&mut self, source: rusqlite::Error) {
        let error = self.unwritten(source);
        self.file = None;
        self.shared.fail(&error);
        if error.is_corruption()
            && let Err(error) = self.replace(&error)
        {
            self.shared.fail(&error);
        }
    }

    fn succeed(&mut self) {
        self.pause = PAUSE;
        let mut told = self.shared.told();
        told.commits += 1;
        told.file_bytes = file::bytes(&self.shared.path);
        if let State::Failing { since, .. } = &told.state {
            tracing::info!(
                "the store works again; it had failed since {}",
                clock(*since)
            );
            told.state = State::Ok;
        }
    }

    fn unwritten(&self, source: rusqlite::Error) -> StoreError {
        let path = self.shared.path.to_path_buf();
        StoreError::Write { path, source }
    }
}

/// Writes a batch in one transaction; returns the number of the last message, and what can never be written.
fn commit(
    db: &mut Connection,
    batch: &[Waiting],
    bounds: &outbox::Bounds,
) -> rusqlite::Result<(u64, Vec<Kind>)> {
    let mut transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut unwritable = Vec::new();
    for waiting in batch {
        let savepoint = transaction.savepoint()?;
        match write::entry(&savepoint, waiting) {
            Ok(()) => savepoint.commit()?,
            Err(error) if is_of_the_entry(&error) => {
                let kind = waiting.entry.kind();
                tracing::error!(
                    "the store cannot keep an entry ({}): {error}",
                    kind.as_str()
                );
                unwritable.push(kind);
            }
            Err(error) => return Err(error),
        }
    }
    outbox::make_room(&transaction, bounds)?;
    let last = outbox::last(&transaction)?;
    if batch.is_empty() {
        // Nothing waits after a failure, and still it has to show that the disk takes something.
        transaction.execute("INSERT OR REPLACE INTO meta VALUES ('tried', '')", [])?;
    }
    transaction.commit()?;
    Ok((last, unwritable))
}
