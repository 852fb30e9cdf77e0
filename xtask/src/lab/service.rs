//! The servers a host can run: a script under `serve/` and the ports that say it is ready.
//! What they serve is the script's business.

use anyhow::Result;

use super::running::{Port, Running};
use super::stage::{Script, Stage};
use super::topology::Host;

/// A server: its script's name, text and ports.
#[derive(Debug)]
pub(crate) struct Service {
    name: &'static str,
    text: &'static str,
    ports: &'static [Port],
}

macro_rules! services {
    ($($constant:ident = $name:literal, $ports:expr;)*) => {
        $(pub(crate) static $constant: Service =
            Service { name: $name, text: include_str!(concat!("serve/", $name, ".sh")), ports: $ports };)*
    };
}

services! {
    SSH = "ssh", &[Port::Tcp(22)];
    WEB = "web", &[Port::Tcp(80), Port::Tcp(443)];
    DNS = "dns", &[Port::Udp(53), Port::Tcp(53)];
    NTP = "ntp", &[Port::Udp(123)];
    FTP = "ftp", &[Port::Tcp(21)];
    MQTT = "mqtt", &[Port::Tcp(1883)];
    IPERF = "iperf", &[Port::Tcp(5201)];
    REDIS = "redis", &[Port::Tcp(6379)];
    TELNET = "telnet", &[Port::Tcp(23)];
    IMAP = "imap", &[Port::Tcp(143)];
    ECHO = "echo", &[Port::Udp(47_808), Port::Udp(4_000)];
    IODINED = "iodined", &[Port::Udp(53), Port::Tcp(9)];
    DNS2TCPD = "dns2tcpd", &[Port::Udp(53)];
}

impl Service {
    /// Starts it on `host` and waits until it takes requests.
    pub(crate) fn start(&self, stage: &Stage, host: Host) -> Result<Running> {
        let script = Script {
            text: self.text,
            environment: &[],
        };
        let mut running = stage.run(host, self.name, script)?;
        running.wait_listening(self.ports)?;
        Ok(running)
    }

    /// The programs its script runs, for a case's README.
    pub(crate) fn programs(&self) -> Vec<&'static str> {
        super::packages::programs(self.text)
    }

    /// Whether plays look names up there.
    pub(crate) fn is_resolver(&self) -> bool {
        self.name == "dns"
    }
}
