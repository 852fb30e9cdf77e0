//! `garita self-test`: embedded attacks and ordinary traffic through this program, its model and its configuration.
//! It reads captures that are part of the program and touches neither firewall, store nor network.

use std::io::{self, BufWriter, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use anyhow::Result;
use contract::class::Class;
use contract::incident::Incident;
use detection::features::SCHEMA;
use detection::model::Named;
use sensor::capture::file::File;
use sensor::capture::{CaptureError, Source};
use serde::Serialize;
use settings::Config;

use super::replay::Session;
use super::table::Table;

/// `garita self-test`
#[derive(clap::Args)]
pub struct Arguments {
    /// Print the result of each case as JSON
    #[arg(long)]
    json: bool,
}

/// The detection is not what it should be; what is wrong has been printed.
#[derive(Debug, thiserror::Error)]
#[error("{failed} of {total} self-tests failed: {names}")]
struct Failed {
    failed: usize,
    total: usize,
    names: String,
}

/// A miniature capture and what must come of it. Nobody but the attacker may be blocked.
struct Case {
    name: &'static str,
    capture: &'static [u8],
    attack: Option<Attack>,
}

/// What an attacker does, and what must be done about it.
struct Attack {
    offender: IpAddr,
    class: Class,
    decision: &'static str,
}

/// The attacker of the captures.
const OFFENDER: IpAddr = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 11));

/// The same, where the capture is of IPv6.
const OFFENDER_V6: IpAddr = IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 3, 0, 0, 0, 0, 0xb));

/// The bytes of a golden capture.
macro_rules! capture {
    ($name:literal) => {
        include_bytes!(concat!("../../../tests/captures/", $name, "/input.pcap"))
    };
}

/// The smallest golden captures that show each class, each version of IP and a tagged network, and beside them what
/// resembles an attack most: logins, services that are down, discovery by multicast, fragments.
static CASES: [Case; 12] = [
    Case::attack("nmap-udp", capture!("nmap-udp"), Class::Scan),
    Case::attack("nmap-ipv6", capture!("nmap-ipv6"), Class::Scan).by(OFFENDER_V6),
    Case::attack("vlan", capture!("vlan"), Class::Scan),
    Case::attack(
        "ftp-brute-force",
        capture!("ftp-brute-force"),
        Class::BruteForce,
    ),
    Case::attack("slowloris", capture!("slowloris"), Class::SlowDos),
    Case::attack(
        "syn-flood-one-source",
        capture!("syn-flood-one-source"),
        Class::Flood,
    ),
    Case::attack("dns-tunnel", capture!("dns-tunnel"), Class::Tunnel),
    Case::benign("ssh-users", capture!("ssh-users")),
    Case::benign("services-down", capture!("services-down")),
    Case::benign("home-chatter", capture!("home-chatter")),
    Case::benign("fragments", capture!("fragments")),
    Case::benign("qinq", capture!("qinq")),
];

impl Case {
    const fn attack(name: &'static str, capture: &'static [u8], class: Class) -> Self {
        let decision = match class {
            // Policy never blocks for a tunnel.
            Class::Tunnel => "alert",
            _ => "block",
        };
        let attack = Some(Attack {
            offender: OFFENDER,
            class,
            decision,
        });
        Self {
            name,
            capture,
            attack,
        }
    }

    const fn by(mut self, offender: IpAddr) -> Self {
        if let Some(attack) = &mut self.attack {
            attack.offender = offender;
        }
        self
    }

    const fn benign(name: &'static str, capture: &'static [u8]) -> Self {
        Self {
            name,
            capture,
            attack: None,
        }
    }
}

/// What came of a case.
#[derive(Serialize)]
struct Finding {
    name: &'static str,
    passed: bool,
    expected: String,
    found: String,
}

/// All of them, in the form `--json` prints.
#[derive(Serialize)]
struct Findings {
    passed: usize,
    total: usize,
    cases: Vec<Finding>,
}

