//! Cases with an attack in them, and innocent people beside it.
//! One function a case; sizes and durations are chosen to stay committable.

use super::{SERVER, attacker, client};
use crate::lab::forged::{Flood, Kind};
use crate::lab::play;
use crate::lab::scenario::{Act, Scenario};
use crate::lab::service;
use crate::lab::topology::{Family, Host, Role};

pub(super) fn nmap_and_ssh() -> Scenario {
    let mut scenario = Scenario::new(
        "nmap-and-ssh",
        "The demo: a port scan of one server, then a password attack on its ssh by another address, \
         while people use its pages, names, time, and ssh with keys.",
    );
    scenario.seconds = 80;
    scenario.services = vec![
        (SERVER, &service::SSH),
        (SERVER, &service::WEB),
        (SERVER, &service::DNS),
        (SERVER, &service::NTP),
    ];
    scenario.acts = vec![
        Act::new(attacker(1), &play::NMAP, SERVER)
            .with("START", 15)
            .with("OPTIONS", "-Pn -sS --top-ports 120 -T4"),
        Act::new(attacker(2), &play::HYDRA, SERVER)
            .with("START", 30)
            .with("SERVICE", "ssh")
            .with("WORDS", 12)
            .with("ROUNDS", 3)
            .with("TASKS", 4),
        Act::new(client(1), &play::BROWSE, SERVER)
            .with("ASSETS", 8)
            .with("THINK", 20),
        Act::new(client(2), &play::BROWSE, SERVER)
            .with("ASSETS", 6)
            .with("THINK", 25)
            .with("SCHEME", "https"),
        Act::new(client(3), &play::DNS, SERVER).with("THINK", 4),
        Act::new(client(4), &play::SSH_KEY, SERVER).with("THINK", 15),
        Act::new(client(5), &play::RSYNC, SERVER)
            .with("FILES", 12)
            .with("THINK", 25),
        Act::new(client(6), &play::NTP, SERVER).with("THINK", 15),
    ];
    scenario
}

pub(super) fn nmap_ipv6() -> Scenario {
    let mut scenario = Scenario::new(
        "nmap-ipv6",
        "A connect scan over IPv6 beside page loads and ssh over IPv6.",
    );
    scenario.family = Family::V6;
    scenario.seconds = 40;
    scenario.services = vec![
        (SERVER, &service::SSH),
        (SERVER, &service::WEB),
        (SERVER, &service::DNS),
    ];
    scenario.acts = vec![
        Act::new(attacker(1), &play::NMAP, SERVER)
            .with("START", 12)
            .with("OPTIONS", "-Pn -sT --top-ports 200 -T4"),
        Act::new(client(1), &play::BROWSE, SERVER)
            .with("ASSETS", 8)
            .with("THINK", 12),
        Act::new(client(2), &play::SSH_KEY, SERVER).with("THINK", 8),
        Act::new(client(3), &play::DNS, SERVER).with("THINK", 4),
    ];
    scenario
}

pub(super) fn nmap_udp() -> Scenario {
    let mut scenario = Scenario::new(
        "nmap-udp",
        "A UDP scan: most ports answer port unreachable, at the pace the server's kernel allows; names and time beside it.",
    );
    scenario.seconds = 50;
    scenario.services = vec![(SERVER, &service::DNS), (SERVER, &service::NTP)];
    scenario.acts = vec![
        Act::new(attacker(1), &play::NMAP, SERVER)
            .with("START", 10)
            .with("OPTIONS", "-Pn -sU --top-ports 60 -T4 --max-retries 1"),
        Act::new(client(1), &play::DNS, SERVER).with("THINK", 2),
        Act::new(client(2), &play::NTP, SERVER).with("THINK", 6),
    ];
    scenario
}

