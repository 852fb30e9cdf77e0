//! The socket file: made with the rights it should have from its first moment, and taken away at the end.
//! It must not take a socket from a daemon that still answers on it.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::socket::UnixAddr;
use nix::unistd::{AccessFlags, Gid, Group, access, chown, getegid};
use tokio::net::{UnixListener, UnixStream};
use tokio::time::timeout;

/// Read and write for the owner and the group: connecting takes the right to write.
const MODE: u32 = 0o660;

/// How long nothing is accepted after the system refused to. It refuses for want of descriptors, and at once again.
const BREATH: Duration = Duration::from_millis(100);

/// The control socket, listening.
#[derive(Debug)]
pub struct Socket {
    listener: UnixListener,
    path: PathBuf,
    /// Device and inode, to take away no file that has come in its place.
    identity: (u64, u64),
}

/// Why the socket cannot be listened on.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// Another daemon answers there.
    #[error("another sensor already answers at {}", path.display())]
    Taken {
        /// The socket.
        path: PathBuf,
    },
    /// Something else is in the place.
    #[error("{} is in the way of the control socket: it is not a socket", path.display())]
    InTheWay {
        /// The file.
        path: PathBuf,
    },
    /// `control.admin_group` names nobody.
    #[error("there is no group {group}, which control.admin_group names")]
    NoGroup {
        /// The group.
        group: String,
    },
    /// The system refused.
    #[error("cannot {act} the control socket {}", path.display())]
    Refused {
        /// What was to be done, after "cannot".
        act: &'static str,
        /// The socket.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

impl Socket {
    /// Listens on `control.socket`. It belongs to the group of the process; where that is root's, to
    /// `control.admin_group`.
    pub async fn bind(settings: &settings::Control) -> Result<Self, SocketError> {
        let path = settings.socket.to_path_buf();
        let group = match settings.admin_group.get() {
            Some(group) => Some(gid(group.as_str())?),
            None => None,
        };
        clear(&path).await?;
        let refused = |act| {
            let path = path.clone();
            move |source| SocketError::Refused { act, path, source }
        };
        // Made under a name of its own, so that nobody connects before it has its rights.
        let mut name = path.clone().into_os_string();
        name.push(format!(".{}", std::process::id()));
        let beside = PathBuf::from(name);
        // Left behind by a process of the same number that was killed.
        let _ = fs::remove_file(&beside);
        let listener = UnixListener::bind(&beside).map_err(refused("make"))?;
        let made = fs::set_permissions(&beside, Permissions::from_mode(MODE))
            .and_then(|()| match group {
                Some(group) if getegid().as_raw() == 0 => {
                    chown(&beside, None, Some(group)).map_err(io::Error::from)
                }
                _ => Ok(()),
            })
            .and_then(|()| fs::rename(&beside, &path))
            .and_then(|()| fs::symlink_metadata(&path));
        match made {
            Ok(file) => Ok(Self {
                listener,
                path,
                identity: (file.dev(), file.ino()),
            }),
            Err(source) => {
                // The first error is the one to tell.
                let _ = fs::remove_file(&beside);
                Err(refused("set the rights of")(source))
            }
        }
    }

    /// Whether [`Socket::bind`] could, as far as that can be told without doing it.
    pub fn check(settings: &settings::Control) -> Result<(), SocketError> {
        let path = &*settings.socket;
        if let Some(group) = settings.admin_group.get() {
            gid(group.as_str())?;
        }
        let refused = |source| SocketError::Refused {
            act: "make",
            path: path.to_owned(),
            source,
        };
        UnixAddr::new(path).map_err(|error| refused(error.into()))?;
        match fs::symlink_metadata(path) {
            Ok(file) if !file.file_type().is_socket() => Err(SocketError::InTheWay {
                path: path.to_owned(),
            }),
            Ok(_) => Ok(()),
            Err(_) => {
                let folder = path.parent().unwrap_or(Path::new("/"));
                access(folder, AccessFlags::W_OK).map_err(|error| refused(error.into()))
            }
        }
    }

    /// The next connection. An error of one connection, or of a full descriptor table, is not the end of the socket.
    pub(super) async fn accept(&self) -> UnixStream {
        loop {
            match self.listener.accept().await {
                Ok((stream, _)) => return stream,
                Err(error) => {
                    tracing::warn!(%error, "the control socket cannot take a connection");
                    let _ = timeout(BREATH, std::future::pending::<()>()).await;
                }
            }
        }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        let ours = fs::symlink_metadata(&self.path)
            .is_ok_and(|file| (file.dev(), file.ino()) == self.identity);
        if ours && let Err(error) = fs::remove_file(&self.path) {
            tracing::debug!(%error, "the control socket is left behind");
        }
    }
}

/// Takes away what a daemon left behind that did not end in order.
async fn clear(path: &Path) -> Result<(), SocketError> {
    let refused = |act| {
        let path = path.to_owned();
        move |source| SocketError::Refused { act, path, source }
    };
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(refused("look for")(error)),
        Ok(file) if !file.file_type().is_socket() => {
            let path = path.to_owned();
            return Err(SocketError::InTheWay { path });
        }
        Ok(_) => {}
    }
    match UnixStream::connect(path).await {
        Ok(_) => Err(SocketError::Taken {
            path: path.to_owned(),
        }),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            fs::remove_file(path).map_err(refused("replace"))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(refused("connect to")(error)),
    }
}

fn gid(group: &str) -> Result<Gid, SocketError> {
    let found = Group::from_name(group).ok().flatten();
    found
        .map(|group| group.gid)
        .ok_or_else(|| SocketError::NoGroup {
            group: group.to_owned(),
        })
}
