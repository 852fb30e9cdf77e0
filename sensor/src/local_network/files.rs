//! The files that tell of local_network: name servers in resolv.conf(5), login sessions as logind writes them.
//! It must not ask a service, look up a name, or trust a file to be short.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Read;
use std::net::IpAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};

use super::LocalNetworkError;

/// Name servers, the machine's own and the upstream ones of systemd-resolved, whose stub only names itself.
const RESOLVERS: [&str; 2] = ["etc/resolv.conf", "run/systemd/resolve/resolv.conf"];

/// One file a session; the format behind sd-login(3).
const SESSIONS: &str = "run/systemd/sessions";

/// Bytes of a file that are read; these have a few hundred.
const MAX_BYTES: u64 = 64 * 1024;

/// Files of sessions that are read, what logind allows by default (`SessionsMax=`).
const MAX_SESSIONS: usize = 8_192;

/// The classes of sessions somebody has logged in to; a greeter has asked for a password and seen none.
const LOGGED_IN: [&str; 3] = ["user", "user-early", "user-light"];

/// The name servers.
pub(super) fn resolvers(root: &Path) -> BTreeSet<IpAddr> {
    let texts = RESOLVERS.iter().filter_map(|path| read(&root.join(path)));
    texts.flat_map(|text| name_servers(&text)).collect()
}

/// The remote hosts of login sessions, of those that logind knows by address.
pub(super) fn sessions(root: &Path) -> BTreeSet<IpAddr> {
    let folder = fs::read_dir(root.join(SESSIONS));
    // Beside each session lies a pipe, which would keep a reader waiting.
    let files = folder.into_iter().flatten().filter_map(|entry| {
        let entry = entry.ok()?;
        let plain = entry.file_type().ok()?.is_file();
        plain.then(|| entry.path())
    });
    let texts = files.take(MAX_SESSIONS).filter_map(|path| read(&path));
    texts.filter_map(|text| remote_host(&text)).collect()
}

pub(super) fn read(path: &Path) -> Option<String> {
    let mut text = String::new();
    let file = File::open(path).ok()?;
    file.take(MAX_BYTES).read_to_string(&mut text).ok()?;
    Some(text)
}

/// The addresses after `nameserver`; what follows a `%` names the interface of a link-local one.
fn name_servers(text: &str) -> BTreeSet<IpAddr> {
    let servers = text.lines().filter_map(|line| {
        let mut words = line.split_ascii_whitespace();
        let server = words.next().filter(|word| *word == "nameserver");
        server.and(words.next()).and_then(address)
    });
    servers.collect()
}

/// Where a session comes from, if somebody is logged in from elsewhere and it has not ended.
fn remote_host(text: &str) -> Option<IpAddr> {
    let value = |key: &str| {
        let mut lines = text.lines().filter_map(|line| line.split_once('='));
        lines.find(|(name, _)| *name == key).map(|(_, value)| value)
    };
    let remote = value("REMOTE") == Some("1");
    let logged_in = value("CLASS").is_some_and(|class| LOGGED_IN.contains(&class));
    let lasts = matches!(value("STATE"), Some("active" | "online"));
    (remote && logged_in && lasts).then(|| address(value("REMOTE_HOST")?))?
}

pub(super) fn address(text: &str) -> Option<IpAddr> {
    let address = text.split('%').next().unwrap_or_default().parse::<IpAddr>();
    address.ok().map(|address| address.to_canonical())
}

/// Tells when one of these files changes.
#[derive(Debug)]
pub(super) struct Files(Inotify);

impl Files {
    /// Changes from now on.
    pub(super) fn watch(root: &Path) -> Result<Self, LocalNetworkError> {
        let flags = InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC;
        let files = Self(Inotify::init(flags).map_err(LocalNetworkError::Files)?);
        files.renew(root);
        Ok(files)
    }

    /// Watches the directories that are there; one watched already stays so. Files are replaced, not written, so a
    /// watch on the file itself would go with it.
    pub(super) fn renew(&self, root: &Path) {
        let flags = AddWatchFlags::IN_CLOSE_WRITE
            | AddWatchFlags::IN_MOVE
            | AddWatchFlags::IN_CREATE
            | AddWatchFlags::IN_DELETE
            | AddWatchFlags::IN_ONLYDIR;
        let targets = RESOLVERS.map(|path| fs::canonicalize(root.join(path)).ok());
        let names = RESOLVERS.map(|path| Some(root.join(path)));
        let folders = targets.into_iter().chain(names).flatten();
        let folders = folders.filter_map(|path| path.parent().map(PathBuf::from));
        for folder in folders.chain([root.join(SESSIONS)]) {
            // A directory that is not there yet is tried again at the next reading.
            self.0.add_watch(&folder, flags).ok();
        }
    }

    /// Takes the events that wait, and says whether one is about a file that matters.
    pub(super) fn drain(&self) -> bool {
        let mut matters = false;
        loop {
            match self.0.read_events() {
                Ok(events) => {
                    matters |= events
                        .iter()
                        .any(|event| event.name.as_deref().is_none_or(concerns));
                }
                Err(Errno::EINTR) => {}
                Err(_) => return matters,
            }
        }
    }
}

/// `/etc` has many files, of which one is ours. Sessions are called by number, or `c` and a number; what begins with a
/// dot is not finished.
fn concerns(name: &OsStr) -> bool {
    let session = |name: &str| {
        name.strip_prefix('c')
            .unwrap_or(name)
            .parse::<u64>()
            .is_ok()
    };
    name.to_str()
        .is_some_and(|name| name.ends_with("resolv.conf") || session(name))
}

impl AsFd for Files {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl AsRawFd for Files {
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SESSION: &str = "# This is private data. Do not parse.\nUID=1000\nUSER=ana\nACTIVE=1\nSTATE=active\nREMOTE=1\n\
        TYPE=tty\nCLASS=user\nREMOTE_HOST=192.0.2.50\nSERVICE=sshd\n";

    #[test]
    fn name_servers_are_read_as_the_resolver_does() {
        let text = "# nameserver 192.0.2.1\nsearch example.com\nnameserver 192.0.2.53\n\tnameserver\t2001:db8::53\n\
            nameserver fe80::1%eth0\nnameserver\nnameserver resolver.example\n";
        let expected = ["192.0.2.53", "2001:db8::53", "fe80::1"];
        assert_eq!(
            name_servers(text),
            expected.map(|text| text.parse().unwrap()).into()
        );
    }

    #[test]
    fn only_a_login_from_an_address_counts() {
        assert_eq!(remote_host(SESSION), Some([192, 0, 2, 50].into()));
        for (is, becomes) in [
            ("STATE=active", "STATE=closing"),
            ("REMOTE=1", "REMOTE=0"),
            ("CLASS=user", "CLASS=greeter"),
            ("192.0.2.50", "desk.example"),
            ("REMOTE_HOST", "OTHER"),
        ] {
            assert_eq!(
                remote_host(&SESSION.replace(is, becomes)),
                None,
                "{becomes}"
            );
        }
        let mapped = SESSION.replace("192.0.2.50", "::ffff:192.0.2.51");
        assert_eq!(remote_host(&mapped), Some([192, 0, 2, 51].into()));
    }

    #[test]
    fn files_in_the_making_do_not_stir() {
        for (name, matters) in [
            ("resolv.conf", true),
            ("12", true),
            ("c3", true),
            (".#12abc", false),
            ("12.ref", false),
            ("passwd", false),
        ] {
            assert_eq!(concerns(OsStr::new(name)), matters, "{name}");
        }
    }
}
