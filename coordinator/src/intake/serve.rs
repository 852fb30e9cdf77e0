//! The leader's loop: messages are taken in batches, stored with everything that follows from them, acknowledged, and
//! commands go out. Whoever does not lead waits. After any error the leader begins anew from the store.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use rumqttc::v5::AsyncClient;
use rumqttc::v5::mqttbytes::v5::Publish;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::ledger::other_name;
use super::post::{Counts, Known, Post};
use super::reading::{Letter, Said, What, read};
use super::recall::sighting;
use super::session::{News, Session};
use super::writer::{Desk, Receipts, Step, Writer};
use crate::config::Config;
use crate::correlate::Sighting;
use crate::moment;
use crate::orders::Key;
use crate::store::{Leadership, Lost, Seen, Store};

/// How often it is looked what time brings.
const TICK: Duration = Duration::from_millis(200);
/// How often somebody who does not lead tries to.
const TRY: Duration = Duration::from_millis(500);
/// Ticks between two signs of life.
const BEAT: u32 = 5;
/// Incidents that are gone through when the lead is taken: enough for the window of a busy fleet, read in a second.
const RECALLED: u32 = 20_000;

/// What the intake works with.
#[derive(Debug)]
pub struct Setup {
    /// The configuration.
    pub config: Config,
    /// The database.
    pub store: Store,
    /// What signs; nothing is ordered without.
    pub key: Option<Key>,
    /// Where it says how it is doing.
    pub health: watch::Sender<Health>,
    /// Told when the program ends.
    pub stop: watch::Receiver<bool>,
}

/// How the intake is doing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Health {
    /// Whether this one leads.
    pub leads: bool,
    /// Whether it hears the broker.
    pub hears: bool,
    /// Why it does not.
    pub why: String,
    /// What was counted.
    pub counts: Counts,
    /// Orders that wait for an answer.
    pub open_orders: usize,
}

/// Takes messages in whenever this one leads, until the program ends.
pub async fn serve(setup: Setup) {
    let Setup {
        config,
        store,
        key,
        health,
        mut stop,
    } = setup;
    if config.mqtt.url.get().is_none() {
        return;
    }
    let key = key.map(Arc::new);
    while !*stop.borrow() {
        match store.lead().await {
            Ok(Some(leadership)) => {
                tracing::info!("this coordinator leads: it takes in what sensors report");
                let mut leader = Leader {
                    config: &config,
                    store: &store,
                    key: key.clone(),
                    health: &health,
                    leadership: Arc::new(leadership),
                    client: None,
                    connection: 0,
                    is_up: false,
                    known: -1,
                };
                let ended = leader.lead(&mut stop).await;
                let why = ended.err().map(|error| error.to_string());
                if let Some(why) = &why {
                    tracing::warn!("this coordinator no longer leads: {why}");
                }
                health.send_replace(Health {
                    why: why.unwrap_or_default(),
                    ..Health::default()
                });
            }
            Ok(None) => {}
            Err(error) => tracing::warn!("{error}"),
        }
        let _ = timeout(TRY, stop.wait_for(|stop| *stop)).await;
    }
}

struct Leader<'a> {
    config: &'a Config,
    store: &'a Store,
    key: Option<Arc<Key>>,
    health: &'a watch::Sender<Health>,
    leadership: Arc<Leadership>,
    client: Option<AsyncClient>,
    /// Counts connections.
    connection: u64,
    /// Whether the broker has taken our subscriptions.
    is_up: bool,
    /// How much of what was asked for is known.
    known: i64,
}

