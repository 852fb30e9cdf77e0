//! Every command from the coordinator into the kernel's sets, every refusal, and that nonsense changes nothing.
//! It all happens in a network namespace of the test's own.

use std::process::Command;
use std::time::Duration;

use contract::class::Class;
use contract::record::{AuditEntry, Review, ReviewState};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use rumqttc::v5::mqttbytes::v5::PublishProperties;
use sensor::clock;
use sensor::store::{Entry, Store};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::broker::Broker;
use super::coordinator::Coordinator;
use super::publisher::{Publisher, configuration, configure};
use crate::netns::Namespace;

const PATIENCE: Duration = Duration::from_secs(60);

struct Scene {
    _namespace: Namespace,
    _broker: Broker,
    coordinator: Coordinator,
    folder: TempDir,
    sensor: Option<Publisher>,
}

impl Scene {
    fn set(test: &str) -> Option<Self> {
        let namespace = Namespace::new(test, "commands")?;
        namespace.enter();
        let broker = Broker::open();
        let coordinator = Coordinator::start(broker.port);
        let folder = TempDir::new().unwrap();
        let report = format!("url = \"{}\"\n{}", broker.url(), Coordinator::trust());
        let rest = "[firewall]\nmode = \"enforce\"\n[policy]\nhome = [\"198.51.100.0/24\"]\nexempt = [\"192.0.2.53\"]";
        configure(folder.path(), (&report, rest));
        let (store, _) = Store::open(&configuration(folder.path()), clock::wall);
        for (id, address) in [("aaaa", "203.0.113.21"), ("bbbb", "203.0.113.22")] {
            store.record(Entry::Review(review(id, address)));
        }
        store.close();
        let sensor = Some(Publisher::start(folder.path()));
        coordinator.wait(("a status", PATIENCE), |heard| {
            heard.of("status").first().cloned()
        });
        Some(Self {
            _namespace: namespace,
            _broker: broker,
            coordinator,
            folder,
            sensor,
        })
    }

    fn audit(mut self) -> Vec<AuditEntry> {
        self.sensor.take().expect("it runs").stop();
        let (store, _) = Store::open(&configuration(self.folder.path()), clock::wall);
        let entries = store.reader().unwrap().audit(1, 10_000).unwrap();
        store.close();
        entries
    }

    fn do_it(&self, id: &str, command: Value) -> String {
        let reply = self.coordinator.ask(id, command);
        assert_eq!(reply["outcome"], "done", "{reply}");
        reply["message"].as_str().unwrap().to_owned()
    }

    fn refuse(&self, id: &str, command: Value) -> String {
        let reply = self.coordinator.ask(id, command);
        assert_eq!(reply["outcome"], "refused", "{reply}");
        reply["reason"].as_str().unwrap().to_owned()
    }
}

fn review(id: &str, address: &str) -> Review {
    let now = clock::wall();
    Review {
        id: id.to_owned(),
        address: address.parse().unwrap(),
        class: Class::Scan,
        cause: "it is inside the home networks".to_owned(),
        message: "it scanned".to_owned(),
        asked: now,
        lapses: now.after(Duration::from_secs(3_600)),
        state: ReviewState::Open,
        answered: None,
    }
}

fn set(name: &str) -> String {
    let listed = Command::new("nft")
        .args(["list", "set", "inet", "garita", name])
        .output();
    String::from_utf8(listed.expect("nft is installed").stdout).unwrap()
}

