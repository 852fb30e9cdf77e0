//! The benign side of the training set: what stands beside attacks, and hard benign traffic alone.
//! Every host here is innocent, however much it looks otherwise.

use super::cases::{SERVER, client};
use super::play;
use super::scenario::{Act, Play, Scenario};
use super::service::{self, Service};
use super::topology::{Host, Role, Stray, Translation};

/// How likely each play is chosen, and its variables.
struct Habit {
    weight: u8,
    play: &'static Play,
    variables: fn(&mut fastrand::Rng) -> Vec<(&'static str, String)>,
}

const fn habit(
    weight: u8,
    play: &'static Play,
    variables: fn(&mut fastrand::Rng) -> Vec<(&'static str, String)>,
) -> Habit {
    Habit {
        weight,
        play,
        variables,
    }
}

fn plain(_: &mut fastrand::Rng) -> Vec<(&'static str, String)> {
    Vec::new()
}

/// The weights are guesses; spread is what matters.
static HABITS: &[Habit] = &[
    habit(5, &play::BROWSE, |r| {
        let scheme = ["http", "https"][r.usize(..2)];
        vec![
            ("ASSETS", r.u8(6..=40).to_string()),
            ("CONNECTIONS", r.u8(2..=8).to_string()),
            ("SCHEME", scheme.to_owned()),
        ]
    }),
    habit(3, &play::DNS, plain),
    habit(2, &play::SSH_KEY, plain),
    habit(2, &play::SSH_TYPOS, plain),
    habit(1, &play::RSYNC, |r| {
        vec![("FILES", r.u8(20..200).to_string())]
    }),
    habit(1, &play::GIT, plain),
    habit(2, &play::NTP, plain),
    habit(2, &play::MONITOR, |r| {
        let ports = [
            "22 80 443",
            "22 80 443 21 25 8080",
            "25 110 143 993 22",
            "80",
        ][r.usize(..4)];
        vec![("PORTS", ports.to_owned())]
    }),
    habit(2, &play::HEALTH, |r| {
        if r.bool() {
            vec![("DEEP", "1".to_owned())]
        } else {
            Vec::new()
        }
    }),
    habit(3, &play::RETRY_DEAD, |r| {
        let ports = ["443", "8443 5222", "1883 8883", "25 587", "5432"][r.usize(..5)];
        let gone: Vec<_> = (66..66 + r.u8(..11))
            .map(|n| format!("192.0.2.{n}"))
            .collect();
        vec![("PORTS", ports.to_owned()), ("GONE", gone.join(" "))]
    }),
    habit(2, &play::RESOLVER, |r| {
        vec![
            ("RATE", r.u8(3..40).to_string()),
            ("SOCKETS", r.u8(1..16).to_string()),
        ]
    }),
    habit(2, &play::DOWNLOAD, |r| {
        vec![("CONNECTIONS", r.u8(2..=10).to_string())]
    }),
    habit(2, &play::STREAM, |r| {
        vec![("RATE", r.u8(15..60).to_string())]
    }),
    habit(2, &play::FTP_USER, plain),
    habit(2, &play::FAN_OUT, plain),
    habit(2, &play::MQTT, |r| vec![("EVERY", r.u8(1..=6).to_string())]),
    habit(0, &play::LOAD_TEST, |r| {
        vec![("CONNECTIONS", r.u8(2..=16).to_string())]
    }),
    habit(1, &play::MQTT_WATCH, plain),
    habit(2, &play::IMAP_POLL, plain),
    habit(2, &play::REDIS_APP, plain),
    habit(1, &play::VOICE, plain),
    habit(1, &play::POLL, |r| {
        let gone = ["", "192.0.2.66", "192.0.2.67"][r.usize(..3)];
        vec![
            ("EVERY", r.u8(10..99).to_string()),
            ("GONE", gone.to_owned()),
        ]
    }),
];

/// A wholly benign capture: its folder and what all its hosts do.
pub(crate) struct Theme {
    pub(crate) folder: &'static str,
    pub(crate) plays: &'static [&'static Play],
    hosts: u8,
}

/// Every benign theme; an empty list of plays is a mixture.
pub(crate) static THEMES: &[Theme] = &[
    Theme {
        folder: "mixture",
        plays: &[],
        hosts: 16,
    },
    Theme {
        folder: "pages",
        plays: &[&play::BROWSE],
        hosts: 8,
    },
    Theme {
        folder: "dead-services",
        plays: &[&play::RETRY_DEAD],
        hosts: 12,
    },
    Theme {
        folder: "ssh-users",
        plays: &[&play::SSH_TYPOS, &play::SSH_KEY, &play::RSYNC],
        hosts: 10,
    },
    Theme {
        folder: "monitoring",
        plays: &[&play::MONITOR, &play::HEALTH],
        hosts: 12,
    },
    Theme {
        folder: "resolvers",
        plays: &[&play::RESOLVER, &play::DNS],
        hosts: 8,
    },
    Theme {
        folder: "downloads",
        plays: &[&play::DOWNLOAD, &play::STREAM],
        hosts: 6,
    },
    Theme {
        folder: "fan-out",
        plays: &[&play::FAN_OUT, &play::NTP],
        hosts: 10,
    },
    Theme {
        folder: "load-test",
        plays: &[&play::LOAD_TEST, &play::BROWSE],
        hosts: 4,
    },
    Theme {
        folder: "devices",
        plays: &[&play::MQTT, &play::MQTT_WATCH, &play::NTP],
        hosts: 16,
    },
    Theme {
        folder: "developers",
        plays: &[&play::GIT, &play::RSYNC, &play::DOWNLOAD],
        hosts: 6,
    },
    Theme {
        folder: "bulk",
        plays: &[&play::BULK],
        hosts: 1,
    },
    Theme {
        folder: "machines",
        plays: &[&play::POLL, &play::VOICE, &play::NTP],
        hosts: 9,
    },
    Theme {
        folder: "ftp-users",
        plays: &[&play::FTP_USER],
        hosts: 8,
    },
    Theme {
        folder: "accounts",
        plays: &[
            &play::IMAP_POLL,
            &play::REDIS_APP,
            &play::SSH_TYPOS,
            &play::FTP_USER,
        ],
        hosts: 12,
    },
    Theme {
        folder: "office-behind-nat",
        plays: &[],
        hosts: 20,
    },
];

/// What a server offers; all of it, so that any habit finds its service.
static OFFERED: &[&Service] = &[
    &service::SSH,
    &service::WEB,
    &service::DNS,
    &service::NTP,
    &service::FTP,
    &service::MQTT,
    &service::IPERF,
    &service::REDIS,
    &service::IMAP,
    &service::TELNET,
    &service::ECHO,
];

/// Puts `hosts` innocent clients and the server's services into `scenario`.
pub(crate) fn surround(scenario: &mut Scenario, hosts: u8, random: &mut fastrand::Rng) {
    offer(scenario, SERVER);
    for number in 1..=hosts {
        let act = act(client(number), SERVER, any(random), random);
        scenario.acts.push(act);
    }
}

/// Fills `scenario` with a theme.
pub(crate) fn stage(scenario: &mut Scenario, theme: &Theme, random: &mut fastrand::Rng) {
    let hidden = theme.folder == "office-behind-nat";
    // Behind a translation the clients are desks, and what they use stands outside.
    let (role, target) = if hidden {
        (Role::Desk, Host::new(Role::Site, 1))
    } else {
        (Role::Client, SERVER)
    };
    if hidden {
        scenario.translation = Translation::Masquerade;
    }
    scenario.stray = if random.bool() {
        Stray::Silent
    } else {
        Stray::Unreachable
    };
    offer(scenario, target);
    for number in 1..=theme.hosts {
        let play = match theme.plays {
            [] => any(random),
            plays => plays[usize::from(number - 1) % plays.len()],
        };
        let act = act(Host::new(role, number), target, play, random);
        scenario.acts.push(act);
    }
}

fn offer(scenario: &mut Scenario, host: Host) {
    scenario
        .services
        .extend(OFFERED.iter().map(|service| (host, *service)));
}

fn any(random: &mut fastrand::Rng) -> &'static Play {
    let total: u32 = HABITS.iter().map(|habit| u32::from(habit.weight)).sum();
    let mut ticket = random.u32(..total);
    for habit in HABITS {
        match ticket.checked_sub(u32::from(habit.weight)) {
            Some(rest) => ticket = rest,
            None => return habit.play,
        }
    }
    &play::BROWSE
}

fn act(host: Host, target: Host, play: &'static Play, random: &mut fastrand::Rng) -> Act {
    let mut act = Act::new(host, play, target).with("START", random.u8(..8));
    if random.u8(..10) < 8 {
        act = act.with("THINK", random.u8(2..16));
    }
    let habit = HABITS.iter().find(|habit| std::ptr::eq(habit.play, play));
    let variables = habit
        .map(|habit| (habit.variables)(random))
        .unwrap_or_default();
    variables
        .into_iter()
        .fold(act, |act, (key, value)| act.with(key, value))
}