pub(super) fn ssh_brute_force_slow() -> Scenario {
    let mut scenario = Scenario::new(
        "ssh-brute-force-slow",
        "One ssh password every few seconds, each on its own connection, beside users with keys.",
    );
    scenario.seconds = 150;
    scenario.services = vec![(SERVER, &service::SSH), (SERVER, &service::DNS)];
    scenario.acts = vec![
        Act::new(attacker(1), &play::HYDRA, SERVER)
            .with("START", 10)
            .with("SERVICE", "ssh")
            .with("WORDS", 1)
            .with("ROUNDS", 60)
            .with("THINK", 4)
            .with("TASKS", 1),
        Act::new(client(1), &play::SSH_KEY, SERVER).with("THINK", 20),
        Act::new(client(2), &play::DNS, SERVER).with("THINK", 8),
    ];
    scenario
}

pub(super) fn ftp_brute_force() -> Scenario {
    let mut scenario = Scenario::new(
        "ftp-brute-force",
        "Passwords guessed at a real ftp server beside a user who lists, fetches and stores.",
    );
    scenario.seconds = 45;
    scenario.services = vec![(SERVER, &service::FTP)];
    scenario.acts = vec![
        Act::new(attacker(1), &play::HYDRA, SERVER)
            .with("START", 10)
            .with("SERVICE", "ftp")
            .with("USERS", "dave")
            .with("WORDS", 24)
            .with("TASKS", 4),
        Act::new(client(1), &play::FTP_USER, SERVER).with("THINK", 20),
    ];
    scenario
}

pub(super) fn http_brute_force() -> Scenario {
    let mut scenario = Scenario::new(
        "http-brute-force",
        "Passwords guessed at basic authentication and at a form, by two addresses, beside page loads.",
    );
    scenario.seconds = 40;
    scenario.services = vec![(SERVER, &service::WEB), (SERVER, &service::DNS)];
    scenario.acts = vec![
        Act::new(attacker(1), &play::HYDRA, SERVER)
            .with("START", 8)
            .with("SERVICE", "http-get")
            .with("FORM", "/secret/")
            .with("USERS", "admin")
            .with("WORDS", 25)
            .with("TASKS", 2),
        Act::new(attacker(2), &play::HYDRA, SERVER)
            .with("START", 15)
            .with("SERVICE", "http-post-form")
            .with("FORM", "/login:user=^USER^&password=^PASS^:F=wrong")
            .with("USERS", "admin")
            .with("WORDS", 25)
            .with("TASKS", 2),
        Act::new(client(1), &play::BROWSE, SERVER)
            .with("ASSETS", 6)
            .with("THINK", 12),
        Act::new(client(2), &play::HEALTH, SERVER).with("THINK", 3),
    ];
    scenario
}

pub(super) fn syn_flood_one_source() -> Scenario {
    let mut scenario = Scenario::new(
        "syn-flood-one-source",
        "hping3 opens connections it never finishes, from its own address, beside page loads.",
    );
    scenario.seconds = 25;
    scenario.services = vec![(SERVER, &service::WEB), (SERVER, &service::DNS)];
    scenario.acts = vec![
        Act::new(attacker(1), &play::HPING, SERVER)
            .with("START", 8)
            .with("OPTIONS", "-S -p 80")
            .with("INTERVAL", 2_000)
            .with("COUNT", 900),
        Act::new(client(1), &play::BROWSE, SERVER)
            .with("ASSETS", 6)
            .with("THINK", 8),
    ];
    scenario
}

pub(super) fn syn_flood_forged() -> Scenario {
    let mut scenario = Scenario::new(
        "syn-flood-forged",
        "First segments from 190 forged sources at a web server that answers them all, beside page loads.",
    );
    scenario.seconds = 25;
    scenario.flood = Some(Flood {
        kind: Kind::Syn(80),
        sources: 190,
        packets: 900,
        rate: 300,
    });
    scenario.services = vec![(SERVER, &service::WEB), (SERVER, &service::DNS)];
    scenario.acts = vec![
        Act::new(attacker(1), &play::FORGED, SERVER).with("START", 8),
        Act::new(client(1), &play::BROWSE, SERVER)
            .with("ASSETS", 6)
            .with("THINK", 8),
    ];
    scenario
}

