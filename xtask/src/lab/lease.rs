//! What the lab borrows from the machine: namespaces and one directory, written down before they are made.
//! It never removes anything that it did not write down, and never ends a process outside its own namespaces.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{self, Command};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

/// Where records live; emptied by a reboot, as are the namespaces.
const RECORDS: &str = "/run/garita-lab";

/// Killed processes leave their namespace within this time, or the clean-up says which do not.
const PATIENCE: Duration = Duration::from_secs(10);

static LEASES: AtomicU32 = AtomicU32::new(0);

/// A set of namespaces and a directory; all of it goes when the value goes.
pub(crate) struct Lease {
    record: PathBuf,
    tag: String,
    dir: PathBuf,
}

impl Lease {
    /// Opens a record named after this process and makes the directory.
    pub(crate) fn new() -> Result<Self> {
        fs::create_dir_all(RECORDS).with_context(|| format!("cannot make {RECORDS}"))?;
        let tag = format!(
            "{}-{}",
            process::id(),
            LEASES.fetch_add(1, Ordering::Relaxed)
        );
        let record = Path::new(RECORDS).join(&tag);
        let dir = std::env::temp_dir().join(format!("garita-lab-{tag}"));
        let started = start_time(process::id()).context("cannot read this process's start time")?;
        // Another lab may be looking for dead owners: a record appears whole.
        let hidden = Path::new(RECORDS).join(format!(".{tag}"));
        fs::write(&hidden, format!("owner {} {started}\n", process::id()))
            .and_then(|()| fs::rename(&hidden, &record))
            .with_context(|| format!("cannot write {}", record.display()))?;
        let lease = Self { record, tag, dir };
        lease.note("dir", &lease.dir.display().to_string())?;
        fs::create_dir(&lease.dir)
            .with_context(|| format!("cannot make {}", lease.dir.display()))?;
        Ok(lease)
    }

    /// The directory for configurations, logs and content.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Makes a network namespace; its name carries the process id, so runs never meet.
    pub(crate) fn namespace(&self, role: &str) -> Result<String> {
        let name = format!("garita-{}-{role}", self.tag);
        self.note("netns", &name)?;
        let made = Command::new("ip").args(["netns", "add", &name]).output();
        let made = made.context("cannot run ip")?;
        if !made.status.success() {
            bail!(
                "cannot add namespace {name}: {}",
                String::from_utf8_lossy(&made.stderr).trim()
            );
        }
        Ok(name)
    }

    fn note(&self, kind: &str, name: &str) -> Result<()> {
        let file = fs::OpenOptions::new().append(true).open(&self.record);
        file.and_then(|mut file| writeln!(file, "{kind} {name}"))
            .with_context(|| format!("cannot write {}", self.record.display()))
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Err(error) = give_back(&self.record) {
            crate::lab::say(&format!("clean-up of {}: {error:#}", self.tag));
        }
    }
}

/// Removes what runs that died without cleaning up left behind; returns how many there were.
pub(crate) fn reclaim_stale() -> Result<usize> {
    let Ok(entries) = fs::read_dir(RECORDS) else {
        return Ok(0);
    };
    let mut reclaimed = 0;
    for entry in entries {
        let record = entry
            .with_context(|| format!("cannot list {RECORDS}"))?
            .path();
        if entry_is_hidden(&record) {
            continue;
        }
        let text = fs::read_to_string(&record).unwrap_or_default();
        if !owner_lives(&text) {
            give_back(&record)?;
            reclaimed += 1;
        }
    }
    Ok(reclaimed)
}

fn entry_is_hidden(record: &Path) -> bool {
    record
        .file_name()
        .is_some_and(|name| name.as_encoded_bytes().starts_with(b"."))
}

/// A process id is reused sooner or later, so the owner is known by its start time too.
fn owner_lives(record: &str) -> bool {
    let mut words = record.lines().next().unwrap_or_default().split(' ').skip(1);
    let pid = words.next().and_then(|word| word.parse().ok());
    pid.is_some_and(|pid| start_time(pid).as_deref() == words.next())
}

/// Field 22 of `/proc/PID/stat` (proc(5)), counted after the command name, which may hold spaces.
fn start_time(pid: u32) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_whitespace().nth(19).map(str::to_owned)
}

fn give_back(record: &Path) -> Result<()> {
    let text = fs::read_to_string(record).context("cannot read the record")?;
    for line in text.lines() {
        match line.split_once(' ') {
            Some(("netns", name)) => remove_namespace(name)?,
            Some(("dir", dir)) if Path::new(dir).exists() => {
                fs::remove_dir_all(dir).with_context(|| format!("cannot remove {dir}"))?;
            }
            _ => {}
        }
    }
    fs::remove_file(record).context("cannot remove the record")
}

fn remove_namespace(name: &str) -> Result<()> {
    if !Path::new("/run/netns").join(name).exists() {
        return Ok(());
    }
    let deadline = Instant::now() + PATIENCE;
    loop {
        let pids = pids(name)?;
        if pids.is_empty() {
            break;
        }
        if Instant::now() > deadline {
            bail!("processes {pids:?} do not leave namespace {name}");
        }
        for pid in pids {
            // It may have ended by itself since it was listed.
            let _ = kill_process(pid, Signal::KILL);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let removed = Command::new("ip").args(["netns", "del", name]).status();
    if !removed.context("cannot run ip")?.success() {
        bail!("cannot remove namespace {name}");
    }
    Ok(())
}

fn pids(name: &str) -> Result<Vec<Pid>> {
    let listed = Command::new("ip").args(["netns", "pids", name]).output();
    let listed = listed.context("cannot run ip")?;
    let text = String::from_utf8_lossy(&listed.stdout);
    let numbers = text.lines().filter_map(|line| line.trim().parse().ok());
    Ok(numbers.filter_map(Pid::from_raw).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reused_process_id_is_not_the_owner() {
        let pid = process::id();
        let started = start_time(pid).unwrap_or_default();
        assert!(owner_lives(&format!("owner {pid} {started}\ndir /x\n")));
        assert!(!owner_lives(&format!("owner {pid} 1{started}\n")));
        assert!(!owner_lives(""));
    }
}
