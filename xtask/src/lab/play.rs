//! Everything a host can do: one script under `play/` each, with its class, tool and split.
//! The scripts read their parameters from variables; `scenario` sets them.

use super::scenario::Class::{
    self, Benign, BruteForce, C2, Ddos, Exploit, Flood, Scan, SlowDos, Tunnel,
};
use super::scenario::Play;
use super::scenario::Split::{self, Test, Train};

const fn play(name: &'static str, kind: (Class, &'static str, Split), text: &'static str) -> Play {
    let (class, tool, split) = kind;
    Play {
        name,
        class,
        tool,
        split,
        text,
    }
}

macro_rules! plays {
    ($($constant:ident = $name:literal, $class:expr, $tool:literal, $split:expr;)*) => {
        $(pub(crate) static $constant: Play =
            play($name, ($class, $tool, $split), include_str!(concat!("play/", $name, ".sh")));)*
    };
}

plays! {
    NMAP = "nmap", Scan, "nmap", Train;
    ZMAP = "zmap", Scan, "zmap", Train;
    MASSCAN = "masscan", Scan, "masscan", Test;
    HYDRA = "hydra", BruteForce, "hydra", Train;
    PATATOR = "patator", BruteForce, "patator", Train;
    MEDUSA = "medusa", BruteForce, "medusa", Test;
    NCRACK = "ncrack", BruteForce, "ncrack", Test;
    HPING = "hping", Flood, "hping3", Train;
    NPING = "nping", Flood, "nping", Train;
    HTTP_FLOOD = "http-flood", Flood, "http-flood", Train;
    AB = "ab", Flood, "ab", Test;
    FORGED = "inject", Ddos, "forged", Train;
    REFLECTED = "inject", Ddos, "reflected", Test;
    EXPLOIT = "exploit", Exploit, "curl", Train;
    SLOWHTTP = "slowhttp", SlowDos, "slowhttptest", Train;
    SLOWLORIS = "slowloris", SlowDos, "slowloris", Train;
    SLOW_READ = "slow-read", SlowDos, "slow-read", Test;
    BEACON = "beacon", C2, "beacon", Train;
    IODINE = "iodine", Tunnel, "iodine", Train;
    DNS2TCP = "dns2tcp", Tunnel, "dns2tcp", Test;
    BROWSE = "browse", Benign, "browse", Train;
    BULK = "bulk", Benign, "iperf3", Train;
    DNS = "dns", Benign, "dns", Train;
    DOWNLOAD = "download", Benign, "download", Train;
    FAN_OUT = "fan-out", Benign, "fan-out", Train;
    FTP_USER = "ftp-user", Benign, "ftp", Train;
    GIT = "git", Benign, "git", Train;
    HEALTH = "health", Benign, "health", Train;
    IMAP_POLL = "imap-poll", Benign, "imap", Train;
    LOAD_TEST = "load-test", Benign, "wrk", Test;
    MONITOR = "monitor", Benign, "monitor", Train;
    MQTT = "mqtt", Benign, "mqtt", Train;
    MQTT_WATCH = "mqtt-watch", Benign, "mqtt", Train;
    NTP = "ntp", Benign, "ntp", Train;
    POLL = "poll", Benign, "poll", Train;
    REDIS_APP = "redis-app", Benign, "redis", Train;
    RESOLVER = "resolver", Benign, "resolver", Train;
    RETRY_DEAD = "retry-dead", Benign, "retry-dead", Train;
    RSYNC = "rsync", Benign, "rsync", Train;
    SSH_KEY = "ssh-key", Benign, "ssh", Train;
    SSH_TYPOS = "ssh-typos", Benign, "ssh", Train;
    STREAM = "stream", Benign, "stream", Train;
    VOICE = "voice", Benign, "voice", Train;
}
