//! A sensor that speaks the contract: it numbers what it publishes, keeps it to send it again, checks signatures, and does
//! what it is told. It sees no traffic.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use contract::action::{Action, Lifetime};
use contract::command::{Command, Order};
use contract::envelope::{Envelope, Place};
use contract::signature;
use contract::topics::{Topic, Topics};
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{LastWill, Packet, Publish, PublishProperties};
use rumqttc::v5::{Client, Connection, Event, MqttOptions};
use serde_json::{Value, json};

use super::document;
use super::{coordinator::public_key, let_pass, wait};

/// A sensor.
pub(crate) struct Sensor {
    pub(crate) topics: Topics,
    shared: Arc<Mutex<State>>,
    client: Client,
    port: u16,
}

/// What it knows.
#[derive(Default)]
pub(crate) struct State {
    pub(crate) epoch: String,
    pub(crate) sent: BTreeMap<u64, (Topic, String, String)>,
    pub(crate) acknowledged: usize,
    pub(crate) blocks: BTreeSet<String>,
    pub(crate) commands: Vec<(Instant, Command)>,
    pub(crate) forged: usize,
    /// Whether it does not answer.
    pub(crate) is_mute: bool,
    /// How far its clock is ahead.
    pub(crate) ahead: Duration,
    is_gone: bool,
}

impl Sensor {
    /// One that is connected and has told its status.
    pub(crate) fn start(port: u16, site: &str, sensor: &str) -> Self {
        let topics = Topics::new(site, sensor);
        let state = State {
            epoch: format!("epoch-{site}-{sensor}"),
            ..State::default()
        };
        let shared = Arc::new(Mutex::new(state));
        let client = connect(port, &topics, &shared);
        let sensor = Self {
            topics,
            shared,
            client,
            port,
        };
        sensor.tell_status("online");
        sensor
    }

    /// What it knows.
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Publishes a document under the next number.
    pub(crate) fn publish(&self, topic: Topic, body: &Value) -> u64 {
        let seq = self.note(topic, body);
        self.send(seq);
        seq
    }

    /// Gives a document the next number, and loses it on the way.
    pub(crate) fn note(&self, topic: Topic, body: &Value) -> u64 {
        let mut state = self.state();
        let seq = state.sent.len() as u64 + 1;
        let id = body["event"]["id"]
            .as_str()
            .map_or_else(|| format!("{seq}"), |id| format!("{id}-{seq}"));
        state.sent.insert(seq, (topic, id, body.to_string()));
        seq
    }

    /// Sends what has this number, for the first time or again.
    pub(crate) fn send(&self, seq: u64) {
        let state = self.state();
        send((&self.client, &self.topics), &state, seq);
    }

    /// An incident of its own.
    pub(crate) fn incident(&self, offender: &str, class: &str) -> String {
        let next = self.state().sent.len() + 1;
        let id = format!("{}-{}-{next}", self.topics.site(), self.topics.sensor());
        let body = document::incident((offender, class), self.topics.sensor(), &id);
        self.publish(Topic::Incident, &body);
        id
    }

    /// Publishes anything anywhere.
    pub(crate) fn raw(&self, topic: &str, body: &[u8]) {
        let sent = self
            .client
            .publish(topic, QoS::AtLeastOnce, false, body.to_vec());
        sent.expect("the client runs");
    }

    /// Tells the retained status, with its block list's digest.
    pub(crate) fn tell_status(&self, state: &str) {
        let body = status((&self.topics, &self.state()), state);
        let sent = self
            .client
            .publish(self.topics.status(), QoS::AtLeastOnce, true, body);
        sent.expect("the client runs");
    }

    /// Waits for a command that somebody looks for; how long it took.
    pub(crate) fn command<T>(&self, what: &str, find: impl Fn(&Command) -> Option<T>) -> T {
        wait(what, || {
            self.state()
                .commands
                .iter()
                .find_map(|(_, command)| find(command))
        })
    }

    /// Waits until the broker has acknowledged so many messages.
    pub(crate) fn wait_acknowledged(&self, count: usize) {
        wait("the broker acknowledges", || {
            (self.state().acknowledged >= count).then_some(())
        });
    }

    /// Loses its connection, and connects again.
    pub(crate) fn reconnect(&self) {
        let _ = self.client.try_disconnect();
    }

    /// Goes away: says that it stops, and hears nothing more.
    pub(crate) fn leave(&self) {
        self.tell_status("stopped");
        let_pass(Duration::from_millis(100));
        self.state().is_gone = true;
        let _ = self.client.disconnect();
    }

    /// Comes back.
    pub(crate) fn come_back(&mut self) {
        self.state().is_gone = false;
        self.client = connect(self.port, &self.topics, &self.shared);
        self.tell_status("online");
    }
}

fn connect(port: u16, topics: &Topics, shared: &Arc<Mutex<State>>) -> Client {
    let name = format!("sensor-{}-{}", topics.site(), topics.sensor());
    let mut options = MqttOptions::new(name, "127.0.0.1", port);
    options.set_keep_alive(Duration::from_secs(5));
    options.set_outgoing_inflight_upper_limit(500);
    let state = shared.lock().unwrap_or_else(PoisonError::into_inner);
    let will = status((topics, &state), "offline");
    options.set_last_will(LastWill::new(
        topics.status(),
        will,
        QoS::AtLeastOnce,
        true,
        None,
    ));
    drop(state);
    let (client, connection) = Client::new(options, 10_000);
    let own = client.clone();
    let (topics, shared) = (topics.clone(), Arc::clone(shared));
    std::thread::spawn(move || live(connection, (&own, &topics), &shared));
    client
}

