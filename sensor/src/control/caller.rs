//! Who is at the other end of the socket, as the kernel says it, and whether they may change things.
//! It must not believe anything that a caller says of itself.

use std::ffi::CString;
use std::io;
use std::sync::Arc;

use nix::unistd::{Gid, Group, Uid, User, getgrouplist};
use tokio::net::UnixStream;
use tokio::net::unix::UCred;

use crate::action::Actor;
use contract::printable::printable;
use contract::record::Origin;

/// Somebody who has opened the socket, and so may read.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    /// The user, as the audit writes it: `alice (uid 1000)`.
    pub(super) name: Arc<str>,
    /// Why they may not change anything; nothing where they may.
    pub(super) barred: Option<Arc<str>>,
}

impl Caller {
    /// Asks the kernel who opened `stream`, and the machine's user lists whether they belong to `admins`.
    pub(super) async fn of(stream: &UnixStream, admins: Option<Arc<str>>) -> io::Result<Self> {
        let credentials = stream.peer_cred()?;
        // User lists may come over the network.
        tokio::task::spawn_blocking(move || Self::known(&credentials, admins.as_deref()))
            .await
            .map_err(io::Error::other)
    }

    /// As whom the blocklist is asked.
    pub(super) fn actor(&self) -> Actor {
        Actor {
            origin: Origin::Operator,
            name: self.name.to_string(),
        }
    }

    fn known(credentials: &UCred, admins: Option<&str>) -> Self {
        let uid = Uid::from_raw(credentials.uid());
        let user = User::from_uid(uid).ok().flatten();
        let name = match &user {
            Some(user) => format!("{} (uid {uid})", printable(&user.name)),
            None => format!("uid {uid}"),
        };
        let barred = match admins {
            _ if uid.is_root() => None,
            None => {
                Some("only root may change anything, because control.admin_group is not set".into())
            }
            Some(group) if is_member(credentials, user.as_ref(), group) => None,
            Some(group) => Some(format!(
                "only root and members of the group {group} may change anything"
            )),
        };
        Self {
            name: name.into(),
            barred: barred.map(Arc::from),
        }
    }
}

/// Whether the user is a member by the machine's lists, or the process by what it was started with.
fn is_member(credentials: &UCred, user: Option<&User>, group: &str) -> bool {
    let Ok(Some(group)) = Group::from_name(group) else {
        return false;
    };
    let listed = || {
        let user = user?;
        let name = CString::new(user.name.as_bytes()).ok()?;
        let groups = getgrouplist(&name, user.gid).ok()?;
        Some(groups.contains(&group.gid))
    };
    credentials.gid() == group.gid.as_raw()
        || listed().unwrap_or(false)
        || started_with(credentials, group.gid).unwrap_or(false)
}

/// Whether the process has the group as a supplementary one, such as systemd's `SupplementaryGroups=` gives it.
///
/// The number of a process that has ended may by now be another's: only one of the same user in every respect is
/// believed, and that user could have asked from there as well.
fn started_with(credentials: &UCred, group: Gid) -> Option<bool> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", credentials.pid()?)).ok()?;
    let numbers = |key: &str| -> Option<Vec<u32>> {
        let line = status.lines().find_map(|line| line.strip_prefix(key))?;
        line.split_whitespace()
            .map(|number| number.parse().ok())
            .collect()
    };
    let same_user = numbers("Uid:")?.iter().all(|&uid| uid == credentials.uid());
    Some(same_user && numbers("Groups:")?.contains(&group.as_raw()))
}
