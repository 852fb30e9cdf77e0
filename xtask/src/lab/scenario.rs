//! A scenario: who does what to whom for how long, as a value, and the labels that follow from it.
//! `director` performs it; nothing here touches the machine.

use std::net::IpAddr;

use super::forged::Flood;
use super::service::Service;
use super::topology::{Family, Host, INSIDE, Role, Stray, Topology, Translation};

/// What an act is, in the labels file's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Class {
    Scan,
    BruteForce,
    Flood,
    Ddos,
    SlowDos,
    C2,
    Tunnel,
    Exploit,
    Benign,
}

/// Which part of the set a tool belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Split {
    Train,
    Test,
}

/// Something a host can do: a script under `play/`.
#[derive(Debug)]
pub(crate) struct Play {
    pub(crate) name: &'static str,
    pub(crate) class: Class,
    /// The program it is made with: the label's source.
    pub(crate) tool: &'static str,
    pub(crate) split: Split,
    pub(crate) text: &'static str,
}

/// One host performing one play.
#[derive(Clone, Debug)]
pub(crate) struct Act {
    pub(crate) host: Host,
    pub(crate) play: &'static Play,
    pub(crate) target: Host,
    pub(crate) variables: Vec<(String, String)>,
}

/// Everything needed to record one capture.
#[derive(Clone, Debug)]
pub(crate) struct Scenario {
    pub(crate) name: String,
    pub(crate) purpose: String,
    pub(crate) family: Family,
    pub(crate) seconds: u64,
    pub(crate) seed: u64,
    pub(crate) stray: Stray,
    pub(crate) translation: Translation,
    /// The capture is made to come from this VLAN.
    pub(crate) vlan: Option<u16>,
    /// Inside devices that talk to everybody, written in among what is recorded.
    pub(crate) chatter: u8,
    /// Split and source of a wholly benign capture, if not its first tool's.
    pub(crate) theme: Option<(Split, &'static str)>,
    /// What acts that send written frames send, to `server1`.
    pub(crate) flood: Option<Flood>,
    pub(crate) services: Vec<(Host, &'static Service)>,
    pub(crate) acts: Vec<Act>,
}

/// One row of the labels file, without the capture's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Label {
    pub(crate) attacker: String,
    pub(crate) victim: String,
    pub(crate) class: Class,
    pub(crate) split: Split,
    pub(crate) source: String,
}

impl Class {
    /// The fixed word.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Scan => "scan",
            Self::BruteForce => "brute-force",
            Self::Flood => "flood",
            Self::Ddos => "ddos",
            Self::SlowDos => "slow-dos",
            Self::C2 => "c2",
            Self::Tunnel => "tunnel",
            Self::Exploit => "exploit",
            Self::Benign => "benign",
        }
    }
}

impl Split {
    /// The fixed word.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Test => "test",
        }
    }
}

impl Play {
    /// The programs its script runs, for a case's README.
    pub(crate) fn programs(&self) -> Vec<&'static str> {
        super::packages::programs(self.text)
    }
}

impl Act {
    /// `host` performs `play` on `target`.
    pub(crate) fn new(host: Host, play: &'static Play, target: Host) -> Self {
        Self {
            host,
            play,
            target,
            variables: Vec::new(),
        }
    }

    /// Sets a variable of the script.
    pub(crate) fn with(mut self, key: &str, value: impl ToString) -> Self {
        self.variables.push((key.to_owned(), value.to_string()));
        self
    }

    fn variable(&self, key: &str) -> Option<&str> {
        self.variables
            .iter()
            .find(|(name, _)| name == key)
            .map(|(_, value)| value.as_str())
    }
}

impl Scenario {
    /// A quiet scenario with `server1` at its middle; fill in acts and services.
    pub(crate) fn new(name: &str, purpose: &str) -> Self {
        Self {
            name: name.to_owned(),
            purpose: purpose.to_owned(),
            family: Family::V4,
            seconds: 60,
            seed: 1,
            stray: Stray::Silent,
            translation: Translation::None,
            vlan: None,
            chatter: 0,
            theme: None,
            flood: None,
            services: Vec::new(),
            acts: Vec::new(),
        }
    }

    /// Every host that serves or acts.
    pub(crate) fn topology(&self) -> Topology {
        let serving = self.services.iter().map(|(host, _)| *host);
        let acting = self.acts.iter().flat_map(|act| [act.host, act.target]);
        let mut hosts: Vec<_> = serving.chain(acting).collect();
        hosts.sort_unstable();
        hosts.dedup();
        Topology {
            hosts,
            stray: self.stray,
            translation: self.translation,
        }
    }

    /// Rows for the labels file: one an attack, or one that says there is none.
    pub(crate) fn labels(&self) -> Vec<Label> {
        let attacks = self
            .acts
            .iter()
            .filter(|act| act.play.class != Class::Benign);
        let mut labels: Vec<_> = attacks.map(|act| self.label(act)).collect();
        labels.dedup();
        if let ([], Some(act)) = (labels.as_slice(), self.acts.first()) {
            let (split, source) = self.theme.unwrap_or((act.play.split, act.play.tool));
            labels.push(Label {
                attacker: "-".to_owned(),
                victim: "-".to_owned(),
                class: Class::Benign,
                split,
                source: format!("lab-{source}"),
            });
        }
        labels
    }

