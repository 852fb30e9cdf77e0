//! The machine's links, addresses and routes as its kernel has them, read and watched over route netlink.
//! It must not judge what they mean, nor change any of them.

use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};

use ipnet::IpNet;
use rtnetlink::MulticastGroup;
use rtnetlink::packet_core::{
    NLM_F_DUMP, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload,
};
use rtnetlink::packet_route::RouteNetlinkMessage;
use rtnetlink::packet_route::address::{AddressAttribute, AddressMessage};
use rtnetlink::packet_route::link::{LinkAttribute, LinkFlags, LinkMessage};
use rtnetlink::packet_route::route::{
    RouteAddress, RouteAttribute, RouteMessage, RouteType, RouteVia,
};
use rtnetlink::sys::protocols::NETLINK_ROUTE;
use rtnetlink::sys::{Socket, SocketAddr};

/// Bytes of one answer: the kernel fills at most 32 KiB at a time (`NLMSG_GOODSIZE`, `netlink_dump`).
const ANSWER: usize = 64 * 1024;

/// Bytes of a netlink header, `struct nlmsghdr`.
const HEADER: usize = 16;

/// Set by the kernel when something changed while it was telling (`NLM_F_DUMP_INTR`).
const INTERRUPTED: u16 = 0x10;

/// How often an interrupted answer is asked for again; where routes change all the time the last one has to do.
const ATTEMPTS: usize = 4;

/// Why the kernel's tables cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum NetworkError {
    /// No socket, or not one in the wanted groups.
    #[error("cannot open a route netlink socket")]
    Open(#[source] io::Error),
    /// A table is refused.
    #[error("cannot read the machine's {what} over netlink")]
    Read {
        /// Links, addresses or routes.
        what: &'static str,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
}

/// A network interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Its index.
    pub index: u32,
    /// Its name.
    pub name: String,
    /// Whether the administrator has it up.
    pub up: bool,
}

/// An address of the machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// The link it is on.
    pub link: u32,
    /// The address itself.
    pub own: IpAddr,
    /// The network, or the other end, that it connects to.
    pub connected: IpNet,
    /// Where the network's broadcasts go.
    pub broadcast: Option<Ipv4Addr>,
}

/// What the kernel knows at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Network {
    /// Every link.
    pub links: Vec<Link>,
    /// Every address.
    pub addresses: Vec<Address>,
    /// The next hops of the default routes.
    pub gateways: BTreeSet<IpAddr>,
    /// The links that the default routes leave by.
    pub exits: BTreeSet<u32>,
}

impl Network {
    /// Asks the kernel.
    pub fn read() -> Result<Self, NetworkError> {
        let mut network = Self::default();
        let links = RouteNetlinkMessage::GetLink(LinkMessage::default());
        let addresses = RouteNetlinkMessage::GetAddress(AddressMessage::default());
        let routes = RouteNetlinkMessage::GetRoute(RouteMessage::default());
        for (what, question) in [
            ("links", links),
            ("addresses", addresses),
            ("routes", routes),
        ] {
            network
                .ask(question)
                .map_err(|source| NetworkError::Read { what, source })?;
        }
        network.links.sort_by_key(|link| link.index);
        Ok(network)
    }

    /// The link of this name.
    pub fn link(&self, name: &str) -> Option<&Link> {
        self.links.iter().find(|link| link.name == name)
    }

    /// The names of the links that the default routes leave by.
    pub fn exits(&self) -> impl Iterator<Item = &str> {
        let exits = |link: &&Link| self.exits.contains(&link.index);
        self.links
            .iter()
            .filter(exits)
            .map(|link| link.name.as_str())
    }

    fn ask(&mut self, question: RouteNetlinkMessage) -> io::Result<()> {
        for _ in 0..ATTEMPTS {
            let mut answer = self.clone();
            let whole = dump(question.clone(), |message| answer.note(message))?;
            *self = answer;
            if whole {
                break;
            }
        }
        Ok(())
    }

    fn note(&mut self, message: RouteNetlinkMessage) {
        match message {
            RouteNetlinkMessage::NewLink(link) => self.note_link(&link),
            RouteNetlinkMessage::NewAddress(address) => self.note_address(&address),
            RouteNetlinkMessage::NewRoute(route) => self.note_route(&route),
            _ => {}
        }
    }

    fn note_link(&mut self, message: &LinkMessage) {
        let name = message
            .attributes
            .iter()
            .find_map(|attribute| match attribute {
                LinkAttribute::IfName(name) => Some(name.clone()),
                _ => None,
            });
        if let Some(name) = name {
            let index = message.header.index;
            let up = message.header.flags.contains(LinkFlags::Up);
            self.links.retain(|link| link.index != index);
            self.links.push(Link { index, name, up });
        }
    }

    /// On a point-to-point link `IFA_ADDRESS` is the other end and `IFA_LOCAL` ours; else both are ours.
    fn note_address(&mut self, message: &AddressMessage) {
        let (mut local, mut address, mut broadcast) = (None, None, None);
        for attribute in &message.attributes {
            match attribute {
                AddressAttribute::Local(found) => local = Some(*found),
                AddressAttribute::Address(found) => address = Some(*found),
                AddressAttribute::Broadcast(found) => broadcast = Some(*found),
                _ => {}
            }
        }
        let Some(own) = local.or(address) else {
            return;
        };
        let connected = IpNet::new(address.unwrap_or(own), message.header.prefix_len);
        if let Ok(connected) = connected {
            let address = Address {
                link: message.header.index,
                own,
                connected: connected.trunc(),
                broadcast,
            };
            if !self.addresses.contains(&address) {
                self.addresses.push(address);
            }
        }
    }

