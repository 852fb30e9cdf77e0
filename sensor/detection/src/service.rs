//! Services by port: what kind of use a flow makes of its responder, and what people call it.
//! Nothing here looks at payload; a port is a claim, good enough for words and for a coarse class.

use ebpf::packet::protocol;

/// What kind of service a responder's port stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// Anything else.
    Other,
    /// HTTP and its relatives, where clients come and go all day.
    Web,
    /// Names, time and discovery: short queries, short answers.
    Infrastructure,
    /// A password can be tried here.
    Authentication,
}

/// A service where a password can be tried, and how much of an exchange a refusal takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Login {
    /// What it is called (IANA service names where there is one).
    pub name: &'static str,
    /// Payload without which nothing was tried, bytes from the client: more than a look at the banner takes.
    pub least: u64,
    /// The most a client says, and is told, before it is refused, bytes.
    pub most_out: u64,
    /// See `most_out`.
    pub most_back: u64,
    /// Tries alike that are guessing.
    pub tries: u32,
    /// The most packets with payload a client sends before it is refused: a query after the password is one more.
    pub most_words: u32,
    /// Whether programs come all day, as regularly as a clock: for mail, to check a database, to deliver a reading.
    pub polled: bool,
}

/// A text protocol: a name, a password, a sentence back.
const fn text(name: &'static str, least: u64) -> Login {
    Login {
        name,
        least,
        most_out: 1_000,
        most_back: 3_200,
        tries: 7,
        most_words: u32::MAX,
        polled: false,
    }
}

/// A protocol that agrees on keys first, or packs much into a refusal.
const fn keyed(name: &'static str) -> Login {
    Login {
        name,
        least: 200,
        most_out: 3_300,
        most_back: 3_200,
        tries: 7,
        most_words: u32::MAX,
        polled: false,
    }
}

/// The same inside TLS, whose certificates come first (RFC 8446).
const fn sealed(name: &'static str) -> Login {
    Login {
        name,
        least: 200,
        most_out: 3_300,
        most_back: 8_000,
        tries: 7,
        most_words: u32::MAX,
        polled: false,
    }
}

const fn polled(login: Login) -> Login {
    Login {
        polled: true,
        ..login
    }
}

/// Where a query, which a refused client cannot ask, makes one packet more.
const fn brief(login: Login, most_words: u32) -> Login {
    Login {
        most_words,
        ..polled(login)
    }
}

/// Where one user's arrival, or one letter, makes several exchanges alike.
const fn talkative(login: Login) -> Login {
    Login { tries: 24, ..login }
}

/// TCP ports where a password, or the lack of one, is tried, after the services that honeypots and search engines of the
/// Internet report as attacked (Shadowserver's and DShield's lists of ports), in order.
const LOGINS: [(u16, Login); 48] = [
    (21, text("ftp", 16)),
    (22, keyed("ssh")),
    (23, text("telnet", 8)),
    (25, talkative(text("smtp", 64))),
    (88, talkative(keyed("kerberos"))),
    (110, polled(text("pop3", 16))),
    (139, talkative(keyed("smb"))),
    (143, polled(text("imap", 24))),
    (389, polled(talkative(text("ldap", 32)))),
    (445, keyed("smb")),
    (465, talkative(sealed("smtps"))),
    (512, text("rexec", 8)),
    (513, text("rlogin", 8)),
    (514, text("rsh", 8)),
    (554, text("rtsp", 64)),
    (587, text("submission", 64)),
    (636, polled(talkative(sealed("ldaps")))),
    (990, sealed("ftps")),
    (992, sealed("telnets")),
    (993, polled(sealed("imaps"))),
    (995, polled(sealed("pop3s"))),
    (1433, polled(keyed("mssql"))),
    (1521, polled(keyed("oracle"))),
    (1883, brief(text("mqtt", 16), 1)),
    (2222, keyed("ssh")),
    (2323, text("telnet", 8)),
    (2375, polled(talkative(text("docker", 64)))),
    (2376, polled(talkative(sealed("docker")))),
    (3306, brief(text("mysql", 32), 3)),
    (3389, sealed("rdp")),
    (5060, text("sip", 200)),
    (5061, sealed("sips")),
    (5432, brief(text("postgresql", 32), 3)),
    (5555, text("adb", 24)),
    (5672, polled(text("amqp", 32))),
    (5900, text("vnc", 16)),
    (5901, text("vnc", 16)),
    (5984, polled(talkative(text("couchdb", 64)))),
    (5985, polled(text("winrm", 64))),
    (5986, polled(sealed("winrm"))),
    (6379, brief(text("redis", 16), 2)),
    (7547, polled(text("tr-069", 64))),
    (8291, text("winbox", 32)),
    (8728, text("routeros", 16)),
    (8883, polled(sealed("mqtts"))),
    (9200, polled(talkative(text("elasticsearch", 64)))),
    (11211, polled(talkative(text("memcached", 8)))),
    (27017, polled(talkative(text("mongodb", 32)))),
];

