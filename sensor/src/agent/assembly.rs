//! How each part is made from the configuration. Nothing is started here.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};

use anyhow::Result;
use ebpf::account::Limits;

use crate::capture::kernel::Kernel;
use crate::capture::live::{self, Live};
use crate::capture::{CaptureError, LiveSource};
use crate::clock::Moment;
use crate::firewall::{Firewall, Nftables, Observe};
use crate::incident::Observer;
use crate::replay::Setup;
use contract::incident::Identity;
use contract::printable::sentence;
use detection::engine::Engine;
use detection::frame::Timestamp;
use detection::model::Named;
use detection::policy::{Guard, LocalNetwork, Policy};
use detection::timeline::Timeline;
use settings::{CaptureMode, Config, Conntrack, FirewallMode};

/// The tap of the configured mode, and why it is this one.
pub(super) fn open_live(config: &Config) -> Result<(Box<dyn LiveSource>, String), CaptureError> {
    let setup = Setup::from(config);
    let limits = Limits {
        // Whoever floods us must not know which addresses share a bit.
        seed: RandomState::new().build_hasher().finish(),
        ..setup.limits
    };
    let pcap = || -> Result<Box<dyn LiveSource>, CaptureError> {
        let mut live = Live::open(&config.capture, setup.caps, limits)?;
        live.trust(&setup.trusted_tunnels);
        live.decode_with(setup.decoder.clone());
        Ok(Box::new(live))
    };
    let ebpf = || -> Result<Box<dyn LiveSource>, CaptureError> {
        if !config.capture.mirrors.is_empty() {
            return Err(CaptureError::Mirrors);
        }
        let interfaces = live::interfaces(&config.capture)?;
        if interfaces.is_empty() {
            // Only pcap waits for a default route.
            return Err(CaptureError::NoInterface);
        }
        let mut kernel = Kernel::open(&interfaces, config)?;
        if config.capture.interfaces.is_empty() {
            kernel.follow_routes(&config.capture)?;
        }
        Ok(Box::new(kernel))
    };
    match config.capture.mode {
        CaptureMode::Pcap => Ok((pcap()?, String::new())),
        CaptureMode::Ebpf => Ok((ebpf()?, String::new())),
        CaptureMode::Auto if !config.capture.mirrors.is_empty() => {
            let why =
                "pcap, because the kernel's meter does not look into what capture.mirrors send";
            Ok((pcap()?, why.to_owned()))
        }
        CaptureMode::Auto => match ebpf() {
            Ok(kernel) => Ok((
                kernel,
                "ebpf, because the kernel's meter loads here".to_owned(),
            )),
            Err(error) => {
                let why = format!(
                    "pcap, because the kernel's meter cannot be used: {}",
                    sentence(&error)
                );
                Ok((pcap()?, why))
            }
        },
    }
}

pub(super) fn firewall(settings: &settings::Firewall) -> Result<Box<dyn Firewall>> {
    Ok(match (settings.mode, settings.conntrack) {
        (FirewallMode::Observe, _) => Box::new(Observe),
        (FirewallMode::Enforce, Conntrack::Auto) => Box::new(Nftables::open()?),
        (FirewallMode::Enforce, Conntrack::Off) => Box::new(Nftables::open()?.untracked()),
    })
}

/// Nothing is dropped while observing: what a former run left is taken away.
pub(super) fn sweep_up() {
    let swept = Nftables::open().and_then(|mut nftables| nftables.remove());
    if let Err(error) = swept {
        tracing::debug!("{error}");
    }
}

pub(super) fn engine(config: &Config, model: &Named, around: &LocalNetwork) -> Engine {
    let guard = Guard::new(&config.policy, around.clone());
    let policy = Policy::new(&config.policy, guard);
    Engine::new(model.model.clone(), policy, &config.evidence)
}

pub(super) fn identity(config: &Config) -> Identity {
    let name = config
        .sensor
        .name
        .get()
        .map(|name| name.as_str().to_owned());
    Identity {
        name: name.unwrap_or_else(host_name),
        version: env!("CARGO_PKG_VERSION"),
    }
}

/// The host's name as a topic can carry it.
fn host_name() -> String {
    let name = nix::unistd::gethostname().unwrap_or_default();
    let name = name.to_string_lossy().to_lowercase();
    let first = name.split('.').next().unwrap_or_default();
    let plain = first
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' });
    let plain: String = plain.take(63).collect();
    match plain.as_str() {
        "" | "all" => "garita".to_owned(),
        _ => plain,
    }
}

pub(super) fn observer(config: &Config, model: &Named, now: Moment) -> Observer {
    let wall = Timestamp::from_nanoseconds(now.wall.micros().saturating_mul(1_000));
    Observer {
        identity: identity(config),
        model_name: model.name.clone(),
        model_sha256: model.model.sha256().to_owned(),
        timeline: Timeline::anchored(now.micros, wall),
    }
}