    /// Only default routes are kept: a router of the whole Internet has a million others.
    fn note_route(&mut self, message: &RouteMessage) {
        let header = &message.header;
        if header.destination_prefix_length != 0 || header.kind != RouteType::Unicast {
            return;
        }
        self.note_hop(&message.attributes);
        for attribute in &message.attributes {
            if let RouteAttribute::MultiPath(hops) = attribute {
                for hop in hops {
                    self.exits.insert(hop.interface_index);
                    self.note_hop(&hop.attributes);
                }
            }
        }
    }

    fn note_hop(&mut self, attributes: &[RouteAttribute]) {
        for attribute in attributes {
            match attribute {
                RouteAttribute::Oif(link) => {
                    self.exits.insert(*link);
                }
                RouteAttribute::Gateway(RouteAddress::Inet(gateway))
                | RouteAttribute::Via(RouteVia::Inet(gateway)) => {
                    self.gateways.insert(IpAddr::V4(*gateway));
                }
                RouteAttribute::Gateway(RouteAddress::Inet6(gateway))
                | RouteAttribute::Via(RouteVia::Inet6(gateway)) => {
                    self.gateways.insert(IpAddr::V6(*gateway));
                }
                _ => {}
            }
        }
    }
}

/// A socket that becomes readable when a link, an address or a route changes.
#[derive(Debug)]
pub struct Changes(Socket);

impl Changes {
    /// Changes from now on.
    pub fn watch() -> Result<Self, NetworkError> {
        let groups = [
            MulticastGroup::Link,
            MulticastGroup::Ipv4Ifaddr,
            MulticastGroup::Ipv6Ifaddr,
            MulticastGroup::Ipv4Route,
            MulticastGroup::Ipv6Route,
        ];
        let groups = groups
            .iter()
            .fold(0, |all, &group| all | 1 << (group as u32 - 1));
        let open = || {
            let mut socket = Socket::new(NETLINK_ROUTE)?;
            socket.bind(&SocketAddr::new(0, groups))?;
            socket.set_non_blocking(true)?;
            Ok(socket)
        };
        open().map(Self).map_err(NetworkError::Open)
    }

    /// Takes what waits, and says whether any of it matters: of routes, default ones. Whoever asks reads the tables.
    pub fn drain(&self) -> bool {
        let mut buffer = vec![0; ANSWER];
        let mut any = false;
        loop {
            match self.0.recv(&mut buffer.as_mut_slice(), 0) {
                Ok(len) => any |= buffer.get(..len).is_none_or(matters),
                Err(error) => match error.kind() {
                    io::ErrorKind::Interrupted => {}
                    io::ErrorKind::WouldBlock => return any,
                    // The socket's buffer ran over: something did change.
                    _ => return true,
                },
            }
        }
    }
}

impl AsFd for Changes {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl AsRawFd for Changes {
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}

/// Whether a datagram tells of more than routes to somewhere: a router of the whole Internet hears of those all day.
fn matters(mut rest: &[u8]) -> bool {
    while let Some((message, after)) = split(rest) {
        rest = after;
        let message = NetlinkMessage::<RouteNetlinkMessage>::deserialize(message);
        let payload = message.map(|message| message.payload);
        let Ok(NetlinkPayload::InnerMessage(
            RouteNetlinkMessage::NewRoute(route) | RouteNetlinkMessage::DelRoute(route),
        )) = payload
        else {
            return true;
        };
        if route.header.destination_prefix_length == 0 {
            return true;
        }
    }
    false
}

/// Asks one question and hands each answer to `take`; says whether nothing changed meanwhile.
fn dump(
    question: RouteNetlinkMessage,
    mut take: impl FnMut(RouteNetlinkMessage),
) -> io::Result<bool> {
    let mut socket = Socket::new(NETLINK_ROUTE)?;
    socket.bind_auto()?;
    socket.connect(&SocketAddr::new(0, 0))?;
    let mut header = NetlinkHeader::default();
    header.flags = NLM_F_DUMP | NLM_F_REQUEST;
    let mut message = NetlinkMessage::new(header, NetlinkPayload::from(question));
    message.finalize();
    let mut bytes = vec![0; message.buffer_len()];
    message.serialize(&mut bytes);
    socket.send(&bytes, 0)?;

    let mut whole = true;
    let mut buffer = vec![0; ANSWER];
    loop {
        let len = socket.recv(&mut buffer.as_mut_slice(), 0)?;
        let mut rest = buffer.get(..len).ok_or(io::ErrorKind::InvalidData)?;
        while let Some((message, after)) = split(rest) {
            rest = after;
            // What a newer kernel says in a way not known here is passed over.
            let Ok(message) = NetlinkMessage::<RouteNetlinkMessage>::deserialize(message) else {
                continue;
            };
            whole &= message.header.flags & INTERRUPTED == 0;
            match message.payload {
                NetlinkPayload::InnerMessage(inner) => take(inner),
                NetlinkPayload::Done(_) => return Ok(whole),
                NetlinkPayload::Error(error) => return Err(error.to_io()),
                _ => {}
            }
        }
    }
}

/// The first netlink message of `bytes`, and what follows it; messages begin at multiples of four bytes.
fn split(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let len = u32::from_ne_bytes(*bytes.first_chunk()?) as usize;
    let message = bytes.get(..len).filter(|_| len >= HEADER)?;
    Some((
        message,
        bytes.get(len.next_multiple_of(4)..).unwrap_or_default(),
    ))
}
