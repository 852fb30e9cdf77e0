//! What the blocklist does with orders, reviews and time, over a store of its own. The kernel is left alone: it observes.

mod forced;
mod verdicts;

use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use ipnet::IpNet;

use super::*;
use crate::action::{Actor, Done, Refusal};
use crate::firewall::Observe;
use crate::incident::tests::{observer, verdict};
use contract::action::{Action, Lifetime};
use contract::address::shown;
use contract::class::Class;
use contract::record::Origin;
use contract::timestamp::Timestamp;
use detection::policy::{Cause, Exemption, Role};

const SECOND: u64 = 1_000_000;

/// A blocklist over a store of its own; it observes, so that the kernel is left alone.
struct Fixture {
    blocklist: Blocklist,
    notices: Receiver<Notice>,
    config: settings::Config,
    store: Store,
    folder: tempfile::TempDir,
}

fn fixture(settings: &str) -> Fixture {
    begun(settings, tempfile::tempdir().unwrap(), at(1_000))
}

fn begun(settings: &str, folder: tempfile::TempDir, now: Moment) -> Fixture {
    let path = folder.path().join("garita.db");
    let text = format!("{settings}\n[store]\npath = {path:?}\n");
    let config = settings::Config::layered(&text, "test", Default::default()).unwrap();
    let (store, recovered) = Store::open(&config, || Timestamp::from_micros(0));
    let observer = observer();
    let conditions = Conditions::new(observer.identity.clone(), store.clone());
    let (engine, notices) = channel();
    let tools = Tools {
        firewall: Box::new(Observe),
        store: store.clone(),
        conditions,
        engine,
    };
    let local_network = LocalNetwork {
        protected: vec![("192.0.2.1".parse().unwrap(), Role::Gateway)],
        ..LocalNetwork::default()
    };
    let log = IncidentLog::new(&config.incident, observer);
    let mut blocklist = Blocklist::new(&config, local_network, (log, tools));
    blocklist.begin(recovered, now);
    Fixture {
        blocklist,
        notices,
        config,
        store,
        folder,
    }
}

impl Fixture {
    fn act(&mut self, action: Action, second: u64) -> Result<Done, Refusal> {
        let alice = Actor {
            origin: Origin::Operator,
            name: "alice (uid 1000)".to_owned(),
        };
        self.blocklist.act(&alice, action, at(second))
    }

    fn targets(&self) -> Vec<String> {
        let held = self.blocklist.active.iter();
        held.map(|held| shown(held.block.target)).collect()
    }

    fn released(&self) -> Vec<String> {
        let notices = self.notices.try_iter();
        let targets = notices.filter_map(|notice| match notice {
            Notice::Release(target) => Some(shown(target)),
            _ => None,
        });
        targets.collect()
    }

    /// Ends the program, and begins it again at `second`.
    fn restart(self, settings: &str, second: u64) -> Fixture {
        self.store.close();
        drop(self.blocklist);
        begun(settings, self.folder, at(second))
    }
}

fn at(second: u64) -> Moment {
    Moment {
        micros: second * SECOND,
        wall: Timestamp::from_micros(i64::try_from(second * SECOND).unwrap()),
    }
}

fn net(text: &str) -> IpNet {
    let host = text.parse().map(|address: IpAddr| IpNet::from(address));
    host.or_else(|_| text.parse()).unwrap()
}

fn block(target: &str, seconds: u64) -> Action {
    Action::Block {
        target: net(target),
        ttl: Lifetime::For(Duration::from_secs(seconds)),
        reason: "seen in the log".to_owned(),
        confirm: None,
        force: false,
    }
}

#[test]
fn a_block_by_hand_begins_ends_and_is_held_meanwhile() {
    let mut fixture = fixture("");
    let done = fixture.act(block("203.0.113.7", 60), 1_000).unwrap();
    assert_eq!(
        done.message,
        "203.0.113.7 would be blocked until 1970-01-01 00:17:40Z, but firewall.mode is observe"
    );
    assert!(
        fixture
            .notices
            .try_iter()
            .any(|notice| matches!(notice, Notice::Hold(target, until) if target == net("203.0.113.7") && until == 1_060 * SECOND))
    );
    assert_eq!(fixture.blocklist.next_deadline(), Some(1_060 * SECOND));
    fixture.blocklist.tick(at(1_059));
    assert_eq!(fixture.targets(), ["203.0.113.7"]);
    fixture.blocklist.tick(at(1_060));
    assert!(fixture.targets().is_empty());
}