fn live(mut connection: Connection, about: (&Client, &Topics), shared: &Mutex<State>) {
    let (client, topics) = about;
    for event in connection.iter() {
        let mut state = shared.lock().unwrap_or_else(PoisonError::into_inner);
        if state.is_gone {
            return;
        }
        match event {
            Ok(Event::Incoming(Packet::ConnAck(_))) => {
                for topic in topics.commands() {
                    let _ = client.try_subscribe(topic, QoS::AtLeastOnce);
                }
            }
            Ok(Event::Incoming(Packet::PubAck(_))) => state.acknowledged += 1,
            Ok(Event::Incoming(Packet::Publish(publish))) => obey(about, &mut state, &publish),
            Ok(_) => {}
            Err(_) => {
                drop(state);
                let_pass(Duration::from_millis(100));
            }
        }
    }
}

fn obey((client, topics): (&Client, &Topics), state: &mut State, publish: &Publish) {
    let properties = publish.properties.clone().unwrap_or_default();
    let property = |name: &str| {
        let mut found = properties
            .user_properties
            .iter()
            .filter(|(key, _)| key == name);
        found
            .next()
            .map(|(_, value)| value.clone())
            .unwrap_or_default()
    };
    let genuine = property(signature::KID) == "ops-1"
        && signature::verify(&public_key(), &publish.payload, &property(signature::SIG));
    let Ok(command) = serde_json::from_slice::<Command>(&publish.payload) else {
        state.forged += 1;
        return;
    };
    let timely = command.issued_at <= document::now().after(Duration::from_secs(30))
        && command.expires_at > document::now();
    let known = state
        .commands
        .iter()
        .any(|(_, known)| known.id == command.id);
    state.forged +=
        usize::from(!genuine || !timely || known || !contract::command::is_id(&command.id));
    state.commands.push((Instant::now(), command.clone()));
    if state.is_mute {
        return;
    }
    let last = state.sent.len() as u64;
    let mut reply = json!({
        "id": command.id, "site": topics.site(), "sensor": topics.sensor(), "at": document::now(), "outcome": "done",
        "message": "done",
    });
    match &command.command {
        Order::Resync(resync) => {
            reply["resync"] = json!({"epoch": state.epoch, "first": resync.from_seq, "last": last, "dropped": []});
            for seq in resync.from_seq..=last {
                send((client, topics), state, seq);
            }
        }
        Order::Act(Action::Block { target, ttl, .. }) => {
            let seconds = if let Lifetime::For(span) = ttl {
                span.as_secs()
            } else {
                3_600
            };
            let target = target.to_string();
            state.blocks.insert(target.clone());
            let body = document::block(("added", &target), "key ops-1", seconds);
            let seq = last + 1;
            state.sent.insert(
                seq,
                (Topic::Block, format!("block-{seq}"), body.to_string()),
            );
            send((client, topics), state, seq);
        }
        Order::Act(Action::Release { target, .. }) => {
            let target = target.to_string();
            state.blocks.remove(&target);
            let body = document::block(("released", &target), "key ops-1", 600);
            let seq = last + 1;
            state.sent.insert(
                seq,
                (Topic::Block, format!("block-{seq}"), body.to_string()),
            );
            send((client, topics), state, seq);
        }
        Order::Act(_) => {}
    }
    let _ = client.try_publish(
        topics.reply(&command.id),
        QoS::AtLeastOnce,
        false,
        reply.to_string(),
    );
}

fn send((client, topics): (&Client, &Topics), state: &State, seq: u64) {
    let Some((topic, id, body)) = state.sent.get(&seq) else {
        return;
    };
    let envelope = Envelope {
        id: id.clone(),
        kind: format!("garita.{}", topic.as_str()),
        time: document::now().after(state.ahead),
        source: topics.root(),
        place: Some(Place {
            epoch: state.epoch.clone(),
            seq,
        }),
    };
    let properties = PublishProperties {
        user_properties: envelope.attributes(),
        ..PublishProperties::default()
    };
    let topic = topics.of(*topic);
    let sent = client.try_publish_with_properties(
        topic,
        QoS::AtLeastOnce,
        false,
        body.clone(),
        properties,
    );
    // What does not leave is a gap, and is asked for.
    let _ = sent;
}

fn status((topics, state): (&Topics, &State), word: &str) -> String {
    let hash = state
        .blocks
        .iter()
        .map(|target| format!("{target}\n"))
        .collect::<String>();
    let hash = coordinator::access::digest(&hash);
    let mut body = json!({
        "state": word, "at": document::now(), "site": topics.site(), "sensor": topics.sensor(), "version": "0.1.0",
        "boot_id": "b", "started": document::now(), "model": {"name": "m", "sha256": "0"}, "epoch": state.epoch,
        "seq": state.sent.len(),
    });
    if word == "online" {
        body["blocks"] = json!({"count": state.blocks.len(), "sha256": hash});
    }
    body.to_string()
}
