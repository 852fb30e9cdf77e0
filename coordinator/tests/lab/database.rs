//! A database of the test's own: a SQLite file, or a PostgreSQL cluster in a temporary folder that an unprivileged user
//! runs.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::{free_port, has};

/// A database.
pub(crate) enum Database {
    Sqlite(TempDir),
    Postgres(Cluster),
}

/// A PostgreSQL cluster.
pub(crate) struct Cluster {
    folder: TempDir,
    programs: PathBuf,
    port: u16,
}

impl Database {
    pub(crate) fn sqlite() -> Self {
        Self::Sqlite(TempDir::new().expect("a folder for the database"))
    }

    /// A cluster of its own; nothing where PostgreSQL is not installed.
    pub(crate) fn postgres() -> Option<Self> {
        let found = std::fs::read_dir("/usr/lib/postgresql").ok()?;
        let versions = found.filter_map(|entry| Some(entry.ok()?.path().join("bin")));
        let programs = versions.filter(|path| path.join("initdb").exists()).max()?;
        let cluster = Cluster {
            folder: TempDir::new().expect("a folder for the cluster"),
            programs,
            port: free_port(),
        };
        let path = cluster.folder.path();
        if cluster.is_root() {
            assert!(
                run(Command::new("chown").arg("postgres").arg(path)),
                "chown"
            );
        }
        let data = path.join("data");
        let data = data.to_str().expect("temporary folders are UTF-8");
        let made = cluster.act(
            "initdb",
            &["-D", data, "-U", "garita", "-A", "trust", "--no-sync"],
        );
        assert!(made, "initdb");
        cluster.start();
        Some(Self::Postgres(cluster))
    }

    /// The setting `database.url`.
    pub(crate) fn url(&self) -> String {
        match self {
            Self::Sqlite(folder) => format!("sqlite://{}/coordinator.db", folder.path().display()),
            Self::Postgres(cluster) => {
                format!("postgres://garita@127.0.0.1:{}/postgres", cluster.port)
            }
        }
    }

    /// Has SQL carried out by somebody who is not the coordinator.
    pub(crate) fn meddle(&self, sql: &str) {
        match self {
            Self::Sqlite(folder) => {
                let path = folder.path().join("coordinator.db");
                let file = rusqlite::Connection::open(path).expect("the file is there");
                file.busy_timeout(super::PATIENCE).expect("it can wait");
                file.execute_batch(sql).expect("the SQL is right");
            }
            Self::Postgres(cluster) => {
                let port = cluster.port.to_string();
                let mut psql = Command::new(cluster.programs.join("psql"));
                psql.args([
                    "-h",
                    "127.0.0.1",
                    "-p",
                    &port,
                    "-U",
                    "garita",
                    "-d",
                    "postgres",
                    "-qc",
                    sql,
                ]);
                assert!(run(&mut psql), "{sql}");
            }
        }
    }

    /// Whether several coordinators can share it.
    pub(crate) const fn is_shared(&self) -> bool {
        matches!(self, Self::Postgres(_))
    }

    /// Kills the server with all it has in memory, and starts it again; a file has no server.
    pub(crate) fn kill(&self) {
        if let Self::Postgres(cluster) = self {
            cluster.kill();
            // What it had started may still hold its memory for a moment.
            super::wait("the server is back", || {
                (cluster.is_ready() || cluster.try_start()).then_some(())
            });
        }
    }
}

impl Cluster {
    fn is_root(&self) -> bool {
        let id = Command::new("id").arg("-u").output().expect("id runs");
        id.stdout.starts_with(b"0\n") && has("runuser")
    }

    fn start(&self) {
        assert!(self.try_start(), "PostgreSQL does not start");
    }

    fn is_ready(&self) -> bool {
        let port = self.port.to_string();
        let mut ask = Command::new(self.programs.join("pg_isready"));
        run(ask.args(["-q", "-h", "127.0.0.1", "-p", &port]))
    }

    fn try_start(&self) -> bool {
        let log = self.folder.path().join("log");
        let options = format!(
            "-p {} -c listen_addresses=127.0.0.1 -c unix_socket_directories={} -c max_connections=60",
            self.port,
            self.folder.path().display()
        );
        let data = self.data();
        let log = log.to_str().expect("temporary folders are UTF-8");
        self.act(
            "pg_ctl",
            &["-D", &data, "-l", log, "-o", &options, "-w", "-s", "start"],
        )
    }

    /// Kills the server and everything it has started.
    fn kill(&self) {
        let lock = self.folder.path().join("data/postmaster.pid");
        let text = std::fs::read_to_string(&lock).expect("the server runs");
        let server = text.lines().next().expect("it says its number").to_owned();
        let children = std::fs::read_to_string(format!("/proc/{server}/task/{server}/children"));
        let children = children.unwrap_or_default();
        let all: Vec<&str> = std::iter::once(server.as_str())
            .chain(children.split_whitespace())
            .collect();
        // One may have ended by itself meanwhile.
        let _ = Command::new("kill")
            .arg("-9")
            .args(&all)
            .stderr(Stdio::null())
            .status();
        super::wait("the server is gone", || {
            let is_gone = |pid: &&str| {
                let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
                stat.is_empty() || stat.contains(") Z ")
            };
            all.iter().all(is_gone).then_some(())
        });
    }

    fn data(&self) -> String {
        let data = self.folder.path().join("data");
        data.to_str()
            .expect("temporary folders are UTF-8")
            .to_owned()
    }

    fn act(&self, program: &str, arguments: &[&str]) -> bool {
        let program = self.programs.join(program);
        let mut command = match self.is_root() {
            true => {
                let mut command = Command::new("runuser");
                command.args(["-u", "postgres", "--"]).arg(&program);
                command
            }
            false => Command::new(&program),
        };
        command.args(arguments).current_dir(Path::new("/"));
        command.stdout(Stdio::null());
        let done = command.status().expect("PostgreSQL's programs run");
        done.success()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // The folder goes next; a server that is gone already is no error.
        let data = self.data();
        let mut stop = Command::new(self.programs.join("pg_ctl"));
        if self.is_root() {
            stop = Command::new("runuser");
            stop.args(["-u", "postgres", "--"])
                .arg(self.programs.join("pg_ctl"));
        }
        let _ = stop
            .args(["-D", &data, "-m", "immediate", "-s", "stop"])
            .status();
    }
}

fn run(command: &mut Command) -> bool {
    command.status().is_ok_and(|status| status.success())
}
