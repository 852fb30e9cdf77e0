//! Reads the labels file: which capture holds which attack, between whom, and in which split.
//! It opens no capture; it only checks that each is there.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use ipnet::IpNet;

use contract::class::Class;

/// Why a labels file was refused.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file could not be opened.
    #[error("cannot read labels {}: {source}", path.display())]
    Open {
        /// The labels file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A column is not there.
    #[error("labels {} have no column {column:?}", path.display())]
    Column {
        /// The labels file.
        path: PathBuf,
        /// The column looked for.
        column: &'static str,
    },
    /// A line is not CSV.
    #[error("labels {}: {source}", path.display())]
    Line {
        /// The labels file.
        path: PathBuf,
        /// Where and what.
        source: csv::Error,
    },
    /// A value that means nothing.
    #[error("labels {}, line {line}: {reason}", path.display())]
    Value {
        /// The labels file.
        path: PathBuf,
        /// Line number, from 1.
        line: u64,
        /// The value and what is wrong with it.
        reason: String,
    },
    /// Nothing but a header.
    #[error("labels {} name no capture", path.display())]
    Empty {
        /// The labels file.
        path: PathBuf,
    },
}

/// All captures a labels file names, each once, in the order of their names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Labels {
    captures: Vec<CaptureLabels>,
}

/// What is known of one capture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaptureLabels {
    /// As written in the labels file.
    pub name: String,
    /// Where it is.
    pub path: PathBuf,
    /// What is left out together with it.
    pub source: String,
    /// `train`, `val` or `test`.
    pub split: String,
    attacks: Vec<Attack>,
}

/// Who attacks whom, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Attack {
    class: Class,
    attacker: Party,
    victim: Party,
}

/// One side of an attack.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Party {
    Anyone,
    Nobody,
    These(Vec<IpNet>),
}

impl Labels {
    /// Reads a labels file; captures are looked for beside it.
    ///
    /// # Errors
    /// The first line that names a missing capture, an unknown class or a bad address, or that contradicts another.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let text = std::fs::read_to_string(path).map_err(|source| Error::Open {
            path: path.to_owned(),
            source,
        })?;
        // The CSV reader counts a line too few after a CRLF.
        let text = text.replace("\r\n", "\n");
        let mut reader = csv::ReaderBuilder::new()
            .trim(csv::Trim::All)
            .from_reader(text.as_bytes());
        let columns = Columns::find(&mut reader, path)?;
        let folder = path.parent().unwrap_or(Path::new(""));
        let mut captures: BTreeMap<String, CaptureLabels> = BTreeMap::new();
        for record in reader.records() {
            let record = record.map_err(|source| Error::Line {
                path: path.to_owned(),
                source,
            })?;
            let line = record.position().map_or(0, csv::Position::line);
            let refuse = |reason| Error::Value {
                path: path.to_owned(),
                line,
                reason,
            };
            let (mut found, attack) = columns.parse(&record, folder).map_err(refuse)?;
            if let Some(known) = captures.get_mut(&found.name) {
                if (&known.split, &known.source) != (&found.split, &found.source) {
                    let name = &found.name;
                    return Err(refuse(format!(
                        "capture {name:?} has another split or source above"
                    )));
                }
                // The same line twice says nothing new.
                known
                    .attacks
                    .extend(attack.filter(|a| !known.attacks.contains(a)));
            } else {
                found.attacks.extend(attack);
                captures.insert(found.name.clone(), found);
            }
        }
        if captures.is_empty() {
            return Err(Error::Empty {
                path: path.to_owned(),
            });
        }
        Ok(Self {
            captures: captures.into_values().collect(),
        })
    }

    /// The captures, each once, by name.
    pub fn captures(&self) -> &[CaptureLabels] {
        &self.captures
    }
}

impl CaptureLabels {
    /// What a flow between these two is part of, whoever opened it.
    pub fn class_of(&self, a: IpAddr, b: IpAddr) -> Class {
        let (a, b) = (a.to_canonical(), b.to_canonical());
        self.attacks
            .iter()
            .find(|attack| attack.joins(a, b) || attack.joins(b, a))
            .map_or(Class::Benign, |attack| attack.class)
    }

