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

/// Ports at which a password can be tried, and their names (IANA service names where there is one).
const AUTHENTICATION: [(u16, &str); 31] = [
    (21, "ftp"),
    (22, "ssh"),
    (23, "telnet"),
    (25, "smtp"),
    (88, "kerberos"),
    (110, "pop3"),
    (139, "smb"),
    (143, "imap"),
    (389, "ldap"),
    (445, "smb"),
    (465, "smtps"),
    (512, "rexec"),
    (513, "rlogin"),
    (514, "rsh"),
    (587, "submission"),
    (636, "ldaps"),
    (990, "ftps"),
    (992, "telnets"),
    (993, "imaps"),
    (995, "pop3s"),
    (1433, "mssql"),
    (1521, "oracle"),
    (2222, "ssh"),
    (2323, "telnet"),
    (3306, "mysql"),
    (3389, "rdp"),
    (5432, "postgresql"),
    (5900, "vnc"),
    (5985, "winrm"),
    (6379, "redis"),
    (27017, "mongodb"),
];

const WEB: [u16; 7] = [80, 443, 3128, 8000, 8080, 8443, 8888];

/// DNS, DHCP, NTP, NetBIOS names, SSDP, mDNS, LLMNR.
const INFRASTRUCTURE: [u16; 11] = [53, 67, 68, 123, 137, 138, 546, 547, 1900, 5353, 5355];

impl Service {
    /// The class of `port` of `protocol` (an IANA number).
    pub fn of(port: u16, protocol: u8) -> Self {
        match protocol {
            protocol::TCP if password_service(port).is_some() => Self::Authentication,
            protocol::TCP | protocol::UDP if WEB.contains(&port) => Self::Web,
            protocol::TCP | protocol::UDP if INFRASTRUCTURE.contains(&port) => Self::Infrastructure,
            _ => Self::Other,
        }
    }
}

/// The name of the service at a TCP port where a password can be tried.
pub fn password_service(port: u16) -> Option<&'static str> {
    AUTHENTICATION
        .binary_search_by_key(&port, |&(port, _)| port)
        .ok()
        .map(|found| AUTHENTICATION[found].1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_so_that_searching_finds_every_port() {
        for (port, name) in AUTHENTICATION {
            assert_eq!(password_service(port), Some(name));
        }
        assert_eq!(password_service(443), None);
    }

    #[test]
    fn a_port_alone_is_not_a_service() {
        assert_eq!(Service::of(22, protocol::TCP), Service::Authentication);
        assert_eq!(Service::of(22, protocol::UDP), Service::Other);
        assert_eq!(Service::of(443, protocol::UDP), Service::Web);
        assert_eq!(Service::of(8, protocol::ICMP), Service::Other);
    }
}