#[test]
fn each_verb_reaches_the_kernel_is_answered_and_audited() {
    let test = "report::commands::each_verb_reaches_the_kernel_is_answered_and_audited";
    let Some(scene) = Scene::set(test) else {
        return;
    };
    scene.do_it(
        "c1",
        json!({"action": "block", "target": "203.0.113.9", "ttl": 600, "reason": "test"}),
    );
    assert!(
        set("blocked4").contains("203.0.113.9"),
        "{}",
        set("blocked4")
    );
    scene.do_it("c2", json!({"action": "release", "target": "203.0.113.9"}));
    assert!(!set("blocked4").contains("203.0.113.9"));
    scene.do_it("c3", json!({"action": "block", "target": "203.0.113.10"}));
    scene.do_it("c4", json!({"action": "allow", "net": "203.0.113.8/29"}));
    assert!(
        set("allowed4_net").contains("203.0.113.8/29"),
        "{}",
        set("allowed4_net")
    );
    assert!(!set("blocked4").contains("203.0.113.10"));
    assert_eq!(
        scene.refuse("c5", json!({"action": "block", "target": "203.0.113.10"})),
        "exempt"
    );
    scene.do_it("c6", json!({"action": "approve", "review": "aaaa"}));
    assert!(set("blocked4").contains("203.0.113.21"));
    scene.do_it(
        "c7",
        json!({"action": "dismiss", "review": "bbbb", "reason": "ours"}),
    );
    assert!(set("allowed4_net").contains("203.0.113.22"));
    scene.do_it("c8", json!({"action": "enforce", "on": false}));
    assert_eq!(set("blocked4"), "", "nothing is enforced");
    scene.do_it("c9", json!({"action": "enforce", "on": true}));
    assert!(set("blocked4").contains("203.0.113.21"));
    let reply = scene
        .coordinator
        .ask("c10", json!({"action": "resync", "from_seq": 1}));
    assert_eq!(reply["resync"]["first"], 1, "{reply}");
    scene
        .coordinator
        .wait(("messages once more", PATIENCE), |heard| {
            (heard.duplicates > 0).then_some(())
        });
    let status = scene.coordinator.wait(("the digest", PATIENCE), |heard| {
        heard
            .of("status")
            .iter()
            .find(|status| status["blocks"]["count"] == 1)
            .cloned()
    });
    let hash = "printf '203.0.113.21/32\\n' | sha256sum";
    let hash = Command::new("sh")
        .args(["-c", hash])
        .output()
        .unwrap()
        .stdout;
    let hash = String::from_utf8(hash).unwrap();
    assert_eq!(status["blocks"]["sha256"], hash[..64]);

    let heard = scene.coordinator.heard();
    let changes: Vec<&Value> = heard
        .of("block")
        .iter()
        .map(|body| &body["event"])
        .collect();
    assert!(
        changes.contains(&&json!("added")) && changes.contains(&&json!("released")),
        "{changes:?}"
    );
    let (_, correlation) = &heard.replies["c1"][0];
    assert_eq!(correlation.as_ref().map(Vec::len), Some(16));
    assert_eq!(heard.wrong, Vec::<String>::new());
    drop(heard);
    let audit = scene.audit();
    for action in [
        "blocks add",
        "blocks remove",
        "allow add",
        "review approve",
        "review dismiss",
        "enforce off",
        "resync",
    ] {
        let entry = audit.iter().find(|entry| entry.action == action);
        assert_eq!(
            entry.map(|entry| entry.by.as_str()),
            Some("key ops-1"),
            "{action}"
        );
    }
}

