//! The leader's loop: messages are taken in batches, stored with everything that follows from them, acknowledged, and
//! commands go out. Whoever does not lead waits. After any error the leader begins anew from the store.

use std::time::Duration;

use contract::command::Command;
use contract::envelope::JSON;
use contract::topics::Topics;
use rumqttc::v5::AsyncClient;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{Publish, PublishProperties};
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::post::{Counts, Known, Post};
use super::reading::{Letter, What, read};
use super::recall::sighting;
use super::session::{News, Session};
use crate::config::Config;
use crate::correlate::Sighting;
use crate::moment;
use crate::orders::Key;
use crate::store::{Leadership, Lost, Store};

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
    while !*stop.borrow() {
        match store.lead().await {
            Ok(Some(leadership)) => {
                tracing::info!("this coordinator leads: it takes in what sensors report");
                let mut leader = Leader {
                    config: &config,
                    store: &store,
                    key: key.as_ref(),
                    health: &health,
                    leadership,
                    client: None,
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
    key: Option<&'a Key>,
    health: &'a watch::Sender<Health>,
    leadership: Leadership,
    client: Option<AsyncClient>,
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
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut beat = 0;
        loop {
            tokio::select! {
                biased;
                () = ended(stop) => {
                    if let Some(client) = self.client.take() {
                        let _ = client.try_disconnect();
                    }
                    return Ok(());
                }
                _ = ticks.tick() => {
                    beat += 1;
                    if beat % BEAT == 0 {
                        self.leadership.check().await?;
                        if self.is_up {
                            self.store.beat(moment::now()).await?;
                        }
                    }
                    let now = moment::now();
                    post.begin(now, Vec::new());
                    // Another process may have asked without a way to tell: the command line with SQLite.
                    if beat % BEAT == 0 && self.store.asked().await? != self.known {
                        self.refresh(&mut post).await?;
                    }
                    post.tick(now);
                    self.write(&mut post).await?;
                    self.tell(&post);
                }
                Ok(()) = asked.changed() => {
                    let now = moment::now();
                    post.begin(now, Vec::new());
                    self.refresh(&mut post).await?;
                    post.send_orders(now);
                    self.write(&mut post).await?;
                }
                Some(news) = session.news.recv() => {
                    self.hear(&mut post, (news, &mut session)).await?;
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
        let kid = self.key.map(|key| key.kid().to_owned());
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

    async fn refresh(&mut self, post: &mut Post) -> Result<(), Lost> {
        // Read first: what is asked for meanwhile is read once more, and changes nothing.
        self.known = self.store.asked().await?;
        let blocks = self.store.open_fleet_blocks().await?;
        let orders = self.store.open_orders().await?;
        post.refresh(&blocks, orders);
        Ok(())
    }

    async fn hear(
        &mut self,
        post: &mut Post,
        (news, session): (News, &mut Session),
    ) -> Result<(), Lost> {
        let mut letters = Vec::new();
        let mut next = Some(news);
        // What has come by now makes up the batch; nobody waits for more.
        while let Some(news) = next {
            match news {
                News::Heard(publish) => letters.push(*publish),
                other => {
                    self.take(post, std::mem::take(&mut letters)).await?;
                    self.turn(post, other);
                }
            }
            if letters.len() >= self.config.intake.batch as usize {
                break;
            }
            next = session.news.try_recv().ok();
        }
        self.take(post, letters).await?;
        self.tell(post);
        Ok(())
    }

    fn turn(&mut self, post: &mut Post, news: News) {
        match news {
            News::In(client) => self.client = Some(client),
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
        self.tell(post);
    }

    /// Stores a batch with what follows from it, then acknowledges it.
    async fn take(&self, post: &mut Post, letters: Vec<Publish>) -> Result<(), Lost> {
        if letters.is_empty() {
            return Ok(());
        }
        let heard = letters.iter().filter(|publish| !is_command(&publish.topic));
        let heard: Vec<_> = heard
            .map(|publish| {
                let letter = letter(publish);
                let said = read(letter.clone());
                (letter, said)
            })
            .collect();
        let mut events = Vec::new();
        for (_, said) in &heard {
            if let Ok(said) = said
                && let What::Incident(attack) = &said.what
            {
                events.push(attack.id.as_str());
            }
        }
        events.sort_unstable();
        events.dedup();
        let seen = self.store.seen(&events).await?;
        let now = moment::now();
        post.begin(now, seen);
        for (letter, said) in heard {
            match said {
                Ok(said) => post.take(said, now),
                Err(reason) => post.quarantine(&letter, reason),
            }
        }
        post.send_orders(now);
        // Its order matters: first stored, then acknowledged, then acted on.
        let commands = self.store_step(post).await?;
        if let Some(client) = &self.client {
            for publish in &letters {
                // On a connection that is gone nothing is acknowledged, and everything comes again.
                if client.ack(publish).await.is_err() {
                    break;
                }
            }
        }
        self.send(commands);
        Ok(())
    }

    async fn write(&self, post: &mut Post) -> Result<(), Lost> {
        let commands = self.store_step(post).await?;
        self.send(commands);
        Ok(())
    }

    async fn store_step(&self, post: &mut Post) -> Result<Vec<Command>, Lost> {
        let outcome = post.finish();
        if !outcome.batch.is_empty() {
            let most = self.config.intake.max_quarantine;
            self.store
                .write(&self.leadership, (&outcome.batch, most))
                .await?;
        }
        Ok(outcome.commands)
    }

    fn send(&self, commands: Vec<Command>) {
        let (Some(client), Some(key)) = (&self.client, self.key) else {
            return;
        };
        for command in commands {
            let Ok((payload, properties)) = key.seal(&command) else {
                continue;
            };
            let topics = Topics::new(&command.site, &command.sensor);
            let [topic, _] = topics.commands();
            let validity = command.expires_at.since(command.issued_at).as_secs();
            let properties = PublishProperties {
                payload_format_indicator: Some(1),
                message_expiry_interval: Some(u32::try_from(validity).unwrap_or(u32::MAX).max(1)),
                content_type: Some(JSON.to_owned()),
                response_topic: Some(topics.reply(&command.id)),
                user_properties: properties,
                ..PublishProperties::default()
            };
            let sent = client.try_publish_with_properties(
                topic,
                QoS::AtLeastOnce,
                false,
                payload,
                properties,
            );
            // One that does not leave is silent, and is given again.
            if sent.is_err() {
                tracing::warn!(
                    "a command to {}/{} could not be sent",
                    command.site,
                    command.sensor
                );
            }
        }
    }

    fn tell(&self, post: &Post) {
        let is_up = self.is_up;
        self.health.send_modify(|health| {
            health.leads = true;
            health.hears = is_up;
            health.counts = post.counts();
            health.open_orders = post.open_orders();
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

fn letter(publish: &Publish) -> Letter {
    let properties = publish.properties.as_ref();
    Letter {
        topic: String::from_utf8_lossy(&publish.topic).into_owned(),
        body: publish.payload.to_vec(),
        attributes: properties
            .map_or_else(Vec::new, |properties| properties.user_properties.clone()),
    }
}