    /// The class for which this address should be blocked, if it should.
    pub fn attacker_class(&self, address: IpAddr) -> Option<Class> {
        let address = address.to_canonical();
        self.attacks
            .iter()
            .find(|attack| match attack.attacker {
                Party::Anyone => !attack.victim.holds(address),
                _ => attack.attacker.holds(address),
            })
            .map(|attack| attack.class)
    }

    /// Whether this address should be blocked.
    pub fn is_attacker(&self, address: IpAddr) -> bool {
        self.attacker_class(address).is_some()
    }

    /// The first attack of the capture, or benign.
    pub fn class(&self) -> Class {
        self.attacks
            .first()
            .map_or(Class::Benign, |attack| attack.class)
    }
}

impl Attack {
    fn joins(&self, attacker: IpAddr, victim: IpAddr) -> bool {
        self.attacker.holds(attacker) && self.victim.holds(victim)
    }
}

impl Party {
    fn holds(&self, address: IpAddr) -> bool {
        match self {
            Self::Anyone => true,
            Self::Nobody => false,
            Self::These(nets) => nets.iter().any(|net| net.contains(&address)),
        }
    }

    fn parse(text: &str) -> Result<Self, String> {
        match text {
            "*" => Ok(Self::Anyone),
            "-" => Ok(Self::Nobody),
            _ => {
                let nets = text.split(';').map(|part| {
                    let part = part.trim();
                    let single = part
                        .parse()
                        .map(|ip: IpAddr| IpNet::from(ip.to_canonical()));
                    single
                        .or_else(|_| part.parse())
                        .map_err(|_| format!("{part:?} is no address, prefix, \"*\" or \"-\""))
                });
                nets.collect::<Result<_, _>>().map(Self::These)
            }
        }
    }
}

/// Where each column stands.
struct Columns {
    capture: usize,
    attacker: usize,
    victim: usize,
    class: usize,
    split: usize,
    source: Option<usize>,
}

impl Columns {
    fn find(reader: &mut csv::Reader<&[u8]>, path: &Path) -> Result<Self, Error> {
        let header = reader.headers().map_err(|source| Error::Line {
            path: path.to_owned(),
            source,
        })?;
        let place = |column: &str| header.iter().position(|name| name == column);
        let need = |column| {
            place(column).ok_or_else(|| Error::Column {
                path: path.to_owned(),
                column,
            })
        };
        Ok(Self {
            capture: need("capture")?,
            attacker: need("attacker")?,
            victim: need("victim")?,
            class: need("class")?,
            split: need("split")?,
            source: place("source"),
        })
    }

    fn parse(
        &self,
        record: &csv::StringRecord,
        folder: &Path,
    ) -> Result<(CaptureLabels, Option<Attack>), String> {
        let text = |column: usize| record.get(column).unwrap_or("");
        let name = text(self.capture);
        let path = folder.join(name);
        if name.is_empty() || !path.is_file() {
            return Err(format!("capture {name:?} is not there"));
        }
        let split = text(self.split);
        if split.is_empty() {
            return Err(format!("capture {name:?} has no split"));
        }
        let class: Class = text(self.class)
            .parse()
            .map_err(|unknown: contract::class::UnknownClass| unknown.to_string())?;
        let attacker = Party::parse(text(self.attacker))?;
        let victim = Party::parse(text(self.victim))?;
        let nobody = attacker == Party::Nobody || victim == Party::Nobody;
        if class.is_attack() && nobody {
            return Err(format!("class {class} needs an attacker and a victim"));
        }
        let given = self.source.map(text).filter(|source| !source.is_empty());
        let captured = CaptureLabels {
            name: name.to_owned(),
            path,
            source: given.unwrap_or_else(|| source_of(name)).to_owned(),
            split: split.to_owned(),
            attacks: Vec::new(),
        };
        let attack = class.is_attack().then_some(Attack {
            class,
            attacker,
            victim,
        });
        Ok((captured, attack))
    }
}

/// The second part of a path with several, else its first.
fn source_of(name: &str) -> &str {
    let mut parts = name.split('/');
    let first = parts.next().unwrap_or(name);
    match (parts.next(), parts.next()) {
        (Some(second), Some(_)) => second,
        _ => first,
    }
}

#[cfg(test)]
mod tests;
