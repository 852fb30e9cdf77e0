//! The file: opened, brought up to date, read when it cannot be written, and moved aside when it is damaged.
//! What is written into it is not its business.

use std::fs::{self, Metadata, Permissions};
use std::net::IpAddr;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use ipnet::IpNet;
use rusqlite::functions::{Context, FunctionFlags};
use rusqlite::{Connection, OpenFlags, Result};

use super::error::StoreError;
use contract::timestamp::Timestamp;

/// Every step from an empty file to the tables as they are now; the file's `user_version` counts the steps it has taken.
const MIGRATIONS: &[&str] = &[
    include_str!("migrations/0001-records.sql"),
    include_str!("migrations/0002-outbox.sql"),
    include_str!("migrations/0003-audit.sql"),
    include_str!("migrations/0004-scope.sql"),
    include_str!("migrations/0005-service.sql"),
];

/// How long to wait for a lock: nobody but the writer writes, so only somebody's `sqlite3` shell can hold one.
const LOCK_WAIT: Duration = Duration::from_secs(1);

/// How the writer uses the file. `FULL` waits for the disk at each commit. `NORMAL` would only wait at checkpoints and
/// not corrupt anything either, but a power loss could take back sequence numbers that subscribers have seen and audit
/// heads that were published, and both would then look forged. At ten commits a second that wait costs nothing. The log
/// is checkpointed at 1000 pages, and truncated to 16 MiB when a long reader has made it longer.
const PRAGMAS: &str = "
    PRAGMA auto_vacuum = INCREMENTAL;
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    PRAGMA foreign_keys = ON;
    PRAGMA trusted_schema = OFF;
    PRAGMA cell_size_check = ON;
    PRAGMA temp_store = MEMORY;
    PRAGMA cache_size = -8192;
    PRAGMA journal_size_limit = 16777216;
";

/// Statements kept prepared: more than there are.
const STATEMENTS: usize = 64;

/// What SQLite appends to the file's name for its log and for the log's index.
const COMPANIONS: [&str; 3] = ["", "-wal", "-shm"];

/// The open file, as the writer has it.
#[derive(Debug)]
pub(super) struct File {
    pub(super) db: Connection,
    path: PathBuf,
    /// Device and inode, to notice when somebody deletes the file.
    identity: Option<(u64, u64)>,
}

impl File {
    /// Opens the file to write it, makes it where there is none, and brings its tables up to date.
    pub(super) fn open(path: &Path) -> Result<Self, StoreError> {
        let open = |source| StoreError::Open {
            path: path.to_owned(),
            source,
        };
        let is_new = fs::metadata(path).map_or(true, |file| file.len() == 0);
        let mut db = Connection::open_with_flags(
            path,
            OpenFlags::SQLITE_OPEN_READ_WRITE
                | OpenFlags::SQLITE_OPEN_CREATE
                | OpenFlags::SQLITE_OPEN_NO_MUTEX,
        )
        .map_err(open)?;
        if db.is_readonly("main").map_err(open)? {
            return Err(StoreError::ReadOnly {
                path: path.to_owned(),
            });
        }
        if is_new {
            // The file says who attacked, and who was let in.
            _ = fs::set_permissions(path, Permissions::from_mode(0o600));
        }
        db.busy_timeout(LOCK_WAIT).map_err(open)?;
        db.set_prepared_statement_cache_capacity(STATEMENTS);
        db.execute_batch(PRAGMAS).map_err(open)?;
        migrate(&mut db, path)?;
        Ok(Self {
            db,
            path: path.to_owned(),
            identity: fs::metadata(path).ok().as_ref().map(identity),
        })
    }

    /// Whether the path still leads to this file.
    pub(super) fn is_in_place(&self) -> bool {
        fs::metadata(&self.path).ok().as_ref().map(identity) == self.identity
    }

    /// The text that tells this file from every other.
    pub(super) fn epoch(&self) -> Result<String> {
        let sql = "SELECT value FROM meta WHERE key = 'epoch'";
        self.db.query_row(sql, [], |row| row.get(0))
    }
}