impl Leader<'_> {
    async fn lead(&mut self, stop: &mut watch::Receiver<bool>) -> Result<(), Lost> {
        let mut asked = self.store.watch_asked();
        let mut post = self.recall().await?;
        let mut session = Session::open(self.config.mqtt.clone());
        let mut writer = Writer::start(Desk {
            store: self.store.clone(),
            leadership: Arc::clone(&self.leadership),
            key: self.key.clone(),
            health: self.health.clone(),
            max_quarantine: self.config.intake.max_quarantine,
            receipts: Receipts::default(),
        });
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut beat = 0;
        loop {
            // Nothing is made before there is room for it, so a batch is what has come while another was stored.
            writer.has_room().await?;
            tokio::select! {
                biased;
                () = ended(stop) => {
                    writer.drain().await?;
                    if let Some(client) = self.client.take() {
                        let _ = client.try_disconnect();
                    }
                    return Ok(());
                }
                ended = writer.outcome() => return ended,
                _ = ticks.tick() => {
                    beat += 1;
                    if beat % BEAT == 0 {
                        self.leadership.check().await?;
                        if self.is_up {
                            self.store.beat(moment::now()).await?;
                        }
                    }
                    let now = moment::now();
                    post.begin(now, &[], Vec::new());
                    // Another process may have asked without a way to tell: the command line with SQLite.
                    if beat % BEAT == 0 && self.store.asked().await? != self.known {
                        writer.drain().await?;
                        self.refresh(&mut post).await?;
                    }
                    post.tick(now);
                    self.hand_on((&mut post, &mut writer), Vec::new()).await?;
                    self.tell();
                }
                Ok(()) = asked.changed() => {
                    let now = moment::now();
                    post.begin(now, &[], Vec::new());
                    writer.drain().await?;
                    self.refresh(&mut post).await?;
                    post.send_orders(now);
                    self.hand_on((&mut post, &mut writer), Vec::new()).await?;
                }
                Some(news) = session.news.recv() => {
                    self.hear((&mut post, &mut writer), (news, &mut session)).await?;
                }
            }
        }
    }

    /// What there was before this one led.
    async fn recall(&self) -> Result<Post, Lost> {
        let store = self.store;
        let now = moment::now();
        store.prepare_months(now).await?;
        let known = Known {
            sensors: store.sensors().await?,
            sequences: store.sequences().await?,
            held: store.held_blocks().await?,
            fleet: store.open_fleet_blocks().await?,
            orders: store.open_orders().await?,
            campaigns: store.open_campaigns().await?,
        };
        let kid = self.key.as_ref().map(|key| key.kid().to_owned());
        let mut post = Post::new(self.config.clone(), kid, known);
        let since = now - self.config.fleet.window.micros();
        let proofs = store.proofs(since, RECALLED).await?;
        post.recall_proofs(proofs.iter().filter_map(sighting));
        let since = now - self.config.correlate.window.micros();
        let lately = store.replay((since, now), None, RECALLED).await?;
        post.recall_proofs(lately.iter().filter_map(sighting).map(|sighting| Sighting {
            proven: false,
            ..sighting
        }));
        Ok(post)
    }

    /// Reads what people have changed; what is on its way to the store would be taken for withdrawn.
    async fn refresh(&mut self, post: &mut Post) -> Result<(), Lost> {
        // Read first: what is asked for meanwhile is read once more, and changes nothing.
        self.known = self.store.asked().await?;
        let blocks = self.store.open_fleet_blocks().await?;
        let orders = self.store.open_orders().await?;
        post.refresh(&blocks, orders);
        Ok(())
    }

    /// What has come by now makes up the batch; nobody waits for more. What was heard on a connection is taken before it is
    /// turned to the next, whose client would acknowledge something else.
    async fn hear(
        &mut self,
        (post, writer): (&mut Post, &mut Writer),
        (news, session): (News, &mut Session),
    ) -> Result<(), Lost> {
        let mut letters = Vec::new();
        let mut next = Some(news);
        let most = self.config.intake.batch as usize;
        let turn = loop {
            match next {
                Some(News::Heard(publish)) => letters.push(*publish),
                other => break other,
            }
            if letters.len() >= most {
                break None;
            }
            next = session.news.try_recv().ok();
        };
        self.take((post, writer), letters).await?;
        if let Some(news) = turn {
            self.turn(post, news);
        }
        Ok(())
    }

    fn turn(&mut self, post: &mut Post, news: News) {
        match news {
            News::In(client) => {
                self.client = Some(client);
                self.connection += 1;
            }
            News::Up => {
                tracing::info!("the broker is connected");
                self.is_up = true;
                post.connect(true);
            }
            News::Down(why) => {
                tracing::warn!("the broker is not connected: {why}");
                self.client = None;
                self.is_up = false;
                post.connect(false);
                self.health.send_modify(|health| health.why = why);
            }
            News::Heard(_) => {}
        }
        self.tell();
    }

    /// Makes a batch of messages and of what follows from them.
    async fn take(
        &self,
        (post, writer): (&mut Post, &mut Writer),
        letters: Vec<Publish>,
    ) -> Result<(), Lost> {
        if letters.is_empty() {
            return Ok(());
        }
        let mut said = Vec::with_capacity(letters.len());
        let mut wrong = Vec::new();
        for publish in letters.iter().filter(|publish| !is_command(&publish.topic)) {
            match with_letter(publish, read) {
                Ok(message) => said.push(message),
                Err(reason) => wrong.push((publish, reason)),
            }
        }
        let (ids, seen) = self.seen(&said).await?;
        let now = moment::now();
        post.begin(now, &ids, seen);
        for message in said {
            post.take(message, now);
        }
        for (publish, reason) in wrong {
            with_letter(publish, |letter| post.quarantine(letter, reason));
        }
        post.send_orders(now);
        self.hand_on((post, writer), letters).await
    }

    /// The names that the incidents of these messages may have, and those of them that are stored.
    async fn seen(&self, said: &[Said]) -> Result<(Vec<String>, Vec<Seen>), Lost> {
        let incidents = said.iter().filter_map(|message| match &message.what {
            What::Incident(attack) => Some((attack.id.as_str(), message)),
            _ => None,
        });
        let mut names: BTreeMap<String, Vec<(&str, &str)>> = BTreeMap::new();
        for (event, message) in incidents {
            let gates = names.entry(event.to_owned()).or_default();
            gates.push((&message.site, &message.sensor));
        }
        let short: Vec<String> = names.keys().cloned().collect();
        let mut seen = self.store.seen(&short).await?;
        // Rarely somebody else's incident has the name.
        let mut long = BTreeSet::new();
        for owner in &seen {
            let owned = (owner.site.as_str(), owner.sensor.as_str());
            names.entry(owner.id.clone()).or_default().push(owned);
        }
        for (event, gates) in names.iter().filter(|(_, gates)| gates.len() > 1) {
            if gates.iter().any(|gate| Some(gate) != gates.first()) {
                long.extend(gates.iter().map(|gate| other_name(event, *gate)));
            }
        }
        let long: Vec<String> = long.into_iter().collect();
        seen.extend(self.store.seen(&long).await?);
        Ok((short.into_iter().chain(long).collect(), seen))
    }

    async fn hand_on(
        &self,
        (post, writer): (&mut Post, &mut Writer),
        letters: Vec<Publish>,
    ) -> Result<(), Lost> {
        let step = Step {
            outcome: post.finish(),
            letters,
            client: self.client.clone(),
            connection: self.connection,
            counts: post.counts(),
            open_orders: post.open_orders(),
        };
        writer.take(step).await
    }

    fn tell(&self) {
        let is_up = self.is_up;
        self.health.send_modify(|health| {
            health.leads = true;
            health.hears = is_up;
            if is_up {
                health.why.clear();
            }
        });
    }
}

/// Waits until the program ends.
async fn ended(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

/// What others command goes by us, but is nothing that a sensor says.
fn is_command(topic: &[u8]) -> bool {
    topic.ends_with(b"/command")
}

fn with_letter<T>(publish: &Publish, read: impl FnOnce(&Letter<'_>) -> T) -> T {
    let properties = publish.properties.as_ref();
    read(&Letter {
        topic: &String::from_utf8_lossy(&publish.topic),
        body: &publish.payload,
        attributes: properties.map_or(&[], |properties| &properties.user_properties),
    })
}
