//! A conversation as documents name it, with its Community ID version 1, a name that other tools give it too.
//! The specification is <https://github.com/corelight/community-id-spec>.

use std::net::{IpAddr, SocketAddr};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest, Sha1};

/// The specification's default; every tool of a site has to use the same.
const SEED: u16 = 0;

/// Numbers of the IANA registry "Assigned Internet Protocol Numbers".
mod protocol {
    pub(super) const ICMP: u8 = 1;
    pub(super) const TCP: u8 = 6;
    pub(super) const UDP: u8 = 17;
    pub(super) const ICMPV6: u8 = 58;
    pub(super) const SCTP: u8 = 132;
}

/// A two-way conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flow {
    /// Who opened it; of an ICMP conversation the port means nothing.
    pub initiator: SocketAddr,
    /// Who was to answer.
    pub responder: SocketAddr,
    /// IANA protocol number.
    pub protocol: u8,
    /// ICMP type of the first message, where the protocol is ICMP.
    pub icmp_type: u8,
}

impl Flow {
    /// Its Community ID, where the meter knows all that goes into it: for ICMP messages that have no
    /// counterpart the code would be needed.
    pub fn community_id(&self) -> Option<String> {
        let (mut source, mut destination) = (canonical(self.initiator), canonical(self.responder));
        match self.protocol {
            protocol::ICMP | protocol::ICMPV6 => {
                let answer = counterpart(self.protocol, self.icmp_type)?;
                source.set_port(u16::from(self.icmp_type));
                destination.set_port(u16::from(answer));
            }
            protocol::TCP | protocol::UDP | protocol::SCTP => {}
            _ => {
                source.set_port(0);
                destination.set_port(0);
            }
        }
        if source > destination {
            (source, destination) = (destination, source);
        }
        let ports = matches!(
            self.protocol,
            protocol::TCP | protocol::UDP | protocol::SCTP | protocol::ICMP | protocol::ICMPV6
        );
        let mut hash = Sha1::new();
        hash.update(SEED.to_be_bytes());
        for address in [source.ip(), destination.ip()] {
            match address {
                IpAddr::V4(v4) => hash.update(v4.octets()),
                IpAddr::V6(v6) => hash.update(v6.octets()),
            }
        }
        hash.update([self.protocol, 0]);
        if ports {
            hash.update(source.port().to_be_bytes());
            hash.update(destination.port().to_be_bytes());
        }
        Some(format!("1:{}", STANDARD.encode(hash.finalize())))
    }

    /// Its transport protocol, by its IANA name or number.
    pub fn transport(&self) -> String {
        transport(self.protocol)
    }

    /// Whether its ends have ports.
    pub const fn has_ports(&self) -> bool {
        !matches!(self.protocol, protocol::ICMP | protocol::ICMPV6)
    }
}

/// A transport protocol, by its IANA name or number.
pub fn transport(number: u8) -> String {
    match number {
        protocol::TCP => "tcp".to_owned(),
        protocol::UDP => "udp".to_owned(),
        protocol::ICMP => "icmp".to_owned(),
        protocol::ICMPV6 => "ipv6-icmp".to_owned(),
        protocol::SCTP => "sctp".to_owned(),
        other => other.to_string(),
    }
}

fn canonical(end: SocketAddr) -> SocketAddr {
    SocketAddr::new(end.ip().to_canonical(), end.port())
}

/// The ICMP type that answers a type, as the specification pairs them.
fn counterpart(protocol_number: u8, icmp_type: u8) -> Option<u8> {
    let pairs: &[(u8, u8)] = match protocol_number {
        protocol::ICMP => &[(8, 0), (13, 14), (15, 16), (10, 9), (17, 18)],
        _ => &[
            (128, 129),
            (133, 134),
            (135, 136),
            (130, 131),
            (139, 140),
            (144, 145),
        ],
    };
    pairs.iter().find_map(|&(query, reply)| match icmp_type {
        kind if kind == query => Some(reply),
        kind if kind == reply => Some(query),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(initiator: &str, responder: &str, protocol: u8, icmp_type: u8) -> Option<String> {
        let flow = Flow {
            initiator: initiator.parse().unwrap(),
            responder: responder.parse().unwrap(),
            protocol,
            icmp_type,
        };
        flow.community_id()
    }

    /// The values are what the specification's reference implementation says.
    #[test]
    fn the_reference_implementation_agrees() {
        let tcp = Some("1:LQU9qZlK+B5F3KDmev6m5PMibrg=".to_owned());
        assert_eq!(id("128.232.110.120:34855", "66.35.250.204:80", 6, 0), tcp);
        assert_eq!(id("66.35.250.204:80", "128.232.110.120:34855", 6, 0), tcp);
        assert_eq!(
            id("[::ffff:66.35.250.204]:80", "128.232.110.120:34855", 6, 0),
            tcp
        );
        let udp = Some("1:d/FP5EW3wiY1vCndhwleRRKHowQ=".to_owned());
        assert_eq!(id("192.168.1.52:54585", "8.8.8.8:53", 17, 0), udp);
        let echo = Some("1:X0snYXpgwiv9TZtqg64sgzUn6Dk=".to_owned());
        assert_eq!(id("192.168.0.89:77", "192.168.0.1:77", 1, 8), echo);
        let neighbour = Some("1:dGHyGvjMfljg6Bppwm3bg0LO8TY=".to_owned());
        let (asking, asked) = (
            "[fe80::200:86ff:fe05:80da]:0",
            "[fe80::260:97ff:fe07:69ea]:0",
        );
        assert_eq!(id(asking, asked, 58, 135), neighbour);
        let echo6 = Some("1:YDcnf7YthUKAbDNo6Cs3rX4jq4w=".to_owned());
        assert_eq!(id("[2001:db8::2]:9", "[2001:db8::1]:9", 58, 128), echo6);
        let gre = Some("1:OF71QrXQ3uLb1NPEC6e1InPqsIM=".to_owned());
        assert_eq!(id("192.0.2.1:1", "192.0.2.2:2", 47, 0), gre);
        let sctp = Some("1:jQgCxbku+pNGw8WPbEc/TS/uTpQ=".to_owned());
        assert_eq!(id("192.168.170.8:7", "192.168.170.56:80", 132, 0), sctp);
    }

    #[test]
    fn a_message_without_counterpart_has_no_id() {
        assert_eq!(id("192.0.2.1:0", "192.0.2.2:0", 1, 3), None);
    }
}
