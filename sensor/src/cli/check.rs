//! `garita check`: whether the sensor could start, and what to do where it could not.
//! It changes nothing.

use std::io;
use std::io::Write;
use std::net::TcpListener;
use std::path::Path;

use anyhow::Result;
use contract::printable::{printable, sentence};
use detection::features::SCHEMA;
use detection::model::Named;
use indicatif::HumanBytes;
use nix::net::if_::{Interfaces, if_nameindex, if_nametoindex};
use nix::sys::statvfs::statvfs;
use nix::unistd::{AccessFlags, access};
use sensor::capture::{CaptureError, kernel, live};
use sensor::control;
use sensor::firewall;
use sensor::store;
use settings::{CaptureMode, Config, DEFAULT_FILE, FirewallMode, Setting};

use super::table::Table;

/// Where systemd-logind keeps who is logged in, and from where.
const SESSIONS: &str = "/run/systemd/sessions";
/// Room on the disk below which records are soon lost, bytes: what may wait in memory is this much.
const LEAST_FREE: u64 = 64 << 20;

/// Something is not as it should be; what, has been printed.
#[derive(Debug, thiserror::Error)]
#[error("{failed} of {checked} checks failed")]
pub struct Failed {
    failed: usize,
    checked: usize,
    /// Whether the configuration is among it.
    pub configuration: bool,
}

/// Checks everything and prints a line each.
pub fn run(file: Option<&Path>) -> Result<()> {
    let config = Config::load(file);
    let mut findings = vec![("configuration", configuration(file, &config).into())];
    if let Ok(config) = &config {
        findings.push(("model", model(config).into()));
        findings.push(("capture", capture(config)));
        findings.push(("meter", meter(&config.capture)));
        findings.push(("firewall", firewall(config)));
        findings.push(("logins", logins()));
        findings.push(("store", records(config)));
        findings.push(("control", control(config)));
        findings.push(("metrics", metrics(config)));
        findings.push(("report", report(config)));
    }
    let mut table = Table::new(["", "CHECKED", "FOUND"]);
    for (name, finding) in &findings {
        let (word, text) = match finding {
            Finding::Sound(text) => ("ok", text),
            Finding::Doubtful(text) => ("warning", text),
            Finding::Broken(text) => ("FAILED", text),
        };
        table.push([word, name, &printable(text)].map(str::to_owned));
    }
    write!(io::stdout().lock(), "{table}")?;
    let broken = |(_, finding): &&(_, Finding)| matches!(finding, Finding::Broken(_));
    match findings.iter().filter(broken).count() {
        0 => Ok(()),
        failed => Err(Failed {
            failed,
            checked: findings.len(),
            configuration: config.is_err(),
        }
        .into()),
    }
}

/// What was found, and what to do where it is not as it should be.
enum Finding {
    Sound(String),
    /// The sensor starts all the same.
    Doubtful(String),
    /// It does not start, or cannot do what it is configured for.
    Broken(String),
}

impl From<std::result::Result<String, String>> for Finding {
    fn from(found: std::result::Result<String, String>) -> Self {
        found.map_or_else(Self::Broken, Self::Sound)
    }
}

fn capture(config: &Config) -> Finding {
    let probed = match live::probe(&config.capture) {
        Ok(probed) => probed,
        Err(error) => return Finding::Broken(sentence(&error)),
    };
    let absent = |name: &str| if_nametoindex(name).is_err();
    if let Some((name, _)) = probed.iter().find(|(name, _)| absent(name)) {
        let there = if_nameindex().map_or_else(|_| Vec::new(), |list| names(&list));
        return Finding::Broken(format!(
            "there is no interface {name}, which capture.interfaces names; there are {}",
            there.join(", ")
        ));
    }
    let missing = probed.iter().filter_map(|(_, trouble)| trouble.as_ref());
    let missing: Vec<String> = missing.map(ToString::to_string).collect();
    let names: Vec<&str> = probed.iter().map(|(name, _)| name.as_str()).collect();
    if names.is_empty() {
        let words = "there is no default route, so no interface is watched; name them in capture.interfaces";
        return Finding::Doubtful(words.to_owned());
    }
    match missing.as_slice() {
        [] => Finding::Sound(names.join(", ")),
        some if config.capture.mode == CaptureMode::Ebpf => Finding::Broken(format!(
            "{}; only pcap waits for it: set capture.mode to auto or pcap",
            some.join("; ")
        )),
        some => Finding::Doubtful(format!("{}; it is waited for", some.join("; "))),
    }
}

fn names(interfaces: &Interfaces) -> Vec<String> {
    let each = interfaces.iter();
    each.map(|interface| interface.name().to_string_lossy().into_owned())
        .collect()
}

fn meter(settings: &settings::Capture) -> Finding {
    let mode = settings.mode;
    let in_user_space = "packets are copied to user space (pcap)";
    if mode == CaptureMode::Pcap {
        return Finding::Sound(format!("{in_user_space}, as capture.mode says"));
    }
    if !settings.mirrors.is_empty() {
        return match mode {
            CaptureMode::Ebpf => Finding::Broken(CaptureError::Mirrors.to_string()),
            _ => Finding::Sound(format!(
                "{in_user_space}: only there capture.mirrors is looked into"
            )),
        };
    }
    match (mode, kernel::probe()) {
        (_, Ok(())) => Finding::Sound("packets are counted in the kernel (ebpf)".to_owned()),
        (CaptureMode::Ebpf, Err(error)) => Finding::Broken(sentence(&error)),
        (_, Err(error)) => Finding::Doubtful(format!("{in_user_space}: {}", sentence(&error))),
    }
}

