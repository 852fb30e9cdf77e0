//! The reference coordinator: it subscribes, checks every message against its schema, knows which numbers are missing,
//! asks for them again, and signs commands. The peer of a sensor as design 5.4 has it; it knows nothing else of one.

use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use contract::timestamp::Timestamp;
use ed25519_dalek::{Signer, SigningKey};
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{ConnectProperties, Packet, Publish, PublishProperties};
use rumqttc::v5::{Client, Connection, Event, MqttOptions};
use sensor::clock;
use serde_json::{Value, json};

use super::{SENSOR, SITE};

/// Between two tries to reach a broker that is away.
const RETRY: Duration = Duration::from_millis(200);
/// How long an answer to a resync may take before it is asked for again: the sensor may be away.
const RESYNC: Duration = Duration::from_secs(4);

/// An answer to a command, and the correlation data it came with.
type Reply = (Value, Option<Vec<u8>>);

/// What was heard.
#[derive(Default)]
pub(crate) struct Heard {
    /// By epoch and number: the CloudEvents id, and a hash of topic and body.
    pub(crate) numbered: BTreeMap<String, BTreeMap<u64, (String, u64)>>,
    /// How many came more than once.
    pub(crate) duplicates: u64,
    /// Whatever should never be: two messages with one number, bodies that match no schema, attributes that lack.
    pub(crate) wrong: Vec<String>,
    /// The last number that a status told of, by epoch.
    pub(crate) heads: BTreeMap<String, u64>,
    /// By topic's last level: all bodies.
    pub(crate) bodies: HashMap<String, Vec<Value>>,
    /// By command: the answer, and the correlation data.
    pub(crate) replies: HashMap<String, Vec<Reply>>,
    /// From the CloudEvents time to here, microseconds, of first deliveries.
    pub(crate) latencies: Vec<i64>,
}

impl Heard {
    /// Numbers that are missing of an epoch, up to the last that is known of.
    pub(crate) fn missing(&self, epoch: &str) -> Vec<u64> {
        let Some(numbers) = self.numbered.get(epoch) else {
            return Vec::new();
        };
        let last = numbers.keys().next_back().copied().unwrap_or(0);
        let last = last.max(self.heads.get(epoch).copied().unwrap_or(0));
        (1..=last)
            .filter(|seq| !numbers.contains_key(seq))
            .collect()
    }

    /// The bodies of a topic.
    pub(crate) fn of(&self, topic: &str) -> &[Value] {
        self.bodies.get(topic).map_or(&[], Vec::as_slice)
    }

    /// How many different numbered messages there were.
    pub(crate) fn count(&self) -> usize {
        self.numbered.values().map(BTreeMap::len).sum()
    }
}

type Shared = Arc<(Mutex<Heard>, Condvar)>;

/// A coordinator.
pub(crate) struct Coordinator {
    shared: Shared,
    client: Client,
    key: SigningKey,
    /// Dropped to end its thread.
    _alive: mpsc::Sender<()>,
}

impl Coordinator {
    /// Subscribes to everything at the broker on `port`.
    pub(crate) fn start(port: u16) -> Self {
        let name = format!("coordinator-{}-{port}", std::process::id());
        let mut options = MqttOptions::new(name, "127.0.0.1", port);
        options.set_keep_alive(Duration::from_secs(5));
        options.set_connect_properties(ConnectProperties {
            max_packet_size: Some(1 << 20),
            ..ConnectProperties::new()
        });
        let (client, connection) = Client::new(options, 1_024);
        let shared = Shared::default();
        let (alive, ended) = mpsc::channel();
        let (heard, subscriber) = (Arc::clone(&shared), client.clone());
        std::thread::spawn(move || listen(connection, (&subscriber, &heard), &ended));
        Self {
            shared,
            client,
            key: SigningKey::from_bytes(&[7; 32]),
            _alive: alive,
        }
    }

    /// The line of `report.command_keys` that makes the sensor believe us.
    pub(crate) fn trust() -> String {
        let key = SigningKey::from_bytes(&[7; 32]);
        let public = STANDARD.encode(key.verifying_key().as_bytes());
        format!("command_keys = [\"ops-1:{public}\"]")
    }

