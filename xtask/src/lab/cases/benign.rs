//! Cases in which nobody attacks anybody, however much it looks so.
//! One function a case; sizes and durations are chosen to stay committable.

use super::{SERVER, client};
use crate::lab::play;
use crate::lab::scenario::{Act, Scenario};
use crate::lab::service;
use crate::lab::topology::{Host, Role, Stray, Translation};

pub(super) fn http_page_loads() -> Scenario {
    let mut scenario = Scenario::new(
        "http-page-loads",
        "Benign: people load pages of many resources over several connections at once.",
    );
    scenario.seconds = 30;
    scenario.services = vec![(SERVER, &service::WEB), (SERVER, &service::DNS)];
    scenario.acts = (1..=4)
        .map(|n| {
            Act::new(client(n), &play::BROWSE, SERVER)
                .with("ASSETS", 12)
                .with("THINK", 14)
        })
        .collect();
    scenario
}

pub(super) fn services_down() -> Scenario {
    let mut scenario = Scenario::new(
        "services-down",
        "Benign: devices whose services are gone retry them, refused, unanswered, unreachable and unresolvable.",
    );
    scenario.seconds = 75;
    scenario.stray = Stray::Unreachable;
    scenario.services = vec![(SERVER, &service::DNS)];
    scenario.acts = vec![
        Act::new(client(1), &play::RETRY_DEAD, SERVER).with("PORTS", "443"),
        Act::new(client(2), &play::RETRY_DEAD, SERVER).with("PORTS", "8443 5222 1883"),
        Act::new(client(3), &play::RETRY_DEAD, SERVER).with("GONE", "192.0.2.66 192.0.2.67"),
        Act::new(client(4), &play::RETRY_DEAD, SERVER)
            .with("PORTS", "25")
            .with("GONE", "192.0.2.66"),
    ];
    scenario
}

pub(super) fn monitoring_probes() -> Scenario {
    let mut scenario = Scenario::new(
        "monitoring-probes",
        "Benign: a monitoring station and two load balancers check a server that has some services down.",
    );
    scenario.seconds = 60;
    scenario.services = vec![
        (SERVER, &service::SSH),
        (SERVER, &service::WEB),
        (SERVER, &service::DNS),
    ];
    scenario.acts = vec![
        Act::new(client(1), &play::MONITOR, SERVER).with("THINK", 6),
        Act::new(client(2), &play::HEALTH, SERVER).with("THINK", 2),
        Act::new(client(3), &play::HEALTH, SERVER)
            .with("THINK", 3)
            .with("DEEP", 1),
    ];
    scenario
}

pub(super) fn busy_resolver() -> Scenario {
    let mut scenario = Scenario::new(
        "busy-resolver",
        "Benign: a resolver asks for many different names while clients ask for a few.",
    );
    scenario.seconds = 30;
    scenario.services = vec![(SERVER, &service::DNS)];
    scenario.acts = vec![
        Act::new(client(1), &play::RESOLVER, SERVER)
            .with("RATE", 25)
            .with("SOCKETS", 8),
        Act::new(client(2), &play::DNS, SERVER).with("THINK", 2),
        Act::new(client(3), &play::DNS, SERVER).with("THINK", 3),
    ];
    scenario
}

pub(super) fn ssh_users() -> Scenario {
    let mut scenario = Scenario::new(
        "ssh-users",
        "Benign: users with keys, users who mistype their passwords, and copies over ssh.",
    );
    scenario.seconds = 70;
    scenario.services = vec![(SERVER, &service::SSH)];
    scenario.acts = vec![
        Act::new(client(1), &play::SSH_KEY, SERVER).with("THINK", 10),
        Act::new(client(2), &play::SSH_TYPOS, SERVER).with("THINK", 8),
        Act::new(client(3), &play::SSH_TYPOS, SERVER).with("THINK", 15),
        Act::new(client(4), &play::RSYNC, SERVER)
            .with("FILES", 12)
            .with("THINK", 20),
    ];
    scenario
}

pub(super) fn nat_many_users() -> Scenario {
    let mut scenario = Scenario::new(
        "nat-many-users",
        "Benign: eight people behind one address browse, look up names and use ssh.",
    );
    scenario.seconds = 35;
    scenario.translation = Translation::Masquerade;
    let site = Host::new(Role::Site, 1);
    scenario.services = vec![
        (site, &service::WEB),
        (site, &service::DNS),
        (site, &service::SSH),
    ];
    let desk = |number| Host::new(Role::Desk, number);
    scenario.acts = (1..=4)
        .map(|n| {
            Act::new(desk(n), &play::BROWSE, site)
                .with("ASSETS", 6)
                .with("THINK", 18)
        })
        .collect();
    scenario
        .acts
        .extend((5..=6).map(|n| Act::new(desk(n), &play::DNS, site).with("THINK", 3)));
    scenario
        .acts
        .extend((7..=8).map(|n| Act::new(desk(n), &play::SSH_KEY, site).with("THINK", 15)));
    scenario
}

pub(super) fn mqtt_devices() -> Scenario {
    let mut scenario = Scenario::new(
        "mqtt-devices",
        "Benign: devices publish readings to a broker and stay connected; one program listens.",
    );
    scenario.seconds = 60;
    scenario.services = vec![(SERVER, &service::MQTT)];
    scenario.acts = (1..=6)
        .map(|n| Act::new(client(n), &play::MQTT, SERVER).with("EVERY", 2))
        .collect();
    scenario
        .acts
        .push(Act::new(client(7), &play::MQTT_WATCH, SERVER));
    scenario
}
