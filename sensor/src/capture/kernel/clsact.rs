//! The queueing discipline `clsact`, whose filters outlive the process that set them: how ours are taken away again.
//! A filter of anybody else's stays, and the discipline with it.

use std::io;

use aya::programs::TcAttachType;
use aya::programs::tc::{TcError, qdisc_add_clsact, qdisc_detach_program};
use ebpf::program::{METER, RAW_METER};
use nix::net::if_::{if_nameindex, if_nametoindex};
use rtnetlink::packet_core::{
    NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload,
};
use rtnetlink::packet_route::RouteNetlinkMessage;
use rtnetlink::packet_route::tc::{TcAttribute, TcHandle, TcMessage};
use rtnetlink::sys::protocols::NETLINK_ROUTE;
use rtnetlink::sys::{Socket, SocketAddr};

use super::KernelError;

/// Bytes of one answer: the kernel fills at most 32 KiB at a time (`NLMSG_GOODSIZE`, `netlink_dump`).
const ANSWER: usize = 64 * 1024;

/// Both ways through an interface: how aya calls them, and the minor number the kernel does (`linux/pkt_sched.h`).
const HOOKS: [(TcAttachType, u16); 2] = [
    (TcAttachType::Ingress, TcHandle::MIN_INGRESS),
    (TcAttachType::Egress, TcHandle::MIN_EGRESS),
];

/// Takes what killed runs left out of every interface, and returns the names of those that had any.
pub fn withdraw() -> Result<Vec<String>, KernelError> {
    let interfaces = if_nameindex().map_err(KernelError::Interfaces)?;
    let mut found = Vec::new();
    for interface in &interfaces {
        let name = interface.name().to_string_lossy();
        if remove_filters(&name)? {
            remove_unused(&name)?;
            found.push(name.into_owned());
        }
    }
    Ok(found)
}

/// Makes the discipline on the interface `name`; says whether it was not there already. Where it could not be made,
/// attaching says why.
pub(super) fn make(name: &str) -> bool {
    qdisc_add_clsact(name).is_ok()
}

/// Removes the meter's filters from the interface `name`; says whether there was one.
pub(super) fn remove_filters(name: &str) -> Result<bool, KernelError> {
    let mut any = false;
    for (direction, _) in HOOKS {
        for program in [METER, RAW_METER] {
            match qdisc_detach_program(name, direction, program) {
                Ok(()) => any = true,
                Err(TcError::IoError(error)) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(detaching(name, error)),
            }
        }
    }
    Ok(any)
}

/// Removes the discipline from the interface `name`, unless it holds a filter.
pub(super) fn remove_unused(name: &str) -> Result<(), KernelError> {
    // An interface that is gone has taken it along.
    let Ok(index) = if_nametoindex(name) else {
        return Ok(());
    };
    remove_where_empty(index.cast_signed())
        .map_err(|error| detaching(name, TcError::IoError(error)))
}

fn detaching(name: &str, source: TcError) -> KernelError {
    let name = name.to_owned();
    KernelError::Detach { name, source }
}

fn remove_where_empty(index: i32) -> io::Result<()> {
    for (_, minor) in HOOKS {
        let mut filters = TcMessage::with_index(index);
        filters.header.parent = TcHandle {
            major: u16::MAX,
            minor,
        };
        if ask(RouteNetlinkMessage::GetTrafficFilter(filters), NLM_F_DUMP)? {
            return Ok(());
        }
    }
    let mut discipline = TcMessage::with_index(index);
    discipline.header.parent = TcHandle::CLSACT;
    discipline.header.handle = TcHandle {
        major: u16::MAX,
        minor: 0,
    };
    // The kernel refuses where another kind stands at the same place: `ingress`.
    discipline
        .attributes
        .push(TcAttribute::Kind("clsact".to_owned()));
    match ask(
        RouteNetlinkMessage::DelQueueDiscipline(discipline),
        NLM_F_ACK,
    ) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Asks the kernel and says whether it named anything, whatever that is.
fn ask(question: RouteNetlinkMessage, flags: u16) -> io::Result<bool> {
    let mut socket = Socket::new(NETLINK_ROUTE)?;
    socket.bind_auto()?;
    socket.connect(&SocketAddr::new(0, 0))?;
    let mut header = NetlinkHeader::default();
    header.flags = NLM_F_REQUEST | flags;
    let mut message = NetlinkMessage::new(header, NetlinkPayload::from(question));
    message.finalize();
    let mut bytes = vec![0; message.buffer_len()];
    message.serialize(&mut bytes);
    socket.send(&bytes, 0)?;

    let mut buffer = vec![0; ANSWER];
    let len = socket.recv(&mut buffer.as_mut_slice(), 0)?;
    // The first message tells: something that was asked for, the end, or an error, which a mere acknowledgement is too.
    match NetlinkMessage::<RouteNetlinkMessage>::deserialize(buffer.get(..len).unwrap_or_default())
    {
        Ok(message) => match message.payload {
            NetlinkPayload::Done(_) => Ok(false),
            NetlinkPayload::Error(error) if error.code.is_some() => Err(error.to_io()),
            NetlinkPayload::Error(_) => Ok(false),
            _ => Ok(true),
        },
        // A kind of filter not known here is one all the same.
        Err(_) => Ok(true),
    }
}