    /// What was heard by now.
    pub(crate) fn heard(&self) -> MutexGuard<'_, Heard> {
        self.shared.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until something was heard; panics with `what` if it was not in time.
    pub(crate) fn wait<T>(
        &self,
        (what, patience): (&str, Duration),
        mut find: impl FnMut(&Heard) -> Option<T>,
    ) -> T {
        self.wait_for(patience, &mut find)
            .unwrap_or_else(|| panic!("{what}: not within {patience:?}"))
    }

    fn wait_for<T>(
        &self,
        patience: Duration,
        find: &mut impl FnMut(&Heard) -> Option<T>,
    ) -> Option<T> {
        let deadline = Instant::now() + patience;
        let mut heard = self.heard();
        loop {
            if let Some(found) = find(&heard) {
                return Some(found);
            }
            let left = deadline.checked_duration_since(Instant::now())?;
            let waited = self.shared.1.wait_timeout(heard, left);
            heard = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// A command for the sensor, valid for a minute.
    pub(crate) fn command(id: &str, command: Value) -> Value {
        let now = clock::wall();
        json!({
            "id": id, "site": SITE, "sensor": SENSOR, "command": command,
            "issued_at": now.to_string(), "expires_at": now.after(Duration::from_secs(60)).to_string(),
        })
    }

    /// Signs a payload and sends it to the sensor's own topic.
    pub(crate) fn send(&self, payload: &[u8]) {
        self.post(payload, self.signed(payload));
    }

    /// The properties of a signed command, with correlation data.
    pub(crate) fn signed(&self, payload: &[u8]) -> PublishProperties {
        let signature = self.key.sign(payload).to_bytes();
        PublishProperties {
            correlation_data: Some(payload.get(..16).unwrap_or(payload).to_vec().into()),
            user_properties: vec![
                ("sig".to_owned(), STANDARD.encode(signature)),
                ("kid".to_owned(), "ops-1".to_owned()),
            ],
            ..PublishProperties::default()
        }
    }

    /// Sends any bytes with any properties.
    pub(crate) fn post(&self, payload: &[u8], properties: PublishProperties) {
        let topic = format!("garita/v1/{SITE}/{SENSOR}/command");
        let sent = self.client.publish_with_properties(
            topic,
            QoS::AtLeastOnce,
            false,
            payload.to_vec(),
            properties,
        );
        sent.expect("the client runs");
    }

    /// Has something done, and gives back the answer.
    pub(crate) fn ask(&self, id: &str, command: Value) -> Value {
        self.send(Self::command(id, command).to_string().as_bytes());
        self.answer(id)
    }

    /// Asks again until there is an answer: of many commands at once some are not looked at.
    pub(crate) fn insist(&self, id: &str, command: &Value) {
        let answered = (0..20).any(|attempt| {
            let id = format!("{id}-{attempt}");
            self.send(Self::command(&id, command.clone()).to_string().as_bytes());
            let mut reply = |heard: &Heard| heard.replies.contains_key(&id).then_some(());
            self.wait_for(RESYNC, &mut reply).is_some()
        });
        assert!(answered, "nobody answers to {id}");
    }

    /// The first answer to a command.
    pub(crate) fn answer(&self, id: &str) -> Value {
        let what = format!("an answer to {id}");
        self.wait((&what, Duration::from_secs(60)), |heard| {
            heard.replies.get(id).map(|replies| replies[0].0.clone())
        })
    }

    /// Asks for what is missing until nothing is, up to number `last`; says how often it asked.
    pub(crate) fn settle(&self, (epoch, last): (&str, u64), patience: Duration) -> u32 {
        let deadline = Instant::now() + patience;
        let mut asked = 0;
        loop {
            self.heard().heads.insert(epoch.to_owned(), last);
            let Some(first) = self.heard().missing(epoch).first().copied() else {
                return asked;
            };
            assert!(
                Instant::now() < deadline,
                "still missing after {patience:?}: {}",
                self.heard().missing(epoch).len()
            );
            asked += 1;
            let id = format!("resync-{asked}-{}", clock::wall().micros());
            let order = json!({"action": "resync", "from_seq": first});
            self.send(Self::command(&id, order).to_string().as_bytes());
            // As long as something comes it is not asked for again.
            let mut before = usize::MAX;
            loop {
                let missing = self.heard().missing(epoch).len();
                if missing == 0 || missing == before {
                    break;
                }
                before = missing;
                self.wait_for(RESYNC, &mut |heard| {
                    heard.missing(epoch).is_empty().then_some(())
                });
            }
        }
    }
}

fn listen(
    mut connection: Connection,
    (client, shared): (&Client, &Shared),
    ended: &mpsc::Receiver<()>,
) {
    let schemas = super::schemas::validators();
    for event in connection.iter() {
        match event {
            Ok(Event::Incoming(Packet::ConnAck(_))) => {
                let _ = client.try_subscribe("garita/#", QoS::AtLeastOnce);
            }
            Ok(Event::Incoming(Packet::Publish(publish))) => {
                let mut heard = shared.0.lock().unwrap_or_else(PoisonError::into_inner);
                take(&mut heard, &publish, &schemas);
                shared.1.notify_all();
            }
            Ok(_) => {}
            Err(_) => {
                if ended.recv_timeout(RETRY) == Err(mpsc::RecvTimeoutError::Disconnected) {
                    return;
                }
            }
        }
    }
}

fn take(heard: &mut Heard, publish: &Publish, schemas: &HashMap<String, jsonschema::Validator>) {
    let topic = String::from_utf8_lossy(&publish.topic).into_owned();
    let mut levels = topic
        .strip_prefix(&format!("garita/v1/{SITE}/{SENSOR}/"))
        .unwrap_or("")
        .split('/');
    let (kind, id) = (levels.next().unwrap_or("").to_owned(), levels.next());
    if kind == "command" || kind.is_empty() {
        return;
    }
    let Ok(body) = serde_json::from_slice::<Value>(&publish.payload) else {
        heard.wrong.push(format!("{topic}: no JSON"));
        return;
    };
    match schemas.get(&kind).map(|schema| schema.validate(&body)) {
        Some(Ok(())) => {}
        Some(Err(error)) => heard.wrong.push(format!("{topic}: {error}: {body}")),
        None => heard.wrong.push(format!("{topic}: no schema")),
    }
    let properties = publish.properties.clone().unwrap_or_default();
    let attribute = |name: &str| {
        let mut found = properties.user_properties.iter();
        found
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.clone())
    };
    for name in ["specversion", "id", "source", "type", "time"] {
        if attribute(name).is_none() {
            heard.wrong.push(format!("{topic}: no {name}"));
        }
    }
    let is_numbered = !matches!(kind.as_str(), "status" | "reply");
    if let (Some(seq), Some(epoch)) = (attribute("seq"), attribute("epoch")) {
        let seq: u64 = seq.parse().unwrap_or(0);
        let mut hasher = DefaultHasher::new();
        (&topic, &publish.payload).hash(&mut hasher);
        let this = (attribute("id").unwrap_or_default(), hasher.finish());
        let known = heard
            .numbered
            .entry(epoch)
            .or_default()
            .insert(seq, this.clone());
        match known {
            Some(known) if known == this => heard.duplicates += 1,
            Some(known) => heard
                .wrong
                .push(format!("{seq} was {known:?} and is {this:?}")),
            None => {
                let time: Option<Timestamp> = attribute("time").and_then(|time| time.parse().ok());
                heard
                    .latencies
                    .extend(time.map(|time| clock::wall().micros() - time.micros()));
            }
        }
    } else if is_numbered {
        heard.wrong.push(format!("{topic}: no seq or epoch"));
    }
    if let (Some(epoch), Some(seq)) = (body["epoch"].as_str(), body["seq"].as_u64()) {
        heard.heads.insert(epoch.to_owned(), seq);
    }
    if let (true, Some(id)) = (kind == "reply", id) {
        let correlation = properties.correlation_data.map(|data| data.to_vec());
        heard
            .replies
            .entry(id.to_owned())
            .or_default()
            .push((body.clone(), correlation));
    }
    if kind != "incident" {
        heard.bodies.entry(kind).or_default().push(body);
    }
}
