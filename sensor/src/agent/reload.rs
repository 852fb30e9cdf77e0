//! Takes another configuration and model while running: policy, exemptions, the firewall's mode, the model. What stands
//! is kept, and what cannot change while running is said.

use std::path::Path;

use super::components::Components;
use crate::blocklist::{Message, Notice};
use crate::clock::Moment;
use crate::control::ModelStatus;
use contract::condition::Name;
use contract::printable::sentence;
use detection::features::SCHEMA;
use detection::model::Named;
use settings::{Capture, Config};

/// Reads the configuration again; a bad one changes nothing and says so.
pub(super) fn reload(components: &Components, file: Option<&Path>, now: Moment) {
    let loaded = Config::load(file)
        .map_err(|error| sentence(&error))
        .and_then(|config| {
            let model =
                Named::load(None, &config.model, &SCHEMA).map_err(|error| sentence(&error))?;
            Ok((config, model))
        });
    let (config, model) = match loaded {
        Ok(loaded) => loaded,
        Err(why) => return refuse(components, &why, now),
    };
    let named = ModelStatus {
        name: model.name.clone(),
        sha256: model.model.sha256().to_owned(),
    };
    let firewall = match components.change_firewall(&config) {
        Ok(firewall) => firewall,
        Err(error) => return refuse(components, &format!("{error:#}"), now),
    };
    components
        .conditions
        .clear(Name::ReloadRefused, "", now.wall);
    let other_model = components.health.replace(config.clone(), named.clone());
    components.tell(Message::Reload(Box::new(config.clone()), firewall));
    if other_model {
        components.tell(Message::Notice(Notice::Adopt(model.model)));
        components.tell(Message::Model(named.name, named.sha256));
    }
    let fixed = fixed(&components.started, &config);
    components.health.await_restart(&fixed);
    let rest = match fixed.as_slice() {
        [] => String::new(),
        sections => format!("; changes of {} need a restart", sections.join(", ")),
    };
    tracing::info!("configuration reloaded{rest}");
}

fn refuse(components: &Components, why: &str, now: Moment) {
    let words = format!(
        "the configuration was not taken, the one before stays in force: {why}; correct it and reload"
    );
    let standing = components.conditions.standing();
    if standing
        .iter()
        .any(|one| one.name == Name::ReloadRefused.as_str())
    {
        // The condition is told once, but each attempt has its answer in the log.
        tracing::warn!("{words}");
    }
    components
        .conditions
        .raise(Name::ReloadRefused, ("", &words), now.wall);
}

/// What differs from the start and cannot change while running.
fn fixed(before: &Config, after: &Config) -> Vec<&'static str> {
    let (policy, wanted) = (&before.policy, &after.policy);
    // It counts at once.
    let capture = Capture {
        silence: before.capture.silence,
        ..after.capture.clone()
    };
    let sections = [
        ("[sensor]", before.sensor != after.sensor),
        ("[capture]", before.capture != capture),
        ("[carriers]", before.carriers != after.carriers),
        ("[meter]", before.meter != after.meter),
        (
            "policy.trusted_tunnels",
            policy.trusted_tunnels != wanted.trusted_tunnels,
        ),
        (
            "policy.session_grace",
            policy.session_grace != wanted.session_grace,
        ),
        ("[evidence]", before.evidence != after.evidence),
        ("[incident]", before.incident != after.incident),
        ("[store]", before.store != after.store),
        ("[report]", before.report != after.report),
        ("[control]", before.control != after.control),
        ("[metrics]", before.metrics != after.metrics),
    ];
    let differ = sections.into_iter().filter(|(_, differ)| *differ);
    differ.map(|(section, _)| section).collect()
}
