//! What can keep the kernel meter from working, each as a sentence that says what to do.
//! It mends nothing.

use std::io;

use aya::programs::ProgramError;
use aya::programs::tc::TcError;
use aya::{EbpfError, maps::MapError};
use nix::errno::Errno;

/// Why the kernel meter does not work.
#[derive(Debug, thiserror::Error)]
pub enum KernelError {
    /// The binary was built without the kernel program.
    #[error(
        "this build has no kernel meter: build it with GARITA_METER_OBJECT naming the program `cargo xtask ebpf` makes"
    )]
    Absent,
    /// The kernel does not let this process load programs.
    #[error("the kernel meter needs the capabilities CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN")]
    Capability,
    /// A map could not be made.
    #[error("the kernel has no room for the meter's table {table} of {entries} entries")]
    Table {
        /// The map's name.
        table: String,
        /// How many entries the configuration asks for.
        entries: u32,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// The verifier or the kernel does not take the program.
    #[error("the kernel refuses the meter's program: {reason}")]
    Refused {
        /// The last the verifier said, or the system's error.
        reason: String,
    },
    /// The object is not what this program expects.
    #[error("the kernel meter's program does not fit this build")]
    Object(#[source] Box<EbpfError>),
    /// A map is missing from the object or has other entries.
    #[error("the kernel meter's map {map} does not fit this build")]
    Map {
        /// The map's name.
        map: &'static str,
        /// What is wrong with it; nothing where it is missing.
        #[source]
        source: Option<MapError>,
    },
    /// No interface has this name.
    #[error("there is no interface {name}")]
    NoInterface {
        /// The configured name.
        name: String,
    },
    /// What the interface carries does not begin with an Ethernet or an IP header.
    #[error("the kernel meter cannot read the frames of {name}: its hardware type is {kind}")]
    Hardware {
        /// The interface.
        name: String,
        /// Its `ARPHRD_` number, `linux/if_arp.h`.
        kind: u16,
    },
    /// The program does not attach.
    #[error("the kernel meter cannot be attached to {name}")]
    Attach {
        /// The interface.
        name: String,
        /// What the kernel said.
        #[source]
        source: Box<ProgramError>,
    },
    /// A filter, or the discipline it was at, stays.
    #[error("the kernel meter cannot be taken off {name}")]
    Detach {
        /// The interface.
        name: String,
        /// What the kernel said.
        #[source]
        source: TcError,
    },
    /// The kernel does not say which interfaces there are.
    #[error("cannot list the interfaces")]
    Interfaces(#[source] Errno),
    /// Waiting for snapshots failed.
    #[error("cannot wait for the kernel meter's snapshots")]
    Wait(#[source] Errno),
    /// A map cannot be read.
    #[error("cannot read the kernel meter's tables")]
    Read(#[source] Errno),
}

impl KernelError {
    /// What loading the object, its maps first, failed for.
    pub(super) fn loading(error: EbpfError, entries: impl Fn(&str) -> u32) -> Self {
        match error {
            EbpfError::MapError(MapError::CreateError { io_error, .. }) if rejected(&io_error) => {
                Self::Capability
            }
            EbpfError::MapError(MapError::CreateError { name, io_error }) => Self::Table {
                entries: entries(&name),
                table: name.to_lowercase(),
                source: io_error,
            },
            other => Self::Object(Box::new(other)),
        }
    }

    /// What the program was not attached to `name` for.
    pub(super) fn attaching(name: &str, error: ProgramError) -> Self {
        match error {
            ProgramError::SyscallError(call) if rejected(&call.io_error) => Self::Capability,
            source => Self::Attach {
                name: name.to_owned(),
                source: Box::new(source),
            },
        }
    }

    /// What the program was not loaded for.
    pub(super) fn verifying(error: ProgramError) -> Self {
        match error {
            ProgramError::LoadError { io_error, .. } if rejected(&io_error) => Self::Capability,
            ProgramError::LoadError {
                io_error,
                verifier_log,
            } => {
                let log = verifier_log.to_string();
                tracing::debug!("the verifier: {log}");
                let said = log.lines().rev().map(str::trim);
                let reason = said
                    .filter(|line| !line.is_empty() && !line.starts_with("processed"))
                    .map(str::to_owned)
                    .next();
                Self::Refused {
                    reason: reason.unwrap_or_else(|| io_error.to_string()),
                }
            }
            other => Self::Refused {
                reason: other.to_string(),
            },
        }
    }
}

fn rejected(error: &io::Error) -> bool {
    error.raw_os_error() == Some(Errno::EPERM as i32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn creating(errno: Errno) -> String {
        let error = EbpfError::MapError(MapError::CreateError {
            name: "FLOWS".to_owned(),
            io_error: errno.into(),
        });
        KernelError::loading(error, |_| 1 << 25).to_string()
    }

    #[test]
    fn a_table_without_room_is_named_with_its_size() {
        assert_eq!(
            creating(Errno::ENOMEM),
            "the kernel has no room for the meter's table flows of 33554432 entries"
        );
        assert!(creating(Errno::EPERM).contains("CAP_BPF"));
    }
}