pub(super) fn udp_flood() -> Scenario {
    let mut scenario = Scenario::new(
        "udp-flood",
        "hping3 sends datagrams to a closed port from one address, beside names and time.",
    );
    scenario.seconds = 25;
    scenario.services = vec![(SERVER, &service::DNS), (SERVER, &service::NTP)];
    scenario.acts = vec![
        Act::new(attacker(1), &play::HPING, SERVER)
            .with("START", 8)
            .with("OPTIONS", "--udp -p 9999 -d 400 -k -s 40000")
            .with("INTERVAL", 1_000)
            .with("COUNT", 1_500),
        Act::new(client(1), &play::DNS, SERVER).with("THINK", 2),
        Act::new(client(2), &play::NTP, SERVER).with("THINK", 5),
    ];
    scenario
}

pub(super) fn slowloris() -> Scenario {
    let mut scenario = Scenario::new(
        "slowloris",
        "A hundred requests that never end, a header line every few seconds, beside page loads.",
    );
    scenario.seconds = 60;
    scenario.services = vec![(SERVER, &service::WEB), (SERVER, &service::DNS)];
    scenario.acts = vec![
        Act::new(attacker(1), &play::SLOWLORIS, SERVER)
            .with("START", 10)
            .with("CONNECTIONS", 100)
            .with("EVERY", 12),
        Act::new(client(1), &play::BROWSE, SERVER)
            .with("ASSETS", 6)
            .with("THINK", 15),
    ];
    scenario
}

pub(super) fn vlan() -> Scenario {
    let mut scenario = Scenario::new(
        "vlan",
        "A port scan and page loads whose frames carry a VLAN tag.",
    );
    scenario.seconds = 20;
    scenario.vlan = Some(100);
    scenario.services = vec![(SERVER, &service::WEB), (SERVER, &service::DNS)];
    scenario.acts = vec![
        Act::new(attacker(1), &play::NMAP, SERVER)
            .with("START", 5)
            .with("OPTIONS", "-Pn -sS --top-ports 100 -T4"),
        Act::new(client(1), &play::BROWSE, SERVER)
            .with("ASSETS", 8)
            .with("THINK", 8),
    ];
    scenario
}

pub(super) fn beacon() -> Scenario {
    let mut scenario = Scenario::new(
        "beacon",
        "An implant on a desk calls home every three seconds, give or take a little; other desks browse the same way out.",
    );
    scenario.seconds = 90;
    let (home, site) = (Host::new(Role::Attacker, 1), Host::new(Role::Site, 1));
    scenario.services = vec![
        (home, &service::WEB),
        (site, &service::WEB),
        (site, &service::DNS),
    ];
    scenario.acts = vec![
        Act::new(Host::new(Role::Desk, 1), &play::BEACON, home)
            .with("EVERY", 3)
            .with("JITTER", 20)
            .with("SCHEME", "https"),
        Act::new(Host::new(Role::Desk, 2), &play::BROWSE, site)
            .with("ASSETS", 6)
            .with("THINK", 25),
        Act::new(Host::new(Role::Desk, 3), &play::DNS, site).with("THINK", 6),
    ];
    scenario
}

pub(super) fn dns_tunnel() -> Scenario {
    let mut scenario = Scenario::new(
        "dns-tunnel",
        "A desk carries data out in names with iodine while others look up names.",
    );
    scenario.seconds = 40;
    let (far, site) = (Host::new(Role::Attacker, 1), Host::new(Role::Site, 1));
    scenario.services = vec![(far, &service::IODINED), (site, &service::DNS)];
    scenario.acts = vec![
        Act::new(Host::new(Role::Desk, 1), &play::IODINE, far)
            .with("BYTES", 6_000)
            .with("THINK", 8),
        Act::new(Host::new(Role::Desk, 2), &play::DNS, site).with("THINK", 2),
        Act::new(Host::new(Role::Desk, 3), &play::DNS, site).with("THINK", 4),
    ];
    scenario
}
