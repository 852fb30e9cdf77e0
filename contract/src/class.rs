//! The words for what an address was doing, and the public names behind them.
//! It never decides anything: who is claimed, and by what, is all it knows.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a flow, or the address behind it, is doing.
///
/// The order is the order of a model's classes and of a score; ties go to the earlier one.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// Nothing to act on.
    Benign,
    /// Looking for hosts, ports or services.
    Scan,
    /// Guessing credentials.
    BruteForce,
    /// One source exhausting a service or a link.
    Flood,
    /// Many sources exhausting a service or a link.
    Ddos,
    /// Holding connections open to exhaust a server.
    SlowDos,
    /// Traffic of a compromised host with its controller.
    C2,
    /// Another protocol hidden inside DNS or ICMP.
    Tunnel,
    /// An attempt on a vulnerable service.
    Exploit,
}

/// An ATT&CK technique, as an incident names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Technique {
    /// Identifier, such as `T1110`.
    pub id: &'static str,
    /// Title in the ATT&CK catalogue.
    pub name: &'static str,
}

/// The text is not one of the fixed class words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown class {0:?}, expected one of {words}", words = words())]
pub struct UnknownClass(pub String);

impl Class {
    /// Every class, in order.
    pub const ALL: [Self; 9] = [
        Self::Benign,
        Self::Scan,
        Self::BruteForce,
        Self::Flood,
        Self::Ddos,
        Self::SlowDos,
        Self::C2,
        Self::Tunnel,
        Self::Exploit,
    ];

    /// The classes the learned models know: the others do not generalise from flow features.
    pub const LEARNT: [Self; 6] = [
        Self::Benign,
        Self::Scan,
        Self::BruteForce,
        Self::Flood,
        Self::Ddos,
        Self::SlowDos,
    ];

    /// The attacks whose learned evidence may block an address.
    pub const CLAIMED: [Self; 4] = [Self::Scan, Self::BruteForce, Self::Flood, Self::SlowDos];

    /// Position in [`Class::ALL`].
    pub const fn index(self) -> usize {
        self as usize
    }

    /// Whether this is anything but benign.
    pub const fn is_attack(self) -> bool {
        !matches!(self, Self::Benign)
    }

    /// Whether learned evidence of this class may block an address.
    pub fn is_claimed(self) -> bool {
        Self::CLAIMED.contains(&self)
    }

    /// Whether the learned models are trained on this class.
    pub fn is_learnt(self) -> bool {
        Self::LEARNT.contains(&self)
    }

    /// The fixed word for this class.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Benign => "benign",
            Self::Scan => "scan",
            Self::BruteForce => "brute-force",
            Self::Flood => "flood",
            Self::Ddos => "ddos",
            Self::SlowDos => "slow-dos",
            Self::C2 => "c2",
            Self::Tunnel => "tunnel",
            Self::Exploit => "exploit",
        }
    }

    /// The MITRE ATT&CK technique (enterprise matrix); benign has none.
    pub const fn technique(self) -> Option<Technique> {
        let (id, name) = match self {
            Self::Benign => return None,
            Self::Scan => ("T1046", "Network Service Discovery"),
            Self::BruteForce => ("T1110", "Brute Force"),
            Self::Flood => ("T1499", "Endpoint Denial of Service"),
            Self::Ddos => ("T1498", "Network Denial of Service"),
            Self::SlowDos => ("T1499.002", "Service Exhaustion Flood"),
            Self::C2 => ("T1071", "Application Layer Protocol"),
            Self::Tunnel => ("T1572", "Protocol Tunneling"),
            Self::Exploit => ("T1190", "Exploit Public-Facing Application"),
        };
        Some(Technique { id, name })
    }
}

impl Technique {
    /// What scanning is called when it comes from outside the network.
    pub const ACTIVE_SCANNING: Self = Self {
        id: "T1595",
        name: "Active Scanning",
    };
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Class {
    type Err = UnknownClass;

    fn from_str(word: &str) -> Result<Self, UnknownClass> {
        Self::ALL
            .into_iter()
            .find(|class| class.as_str() == word)
            .ok_or_else(|| UnknownClass(word.to_owned()))
    }
}

fn words() -> String {
    Class::ALL.map(Class::as_str).join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_survive_text_and_serde() {
        for class in Class::ALL {
            assert_eq!(class.to_string().parse(), Ok(class));
            assert_eq!(
                serde_json::to_string(&class).unwrap(),
                format!("\"{class}\"")
            );
            assert_eq!(Class::ALL[class.index()], class);
            assert_eq!(class.technique().is_some(), class.is_attack());
        }
    }

    #[test]
    fn an_unknown_word_is_named_with_the_known_ones() {
        let error = "portscan".parse::<Class>().unwrap_err().to_string();
        assert!(error.contains("\"portscan\"") && error.contains("slow-dos"));
    }

    #[test]
    fn what_is_claimed_is_learnt() {
        assert!(
            Class::CLAIMED
                .into_iter()
                .all(|class| class.is_learnt() && class.is_attack())
        );
        assert!(Class::Ddos.is_learnt() && !Class::Ddos.is_claimed());
    }
}