/// Opens the file to read it. Where not even the log's index can be written, as on a read-only file system, it is
/// read as it lies, without what its log may still hold.
pub(super) fn open_to_read(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let usable = |db: Connection| {
        db.busy_timeout(LOCK_WAIT)?;
        db.execute_batch(
            "PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON; SELECT 1 FROM meta;",
        )?;
        let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
        db.create_scalar_function("inside", 2, flags, inside)?;
        Ok(db)
    };
    let read = Connection::open_with_flags(path, flags).and_then(usable);
    let read = read.or_else(|error| {
        use rusqlite::ErrorCode::{CannotOpen, ReadOnly, SystemIoFailure};
        let code = error.sqlite_error_code();
        if !path.is_file() || !matches!(code, Some(CannotOpen | ReadOnly | SystemIoFailure)) {
            return Err(error);
        }
        let uri = format!("file:{}?immutable=1", escaped(path));
        Connection::open_with_flags(uri, flags | OpenFlags::SQLITE_OPEN_URI).and_then(usable)
    });
    read.map_err(|source| StoreError::Open {
        path: path.to_owned(),
        source,
    })
}

/// `inside(address, net)`: whether the network holds the address. What is neither is not inside.
fn inside(arguments: &Context<'_>) -> Result<bool> {
    let address = arguments.get_raw(0).as_str()?.parse::<IpAddr>();
    let net = arguments.get_raw(1).as_str()?.parse::<IpNet>();
    Ok(matches!((address, net), (Ok(address), Ok(net)) if net.contains(&address)))
}

/// Looks through the file for damage; a file that is not there yet has none.
pub(super) fn examine(path: &Path) -> Result<(), StoreError> {
    if fs::metadata(path).map_or(true, |file| file.len() == 0) {
        return Ok(());
    }
    let db = open_to_read(path)?;
    let examined = |source| StoreError::Read {
        what: "the pages",
        path: path.to_owned(),
        source,
    };
    let found: String = db
        .query_row("PRAGMA quick_check(1)", [], |row| row.get(0))
        .map_err(examined)?;
    match found.as_str() {
        "ok" => Ok(()),
        _ => Err(StoreError::Damaged {
            path: path.to_owned(),
            damage: found,
        }),
    }
}

/// Moves a damaged file out of the way, with its log; returns where to.
pub(super) fn move_aside(path: &Path, now: Timestamp) -> Result<PathBuf, StoreError> {
    let with = |path: &Path, suffix: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    };
    let aside = with(path, &format!(".corrupt-{}", now.micros() / 1_000_000));
    // The log first: a file without its log is old, but a log without its file, found by a new one, would ruin it.
    for companion in COMPANIONS.into_iter().rev() {
        let from = with(path, companion);
        match fs::rename(&from, with(&aside, companion)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(StoreError::MoveAside {
                    path: from,
                    source: error,
                });
            }
            _ => {}
        }
    }
    Ok(aside)
}

/// Bytes of the file and its log.
pub(super) fn bytes(path: &Path) -> u64 {
    let log = path
        .as_os_str()
        .to_owned()
        .into_string()
        .map(|path| path + "-wal");
    let length = |path: &Path| fs::metadata(path).map_or(0, |file| file.len());
    length(path) + log.map_or(0, |log| length(Path::new(&log)))
}

fn migrate(db: &mut Connection, path: &Path) -> Result<(), StoreError> {
    let found: u32 = db
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .map_err(|source| StoreError::Open {
            path: path.to_owned(),
            source,
        })?;
    let known = MIGRATIONS.len() as u32;
    if found > known {
        return Err(StoreError::Newer {
            path: path.to_owned(),
            found,
            known,
        });
    }
    for (version, sql) in (1..).zip(MIGRATIONS).skip(found as usize) {
        let step = |db: &mut Connection| {
            let step = db.transaction()?;
            step.execute_batch(sql)?;
            step.pragma_update(None, "user_version", version)?;
            step.commit()
        };
        step(db).map_err(|source| StoreError::Migrate {
            path: path.to_owned(),
            version,
            source,
        })?;
    }
    Ok(())
}

/// The tables in memory, for tests of what is written into them.
#[cfg(test)]
pub(super) fn scratch() -> Connection {
    let mut db = Connection::open_in_memory().unwrap();
    migrate(&mut db, Path::new("memory")).unwrap();
    db
}

fn identity(file: &Metadata) -> (u64, u64) {
    (file.dev(), file.ino())
}

/// A path inside a URI.
fn escaped(path: &Path) -> String {
    let bytes = path.as_os_str().as_encoded_bytes().iter();
    bytes
        .map(|&byte| match byte {
            b'/' | b'-' | b'.' | b'_' => char::from(byte).to_string(),
            byte if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
            byte => format!("%{byte:02X}"),
        })
        .collect()
}