/// Plays every case and prints a line each, and how many of how many passed.
pub fn run(config: &Config, arguments: &Arguments) -> Result<()> {
    let model = Named::load(None, &config.model, &SCHEMA)?;
    let mut cases = Vec::with_capacity(CASES.len());
    for case in &CASES {
        cases.push(judge(case, &incidents(case, config, &model)?));
    }
    let findings = Findings {
        passed: cases.iter().filter(|case| case.passed).count(),
        total: cases.len(),
        cases,
    };
    let mut out = BufWriter::new(io::stdout().lock());
    if arguments.json {
        serde_json::to_writer(&mut out, &findings).map_err(io::Error::from)?;
        out.write_all(b"\n")?;
    } else {
        out.write_all(text(&findings).as_bytes())?;
    }
    out.flush()?;
    verdict(&findings)
}

fn incidents(case: &Case, config: &Config, model: &Named) -> Result<Vec<Incident>, CaptureError> {
    let mut file = File::read(case.name, case.capture)?;
    let mut session = Session::new(config, model);
    while let Some(frame) = file.next_frame()? {
        session.take(&frame);
    }
    file.damage().map_or(Ok(session.finish().incidents), Err)
}

fn judge(case: &Case, incidents: &[Incident]) -> Finding {
    let expected = match &case.attack {
        Some(attack) => format!(
            "{} {} for {}",
            phrase(attack.decision),
            attack.offender,
            attack.class
        ),
        None => "nobody to be blocked".to_owned(),
    };
    let wrongly = |incident: &&Incident| {
        let attacker = case.attack.as_ref().map(|attack| attack.offender);
        incident.garita.block.is_some() && incident.garita.offender != attacker
    };
    let (passed, found) = match (incidents.iter().find(wrongly), &case.attack) {
        (Some(bystander), _) => (false, told(bystander)),
        (None, None) => (true, "nobody blocked".to_owned()),
        (None, Some(attack)) => {
            let of_offender =
                |incident: &&Incident| incident.garita.offender == Some(attack.offender);
            let rightly = |incident: &&Incident| {
                incident.garita.class == attack.class && incident.garita.decision == attack.decision
            };
            let mut theirs = incidents.iter().filter(of_offender);
            let right = theirs.clone().find(rightly);
            let told = right.or_else(|| theirs.next()).map(told);
            (
                right.is_some(),
                told.unwrap_or_else(|| "nothing".to_owned()),
            )
        }
    };
    Finding {
        name: case.name,
        passed,
        expected,
        found,
    }
}

/// The decision, about whom, for what, and why it is no harsher.
fn told(incident: &Incident) -> String {
    let garita = &incident.garita;
    let address = (garita.offender.or(garita.victim)).unwrap_or(incident.destination.ip);
    let decision = phrase(&garita.decision);
    let reason = garita.reason.as_ref();
    let reason = reason.map_or_else(String::new, |reason| format!(" ({reason})"));
    format!("{decision} {address} for {}{reason}", garita.class)
}

/// A decision as the beginning of a phrase.
fn phrase(decision: &str) -> String {
    match decision {
        "alert" => "an alert about".to_owned(),
        other => format!("a {other} of"),
    }
}

fn text(findings: &Findings) -> String {
    let mut table = Table::new(["", "CASE", "FOUND"]);
    for case in &findings.cases {
        let (word, found) = if case.passed {
            ("ok", case.found.clone())
        } else {
            (
                "FAILED",
                format!("expected {}, got {}", case.expected, case.found),
            )
        };
        table.push([word.to_owned(), case.name.to_owned(), found]);
    }
    format!("{table}\n{}/{}\n", findings.passed, findings.total)
}

fn verdict(findings: &Findings) -> Result<()> {
    let failed = findings.cases.iter().filter(|case| !case.passed);
    let names: Vec<&str> = failed.map(|case| case.name).collect();
    if names.is_empty() {
        return Ok(());
    }
    let failed = Failed {
        failed: names.len(),
        total: findings.total,
        names: names.join(", "),
    };
    Err(failed.into())
}