#[test]
fn who_is_exempt_cannot_be_blocked_unless_it_is_forced_here() {
    let mut fixture = fixture("[policy]\nexempt = [\"198.51.100.0/24\"]\n");
    for target in [
        "198.51.100.9",
        "198.51.100.0/25",
        "192.0.2.1",
        "127.0.0.1",
        "203.0.0.0/8",
        "::1",
    ] {
        let refusal = fixture.act(block(target, 60), 1_000).unwrap_err();
        assert!(
            matches!(refusal, Refusal::Exempt { .. }),
            "{target}: {refusal}"
        );
    }
    let forced = |target: &str| match block(target, 60) {
        Action::Block {
            target,
            ttl,
            reason,
            confirm,
            ..
        } => Action::Block {
            target,
            ttl,
            reason,
            confirm,
            force: true,
        },
        other => other,
    };
    let key = Actor {
        origin: Origin::Command,
        name: "key ops-1".to_owned(),
    };
    assert!(
        fixture
            .blocklist
            .act(&key, forced("198.51.100.9"), at(1_000))
            .is_err()
    );
    fixture.act(forced("198.51.100.9"), 1_000).unwrap();
    let allowed = fixture.blocklist.allowed();
    assert!(
        !allowed
            .iter()
            .any(|net| net.contains(&"198.51.100.9".parse::<IpAddr>().unwrap()))
    );
    assert!(
        allowed
            .iter()
            .any(|net| net.contains(&"198.51.100.8".parse::<IpAddr>().unwrap()))
    );
}

#[test]
fn what_is_not_confirmed_undoes_itself() {
    let mut fixture = fixture("");
    for target in ["203.0.113.7", "203.0.113.8"] {
        let Action::Block {
            target,
            ttl,
            reason,
            force,
            ..
        } = block(target, 600)
        else {
            unreachable!();
        };
        let confirm = Some(Duration::from_secs(60));
        let action = Action::Block {
            target,
            ttl,
            reason,
            confirm,
            force,
        };
        fixture.act(action, 1_000).unwrap();
    }
    let target = net("203.0.113.8");
    fixture.act(Action::Confirm { target }, 1_010).unwrap();
    assert!(matches!(
        fixture.act(Action::Confirm { target }, 1_011),
        Err(Refusal::NotFound(_))
    ));
    fixture.blocklist.tick(at(1_060));
    assert_eq!(fixture.targets(), ["203.0.113.8"]);
    assert_eq!(fixture.released(), ["203.0.113.7"]);
}

#[test]
fn allowing_lifts_the_blocks_inside_and_keeps_new_ones_away() {
    let mut fixture = fixture("");
    for target in ["203.0.113.7", "203.0.113.128/25", "203.0.114.7"] {
        fixture.act(block(target, 600), 1_000).unwrap();
    }
    let allow = Action::Allow {
        net: net("203.0.113.0/24"),
        ttl: Lifetime::For(Duration::from_secs(100)),
        reason: String::new(),
    };
    fixture.act(allow, 1_001).unwrap();
    assert_eq!(fixture.targets(), ["203.0.114.7"]);
    assert!(fixture.act(block("203.0.113.9", 60), 1_002).is_err());
    fixture.blocklist.tick(at(1_101));
    fixture.act(block("203.0.113.9", 60), 1_102).unwrap();
}

#[test]
fn only_what_was_ordered_can_be_lifted() {
    let mut fixture = fixture("");
    fixture.act(block("203.0.113.0/24", 600), 1_000).unwrap();
    let release = |target: &str| Action::Release {
        target: net(target),
        reason: String::new(),
    };
    let refusal = fixture.act(release("203.0.113.7"), 1_001).unwrap_err();
    assert_eq!(
        refusal.to_string(),
        "203.0.113.7 is blocked only as part of 203.0.113.0/24"
    );
    let refusal = fixture.act(release("198.51.100.7"), 1_001).unwrap_err();
    assert_eq!(refusal.to_string(), "198.51.100.7 is not blocked");
    fixture.act(release("203.0.113.0/24"), 1_001).unwrap();
    assert_eq!(fixture.released(), ["203.0.113.0/24"]);
}

