//! Connections to the broker, one after another. What is heard on one is acknowledged on that one or never: a number that
//! the broker gave to a message means another message on the next connection.

use std::time::Duration;

use contract::topics::subscription;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{Filter, Packet, Publish, SubscribeReasonCode};
use rumqttc::v5::{AsyncClient, Event};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep_until};

use super::broker;
use crate::config::Mqtt;

/// Waits between two tries to connect: at first short, because a broker that restarts is back within a second.
const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(3);
/// Messages that wait beside those of the window: retained ones, and what a broker sends without waiting for us. When there
/// are more, the connection is not read until there is room.
const RESERVE: usize = 4_000;
/// Room for acknowledgements and commands. Whoever finds none tries again: who stores must never wait for the reader, who
/// waits for them.
const OUTGOING: usize = 8_000;

/// What happens between the broker and us.
#[derive(Debug)]
pub(super) enum News {
    /// It has let us in, and may send what it has kept for us at once; acknowledgements and commands go this way.
    In(AsyncClient),
    /// It has taken our subscriptions: from now on nothing passes us by.
    Up,
    /// Somebody published.
    Heard(Box<Publish>),
    /// It does not, or no longer, and why.
    Down(String),
}

/// A task that connects again and again.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) news: mpsc::Receiver<News>,
    task: AbortHandle,
}

impl Session {
    /// Begins to connect.
    pub(super) fn open(settings: Mqtt) -> Self {
        let (sender, news) = mpsc::channel(usize::from(settings.window) + RESERVE);
        let task = tokio::spawn(async move {
            let mut wait = FIRST_WAIT;
            loop {
                let (why, was_up) = connection(&settings, &sender).await;
                if was_up {
                    wait = FIRST_WAIT;
                }
                if sender.send(News::Down(why)).await.is_err() {
                    return;
                }
                sleep_until(Instant::now() + wait).await;
                wait = (wait * 2).min(LONGEST_WAIT);
            }
        });
        Self {
            news,
            task: task.abort_handle(),
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// One connection, to its end: why it ended, and whether anything could be heard on it.
async fn connection(settings: &Mqtt, sender: &mpsc::Sender<News>) -> (String, bool) {
    let read = settings.clone();
    let options = tokio::task::spawn_blocking(move || broker::options(&read)).await;
    let options = match options {
        Ok(Ok(options)) => options,
        Ok(Err(trouble)) => return (trouble.to_string(), false),
        Err(error) => return (error.to_string(), false),
    };
    let (client, mut events) = AsyncClient::new(options, OUTGOING);
    let mut is_up = false;
    loop {
        match events.poll().await {
            Ok(Event::Incoming(Packet::ConnAck(_))) => {
                if let Err(error) = client.try_subscribe_many(filters(settings)) {
                    return (error.to_string(), is_up);
                }
                if sender.send(News::In(client.clone())).await.is_err() {
                    return (String::new(), is_up);
                }
            }
            Ok(Event::Incoming(Packet::SubAck(answer))) => {
                let refused = answer
                    .return_codes
                    .iter()
                    .find(|code| !matches!(code, SubscribeReasonCode::Success(_)));
                if let Some(code) = refused {
                    return (format!("the broker does not let us hear: {code:?}"), is_up);
                }
                is_up = true;
                if sender.send(News::Up).await.is_err() {
                    return (String::new(), is_up);
                }
            }
            Ok(Event::Incoming(Packet::Publish(publish))) => {
                if sender.send(News::Heard(Box::new(publish))).await.is_err() {
                    return (String::new(), is_up);
                }
            }
            Ok(Event::Incoming(Packet::Disconnect(why))) => {
                return (
                    format!("the broker has closed it: {:?}", why.reason_code),
                    is_up,
                );
            }
            Ok(_) => {}
            Err(error) => return (error.to_string(), is_up),
        }
    }
}

fn filters(settings: &Mqtt) -> Vec<Filter> {
    let all = vec!["+".to_owned()];
    let sites = match settings.sites.is_empty() {
        true => &all,
        false => &settings.sites,
    };
    let filter = |site: &String| Filter {
        // Our own commands are below the same topics.
        nolocal: true,
        ..Filter::new(subscription(site), QoS::AtLeastOnce)
    };
    sites.iter().map(filter).collect()
}