    /// Who attacks whom. A play on a whole network sets `VICTIM`.
    fn label(&self, act: &Act) -> Label {
        let (mut attacker, mut victim) = (act.host, act.target);
        // The design's rule: the side outside is the one to act on.
        if matches!(act.play.class, Class::C2 | Class::Tunnel) && attacker.is_inside() {
            std::mem::swap(&mut attacker, &mut victim);
        }
        let text = |host: Host| host.address(self.family).to_string();
        let forged = self.flood.filter(|_| act.play.class == Class::Ddos);
        let forged = forged.map(|flood| flood.prefix(self.family).to_owned());
        Label {
            attacker: forged.unwrap_or_else(|| text(attacker)),
            victim: act
                .variable("VICTIM")
                .map_or_else(|| text(victim), str::to_owned),
            class: act.play.class,
            split: act.play.split,
            source: format!("lab-{}", act.play.tool),
        }
    }

    /// The variables a play's script sees.
    pub(crate) fn environment(&self, act: &Act, until: u64) -> Vec<(String, String)> {
        let target = act.target.address(self.family);
        let dns = self
            .services
            .iter()
            .find(|(_, service)| service.is_resolver());
        let dns = dns.map_or(target, |(host, _)| host.address(self.family));
        let seed = self.seed ^ u64::from(act.host.number) << 8 ^ u64::from(act.host.role as u8);
        let (family, subnet) = match self.family {
            Family::V4 => ("4", INSIDE[0]),
            Family::V6 => ("6", INSIDE[1]),
        };
        let own = act.host.address(self.family);
        let values = [
            ("TARGET", target.to_string()),
            ("HOST", bracketed(target)),
            ("SELF", own.to_string()),
            ("DNS", dns.to_string()),
            ("FAMILY", family.to_owned()),
            ("SUBNET", subnet.to_owned()),
            ("SEED", (seed % 32_768).to_string()),
            ("UNTIL", until.to_string()),
        ];
        let mut environment: Vec<_> = values.map(|(key, value)| (key.to_owned(), value)).into();
        environment.extend(act.variables.iter().cloned());
        environment
    }

    /// Addresses acting benignly on the wire, for counting client time.
    pub(crate) fn benign_addresses(&self) -> usize {
        if self.translation == Translation::Masquerade {
            return 1;
        }
        let chatter = usize::from(self.chatter);
        let attackers: Vec<_> = self
            .acts
            .iter()
            .filter(|act| act.play.class != Class::Benign)
            .map(|act| act.host)
            .collect();
        let mut hosts: Vec<_> = self.acts.iter().map(|act| act.host).collect();
        hosts.sort_unstable();
        hosts.dedup();
        let acting = hosts
            .iter()
            .filter(|host| !attackers.contains(host) && host.role != Role::Attacker)
            .count();
        acting + chatter
    }
}

/// An address as URLs write it.
fn bracketed(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("[{address}]"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static ATTACK: Play = Play {
        name: "a",
        class: Class::Scan,
        tool: "nmap",
        split: Split::Train,
        text: "",
    };
    static BEACON: Play = Play {
        name: "b",
        class: Class::C2,
        tool: "curl",
        split: Split::Test,
        text: "",
    };
    static VISIT: Play = Play {
        name: "v",
        class: Class::Benign,
        tool: "curl",
        split: Split::Train,
        text: "",
    };

    #[test]
    fn labels_name_the_attacker_and_the_attacked() {
        let mut scenario = Scenario::new("x", "");
        let server = Host::new(Role::Server, 1);
        scenario
            .acts
            .push(Act::new(Host::new(Role::Client, 1), &VISIT, server));
        assert_eq!(row(&scenario), ["-,-,benign,train,lab-curl"]);
        scenario
            .acts
            .push(Act::new(Host::new(Role::Attacker, 1), &ATTACK, server));
        assert_eq!(
            row(&scenario),
            ["203.0.113.11,192.0.2.11,scan,train,lab-nmap"]
        );
    }

    #[test]
    fn the_outside_end_of_a_beacon_is_the_attacker() {
        let mut scenario = Scenario::new("x", "");
        let (desk, site) = (Host::new(Role::Desk, 1), Host::new(Role::Site, 1));
        scenario.acts.push(Act::new(desk, &BEACON, site));
        assert_eq!(
            row(&scenario),
            ["198.51.100.201,192.0.2.101,c2,test,lab-curl"]
        );
    }

    fn row(scenario: &Scenario) -> Vec<String> {
        let labels = scenario.labels();
        let text = |label: &Label| {
            let Label {
                attacker,
                victim,
                class,
                split,
                source,
            } = label;
            format!(
                "{attacker},{victim},{},{},{source}",
                class.word(),
                split.word()
            )
        };
        labels.iter().map(text).collect()
    }
}