fn firewall(config: &Config) -> Finding {
    let enforces = config.firewall.mode == FirewallMode::Enforce;
    match firewall::probe() {
        Ok(machine) if !machine.flowtables.is_empty() => Finding::Doubtful(format!(
            "what the flowtable {} forwards passes no rule, so blocks do not stop it; take it out of the ruleset",
            machine.flowtables.join(", ")
        )),
        Ok(machine) if enforces && !machine.tracks => Finding::Doubtful(
            "this kernel tracks no connections (nf_conntrack, nft_ct): addresses that prove nothing are stopped where \
             they open TCP, and reviewed where they send anything else"
                .to_owned(),
        ),
        Ok(_) if enforces => {
            Finding::Sound("nf_tables can be used, and blocks are enforced".to_owned())
        }
        Ok(_) => Finding::Sound("nothing is dropped: firewall.mode is observe".to_owned()),
        Err(error) if enforces => Finding::Broken(sentence(&error)),
        Err(error) => Finding::Doubtful(format!(
            "{}; firewall.mode is observe, so it is not needed yet",
            sentence(&error)
        )),
    }
}

/// Who is logged in from elsewhere cannot be blocked, as far as anybody tells us.
fn logins() -> Finding {
    if Path::new(SESSIONS).is_dir() {
        return Finding::Sound(
            "addresses that people are logged in from are never blocked".to_owned(),
        );
    }
    Finding::Doubtful(
        "who is logged in is not known here, because systemd-logind does not run: list the addresses of \
         administrators in policy.exempt"
            .to_owned(),
    )
}

/// A store that cannot be written stops nothing, but nothing would outlive a restart.
fn records(config: &Config) -> Finding {
    let path = &*config.store.path;
    let folder = path.parent().unwrap_or(Path::new("/"));
    if path.is_dir() {
        let path = path.display();
        return Finding::Doubtful(format!(
            "{path} is a folder; set store.path to a file, or nothing will outlive a restart"
        ));
    }
    let target = if path.exists() { path } else { folder };
    let free = statvfs(folder).map_or(u64::MAX, |disk| {
        disk.blocks_available().saturating_mul(disk.fragment_size())
    });
    if free < LEAST_FREE {
        return Finding::Broken(format!(
            "the disk of {} is full: {} are left, and records need {}; make room, or move store.path",
            folder.display(),
            HumanBytes(free),
            HumanBytes(LEAST_FREE)
        ));
    }
    match access(target, AccessFlags::W_OK) {
        Ok(()) => match store::examine(path) {
            Ok(()) => Finding::Sound(path.display().to_string()),
            Err(error) => Finding::Broken(format!(
                "{}; the sensor would move it aside and begin a new one: restore it from a copy, or delete it",
                sentence(&error)
            )),
        },
        Err(error) => Finding::Doubtful(format!(
            "{} cannot be written: {}; nothing will outlive a restart",
            target.display(),
            error.desc()
        )),
    }
}

fn control(config: &Config) -> Finding {
    let socket = &*config.control.socket;
    let folder = socket.parent().unwrap_or(Path::new("/"));
    match control::Socket::check(&config.control) {
        Ok(()) => Finding::Sound(socket.display().to_string()),
        Err(_) if !folder.exists() => Finding::Doubtful(format!(
            "there is no folder {}; systemd makes /run/garita when it starts the sensor, make any other yourself",
            folder.display()
        )),
        Err(error) => Finding::Broken(sentence(&error)),
    }
}

fn metrics(config: &Config) -> Finding {
    let Some(&address) = config.metrics.listen.get() else {
        return Finding::Sound("not served: metrics.listen is not set".to_owned());
    };
    match TcpListener::bind(address) {
        Ok(_) => Finding::Sound(format!("http://{address}/metrics")),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => Finding::Doubtful(format!(
            "{address} is taken: by the sensor itself if it runs, or else set another metrics.listen"
        )),
        Err(error) => Finding::Broken(format!(
            "metrics.listen: cannot listen on {address}: {error}"
        )),
    }
}

fn report(config: &Config) -> Finding {
    match config.report.url.get() {
        None => Finding::Sound("not reporting: report.url is not set".to_owned()),
        Some(url) => match sensor::report::check(config) {
            Err(why) => Finding::Broken(why),
            Ok(()) => match sensor::report::reach(config) {
                Ok(()) => Finding::Sound(format!("{} lets us in", url.write())),
                Err(why) => Finding::Doubtful(format!(
                    "{why}; what there is to report is kept until it can be sent"
                )),
            },
        },
    }
}

fn configuration(
    file: Option<&Path>,
    config: &std::result::Result<Config, settings::Error>,
) -> std::result::Result<String, String> {
    if let Err(error) = config {
        return Err(format!(
            "{error}; correct it, or leave the setting out to have its default"
        ));
    }
    let default = Path::new(DEFAULT_FILE);
    let used = file.or_else(|| default.exists().then_some(default));
    Ok(used.map_or_else(
        || format!("the defaults: there is no {DEFAULT_FILE}"),
        |path| path.display().to_string(),
    ))
}

fn model(config: &Config) -> std::result::Result<String, String> {
    let Named { name, model } = Named::load(None, &config.model, &SCHEMA).map_err(|error| {
        let sentence = sentence(&error);
        format!("{sentence}; train one with `garita train`, or unset model.path to use the one inside the program")
    })?;
    let content = model.content();
    let from = &content.provenance;
    Ok(format!(
        "{name}, {} on {} features, trained on {} with {} snapshots from {} captures, SHA-256 {}",
        content.algorithm,
        content.features.len(),
        from.date,
        from.rows,
        from.captures,
        model.sha256(),
    ))
}