#[test]
fn lists_are_bounded_and_say_so() {
    let mut fixture = fixture("[policy]\nmax_blocks = 64\nmax_prefixes = 2\n");
    for third in 0..2 {
        fixture
            .act(block(&format!("203.0.{third}.0/24"), 60), 1_000)
            .unwrap();
    }
    let refusal = fixture.act(block("203.0.2.0/24", 60), 1_000).unwrap_err();
    assert!(refusal.to_string().contains("policy.max_prefixes"));
    for last in 0..62 {
        fixture
            .act(block(&format!("198.51.100.{last}"), 60), 1_000)
            .unwrap();
    }
    let refusal = fixture.act(block("198.51.100.99", 60), 1_000).unwrap_err();
    assert!(refusal.to_string().contains("policy.max_blocks"));
    fixture.act(block("198.51.100.9", 90), 1_000).unwrap();
}

#[test]
fn what_was_decided_comes_back_with_the_time_it_has_left() {
    let mut fixture = fixture("");
    fixture.act(block("203.0.113.7", 600), 1_000).unwrap();
    fixture.act(block("203.0.113.8", 700), 1_000).unwrap();
    let release = Action::Release {
        target: net("203.0.113.8"),
        reason: String::new(),
    };
    fixture.act(release, 1_001).unwrap();
    let allow = Action::Allow {
        net: net("198.51.100.0/24"),
        ttl: Lifetime::Permanent,
        reason: String::new(),
    };
    fixture.act(allow, 1_000).unwrap();
    let again = fixture.restart("", 1_100);
    assert_eq!(again.targets(), ["203.0.113.7"]);
    assert_eq!(again.blocklist.next_deadline(), Some(1_600 * SECOND));
    assert_eq!(again.blocklist.allowances.len(), 1);
    // The clock was set back a day meanwhile: it does not last longer than it was to last in all.
    let mut earlier = again.restart("", 10);
    assert_eq!(earlier.blocklist.next_deadline(), Some(610 * SECOND));
    earlier.blocklist.tick(at(610));
    assert!(earlier.targets().is_empty());
}

#[test]
fn nothing_lasts_longer_than_ten_years_and_no_confirmation_undoes_an_earlier_block() {
    let mut fixture = fixture("");
    let refusal = fixture.act(block("203.0.113.7", 1 << 60), 1_000);
    assert!(matches!(refusal, Err(Refusal::Invalid(_))), "{refusal:?}");
    fixture.act(block("203.0.113.7", 600), 1_000).unwrap();
    let confirmed = |seconds| Action::Block {
        target: net("203.0.113.7"),
        ttl: Lifetime::For(Duration::from_secs(seconds)),
        reason: String::new(),
        confirm: Some(Duration::from_secs(60)),
        force: false,
    };
    let refusal = fixture.act(confirmed(600), 1_001);
    assert!(matches!(refusal, Err(Refusal::Conflict(_))), "{refusal:?}");
    let release = Action::Release {
        target: net("203.0.113.7"),
        reason: String::new(),
    };
    fixture.act(release, 1_002).unwrap();
    let refusal = fixture.act(confirmed(30), 1_003);
    assert!(matches!(refusal, Err(Refusal::Invalid(_))), "{refusal:?}");
    fixture.act(confirmed(600), 1_004).unwrap();
    // Nobody is left to undo it if the sensor dies, but the kernel.
    let held = fixture.blocklist.active.iter().next().unwrap();
    let element = held.element(1_004 * SECOND);
    assert_eq!(element.left, Some(Duration::from_secs(60)));
}

#[test]
fn who_becomes_exempt_is_released_and_neighbours_are_not() {
    let mut fixture = fixture("");
    fixture.act(block("203.0.113.7", 600), 1_000).unwrap();
    fixture.act(block("203.0.113.8", 600), 1_000).unwrap();
    let local_network = LocalNetwork {
        protected: vec![("203.0.113.7".parse().unwrap(), Role::Own)],
        ..LocalNetwork::default()
    };
    fixture.blocklist.surround(local_network, at(1_001));
    assert_eq!(fixture.targets(), ["203.0.113.8"]);
}

#[test]
fn a_network_without_some_of_its_parts_is_the_rest_of_it() {
    let whole = net("203.0.113.0/24");
    assert_eq!(contract::address::without(whole, &[]), [whole]);
    assert!(contract::address::without(whole, &[net("203.0.0.0/16")]).is_empty());
    let rest = contract::address::without(whole, &[net("203.0.113.0/26"), net("203.0.113.200")]);
    let covers = |last: u8| {
        rest.iter()
            .any(|net| net.contains(&IpAddr::from([203, 0, 113, last])))
    };
    for last in 0..=255 {
        assert_eq!(covers(last), last >= 64 && last != 200, "{last}");
    }
}