/// A web page, or whatever else the configuration says asks for a password. Pages are fetched again and again by people
/// and monitors, too, so it takes many more tries; a search as fast as they come is found by the forest long before.
const CONFIGURED: Login = Login {
    name: "login",
    least: 64,
    most_out: 3_300,
    most_back: 8_000,
    tries: 32,
    most_words: u32::MAX,
    polled: false,
};

/// The same over UDP: a telephone exchange (RFC 3261).
const SIP: Login = text("sip", 100);
const SIP_PORT: u16 = 5060;

/// UDP ports that are searched for because they answer more than they are asked (CISA alert TA14-017A): character
/// generators, DNS, TFTP, portmap, NTP, SNMP, CLDAP, RIP, MSSQL, SSDP, SIP, CoAP, discovery, memcached.
const SEARCHED: [u16; 17] = [
    17, 19, 53, 69, 111, 123, 161, 389, 520, 1434, 1900, 3283, 3702, 5060, 5353, 5683, 11211,
];

/// Of these, the ports that the shipped model has not learnt as login services: its feature leaves them out.
const NOT_LEARNT: [u16; 17] = [
    554, 1883, 2375, 2376, 5060, 5061, 5555, 5672, 5901, 5984, 5986, 7547, 8291, 8728, 8883, 9200,
    11211,
];

const WEB: [u16; 7] = [80, 443, 3128, 8000, 8080, 8443, 8888];

/// DNS, DHCP, NTP, NetBIOS names, SSDP, mDNS, LLMNR.
const INFRASTRUCTURE: [u16; 11] = [53, 67, 68, 123, 137, 138, 546, 547, 1900, 5353, 5355];

impl Service {
    /// The class of `port` of `protocol` (an IANA number).
    pub fn of(port: u16, protocol: u8) -> Self {
        match protocol {
            protocol::TCP if known(port).is_some() && !NOT_LEARNT.contains(&port) => {
                Self::Authentication
            }
            protocol::TCP | protocol::UDP if WEB.contains(&port) => Self::Web,
            protocol::TCP | protocol::UDP if INFRASTRUCTURE.contains(&port) => Self::Infrastructure,
            _ => Self::Other,
        }
    }
}

/// The name of the service at a TCP port where a password can be tried.
pub fn password_service(port: u16) -> Option<&'static str> {
    known(port).map(|login| login.name)
}

/// The login service at a port, those of the configuration included.
pub fn login(port: u16, protocol: u8, configured: &[u16]) -> Option<Login> {
    match protocol {
        protocol::TCP => known(port).or_else(|| configured.contains(&port).then_some(CONFIGURED)),
        protocol::UDP if port == SIP_PORT => Some(SIP),
        _ => None,
    }
}

/// Whether scanners often look for the service at `port` of `protocol`, on many hosts.
pub fn is_searched(port: u16, protocol: u8) -> bool {
    match protocol {
        protocol::TCP => known(port).is_some(),
        protocol::UDP => SEARCHED.contains(&port),
        _ => false,
    }
}

fn known(port: u16) -> Option<Login> {
    let found = LOGINS.binary_search_by_key(&port, |&(port, _)| port).ok()?;
    LOGINS.get(found).map(|&(_, login)| login)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_so_that_searching_finds_every_port() {
        for (port, login) in LOGINS {
            assert_eq!(password_service(port), Some(login.name));
        }
        assert_eq!(password_service(443), None);
    }

    #[test]
    fn a_port_alone_is_not_a_service() {
        assert_eq!(Service::of(22, protocol::TCP), Service::Authentication);
        assert_eq!(Service::of(22, protocol::UDP), Service::Other);
        assert_eq!(Service::of(443, protocol::UDP), Service::Web);
        assert_eq!(Service::of(8, protocol::ICMP), Service::Other);
        assert!(login(5060, protocol::UDP, &[]).is_some());
        assert!(login(22, protocol::UDP, &[22]).is_none());
        assert_eq!(login(8443, protocol::TCP, &[8443]), Some(CONFIGURED));
    }
}