#[test]
fn what_must_not_be_done_is_refused_answered_audited_and_changes_nothing() {
    let test =
        "report::commands::what_must_not_be_done_is_refused_answered_audited_and_changes_nothing";
    let Some(mut scene) = Scene::set(test) else {
        return;
    };
    let block = |target: &str| json!({"action": "block", "target": target});
    let coordinator = &scene.coordinator;
    let send = |id: &str, change: &dyn Fn(&mut Value)| {
        let mut command = Coordinator::command(id, block("203.0.113.66"));
        change(&mut command);
        coordinator.send(command.to_string().as_bytes());
        coordinator.answer(id)["reason"]
            .as_str()
            .unwrap_or("none")
            .to_owned()
    };
    let now = clock::wall();
    let later = |seconds| json!(now.after(Duration::from_secs(seconds)).to_string());
    assert_eq!(
        send("r1", &|command| command["sensor"] = json!("edge-2")),
        "not-for-us"
    );
    assert_eq!(
        send("r2", &|command| command["site"] = json!("dmz")),
        "not-for-us"
    );
    assert_eq!(
        send("r3", &|command| command["expires_at"] =
            command["issued_at"].clone()),
        "expired"
    );
    assert_eq!(
        send("r4", &|command| command["issued_at"] = later(300)),
        "future"
    );
    assert_eq!(
        send("r5", &|command| command["expires_at"] = later(7_200)),
        "too-long"
    );
    assert_eq!(
        send("r6", &|command| command["command"]["force"] = json!(true)),
        "forced"
    );
    assert_eq!(
        send("r7", &|command| command["command"] =
            json!({"action": "erase"})),
        "malformed"
    );
    for (id, target) in [
        ("r8", "10.0.0.7"),
        ("r9", "fd00::7"),
        ("r10", "198.51.100.7"),
    ] {
        let to_all = |command: &mut Value| {
            command["sensor"] = json!("all");
            command["command"]["target"] = json!(target);
        };
        assert_eq!(send(id, &to_all), "private-to-all");
    }
    assert_eq!(scene.refuse("r11", block("192.0.2.53")), "exempt");
    assert_eq!(scene.refuse("r12", block("127.0.0.1")), "exempt");
    assert_eq!(
        scene.refuse(
            "r13",
            json!({"action": "release", "target": "203.0.113.77"})
        ),
        "not-found"
    );
    assert_eq!(
        scene.refuse("r14", json!({"action": "approve", "review": "cccc"})),
        "not-found"
    );

    // A response topic elsewhere is not served there, and not obeyed.
    let payload = Coordinator::command("r15", block("203.0.113.66")).to_string();
    let properties = PublishProperties {
        response_topic: Some("garita/v1/lab/edge-1/incident".to_owned()),
        ..coordinator.signed(payload.as_bytes())
    };
    coordinator.post(payload.as_bytes(), properties);
    assert_eq!(coordinator.answer("r15")["reason"], "response-elsewhere");

    // Unsigned ones are answered one a second.
    for (id, properties, reason) in [
        ("r16", PublishProperties::default(), "unsigned"),
        ("r17", unknown_key(coordinator), "unknown-key"),
        (
            "r18",
            coordinator.signed(b"something else"),
            "bad-signature",
        ),
    ] {
        let payload = Coordinator::command(id, block("203.0.113.66")).to_string();
        let deadline = std::time::Instant::now() + PATIENCE;
        while !coordinator.heard().replies.contains_key(id) && std::time::Instant::now() < deadline
        {
            coordinator.post(payload.as_bytes(), properties.clone());
            super::let_pass(Duration::from_millis(300));
        }
        assert_eq!(coordinator.answer(id)["reason"], reason);
    }

    // Nothing is done twice, not even by a sensor that was killed in between.
    let payload = Coordinator::command("r19", block("203.0.113.88")).to_string();
    coordinator.send(payload.as_bytes());
    assert_eq!(coordinator.answer("r19")["outcome"], "done");
    scene.do_it(
        "r20",
        json!({"action": "release", "target": "203.0.113.88"}),
    );
    super::let_pass(Duration::from_millis(500));
    scene.sensor.take().unwrap().kill();
    scene.sensor = Some(Publisher::start(scene.folder.path()));
    let coordinator = &scene.coordinator;
    coordinator.send(payload.as_bytes());
    let repeated = coordinator.wait(("a second answer", PATIENCE), |heard| {
        heard.replies["r19"].get(1).cloned()
    });
    assert_eq!(repeated.0["reason"], "repeated");

    let listed = set("blocked4") + &set("blocked6");
    for target in [
        "203.0.113.66",
        "203.0.113.88",
        "10.0.0.7",
        "fd00::7",
        "198.51.100.7",
        "192.0.2.53",
    ] {
        assert!(!listed.contains(target), "{target} is blocked: {listed}");
    }
    let audit = scene.audit();
    for id in [
        "r1", "r3", "r4", "r5", "r6", "r8", "r15", "r16", "r17", "r18", "r19",
    ] {
        let found = audit
            .iter()
            .any(|entry| entry.object == id && entry.outcome.starts_with("refused: "));
        assert!(found, "{id} is not audited");
    }
}

#[test]
fn nonsense_changes_nothing_and_the_sensor_goes_on() {
    let test = "report::commands::nonsense_changes_nothing_and_the_sensor_goes_on";
    let Some(scene) = Scene::set(test) else {
        return;
    };
    let coordinator = &scene.coordinator;
    let mut runner = TestRunner::deterministic();
    let bytes = prop::collection::vec(any::<u8>(), 0..2_000);
    for count in 0..300_usize {
        let mut payload = bytes.new_tree(&mut runner).unwrap().current();
        if count % 3 == 0 {
            // A command with a few bytes changed comes closest to being one.
            let mut command = Coordinator::command(
                &format!("f{count}"),
                json!({"action": "block", "target": "203.0.113.66"}),
            );
            command["expires_at"] = command["issued_at"].clone();
            let mut text = command.to_string().into_bytes();
            for change in payload.chunks(2).take(4) {
                let place = usize::from(change[0]) % text.len();
                text[place] = change.last().copied().unwrap_or(0);
            }
            payload = text;
        }
        let properties = match count % 2 {
            0 => coordinator.signed(&payload),
            _ => PublishProperties::default(),
        };
        coordinator.post(&payload, properties);
    }
    coordinator.insist("after", &json!({"action": "resync", "from_seq": 1}));
    assert!(
        !set("blocked4").contains("203.0.113"),
        "{}",
        set("blocked4")
    );
    let audit = scene.audit();
    assert!(
        audit
            .iter()
            .all(|entry| entry.outcome.starts_with("refused") || entry.action == "resync"),
        "{audit:#?}"
    );
}

fn unknown_key(coordinator: &Coordinator) -> PublishProperties {
    let mut properties = coordinator.signed(b"");
    properties.user_properties[1].1 = "nobody".to_owned();
    properties
}
