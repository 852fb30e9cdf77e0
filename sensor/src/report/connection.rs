//! One connection to the broker, from its CONNACK to its end. It knows which acknowledgement belongs to which message,
//! and repeats nothing: whoever published something unacknowledged publishes it again on the next connection.

use std::collections::{HashMap, VecDeque};

use rumqttc::Outgoing;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{
    Filter, LastWill, Packet, PubAckReason, Publish, PublishProperties, RetainForwardRule,
    SubscribeReasonCode,
};
use rumqttc::v5::{AsyncClient, ConnectionError, Event, MqttOptions};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio::time::{Duration, timeout};

use super::broker::{Broker, RESERVE};
use super::dialect;
use super::error::{BrokerError, Place, spaced};

/// Events that wait for us before the connection is not read any more.
const EVENTS: usize = 256;
/// How long a farewell may take.
const FAREWELL: Duration = Duration::from_secs(2);

/// A connection.
#[derive(Debug)]
pub(super) struct Connection<T> {
    client: AsyncClient,
    events: mpsc::Receiver<Result<Event, ConnectionError>>,
    reader: AbortHandle,
    place: Place,
    /// Given to rumqttc, and not yet on their way.
    handed: VecDeque<T>,
    /// On their way, by packet identifier.
    flying: HashMap<u16, T>,
    window: usize,
    max_packet: usize,
}

/// What goes out.
#[derive(Debug, Clone)]
pub(super) struct Packed {
    pub(super) topic: String,
    pub(super) retain: bool,
    pub(super) body: String,
    pub(super) properties: PublishProperties,
}

/// What happens on a connection.
#[derive(Debug)]
pub(super) enum ConnectionEvent<T> {
    /// The broker has answered a message: it has taken it, or says why not.
    Answered(T, Result<(), String>),
    /// Somebody published to a topic we subscribe to.
    Received(Box<Publish>),
    /// A subscription was refused, and why.
    Deaf(String),
    /// The connection is no more.
    Down(BrokerError),
}

impl<T> Connection<T> {
    /// Connects, and subscribes to `topics`. The caller speaks of `will` after its own death.
    pub(super) async fn open(
        broker: &Broker,
        (will, topics): (LastWill, [String; 2]),
    ) -> Result<Self, BrokerError> {
        let reading = broker.clone();
        let options = tokio::task::spawn_blocking(move || reading.options(will)).await;
        // The task can only fail by a panic, which the runtime has reported.
        let options = options.map_err(|_| BrokerError::Broken(broker.place().at.clone()))??;
        let mut link = Self::start(broker, options);
        link.greet(broker).await?;
        let filters = topics.map(|topic| Filter {
            retain_forward_rule: RetainForwardRule::Never,
            ..Filter::new(topic, QoS::AtLeastOnce)
        });
        let asked = link.client.try_subscribe_many(filters);
        asked.map_err(|_| BrokerError::Broken(link.place.at.clone()))?;
        Ok(link)
    }

    /// Connects and goes again: whether the broker would let us in.
    pub(super) async fn try_out(broker: &Broker) -> Result<(), BrokerError> {
        let mut link = Self::start(broker, broker.trial()?);
        link.greet(broker).await?;
        link.close().await;
        Ok(())
    }

    /// Waits until the broker has let us in, and takes over its limits.
    async fn greet(&mut self, broker: &Broker) -> Result<(), BrokerError> {
        let link = self;
        loop {
            match link.events.recv().await {
                Some(Ok(Event::Incoming(Packet::ConnAck(answer)))) => {
                    if let Some(limits) = answer.properties {
                        let most = limits
                            .max_packet_size
                            .map_or(usize::MAX, |most| most as usize);
                        link.max_packet = link.max_packet.min(most);
                        link.window = link
                            .window
                            .min(limits.receive_max.unwrap_or(u16::MAX).into());
                    }
                    return Ok(());
                }
                Some(Ok(_)) => {}
                Some(Err(error)) => {
                    let trouble = link.place.trouble(error);
                    return Err(dialect::explain(broker, trouble).await);
                }
                None => return Err(BrokerError::Broken(link.place.at.clone())),
            }
        }
    }

    fn start(broker: &Broker, options: MqttOptions) -> Self {
        let window = broker.settings().inflight.size();
        let (client, mut connection) = AsyncClient::new(options, window + 2 * RESERVE);
        let (sender, events) = mpsc::channel(EVENTS);
        // In a task of its own, because a poll that is given up may lose what it has read.
        let reader = tokio::spawn(async move {
            loop {
                let event = connection.poll().await;
                let last = event.is_err();
                if sender.send(event).await.is_err() || last {
                    break;
                }
            }
        });
        Self {
            client,
            events,
            reader: reader.abort_handle(),
            place: broker.place().clone(),
            handed: VecDeque::new(),
            flying: HashMap::new(),
            window,
            max_packet: broker.settings().max_packet_kib.size() * 1_024,
        }
    }

    /// How many more messages may be on their way.
    pub(super) fn room(&self) -> usize {
        self.window
            .saturating_sub(self.handed.len() + self.flying.len())
    }

    /// The largest packet the broker takes, bytes.
    pub(super) const fn max_packet(&self) -> usize {
        self.max_packet
    }

    /// Sends a message, whose fate is told under `ticket`. Fails if far too many are on their way.
    pub(super) fn publish(&mut self, ticket: T, packed: Packed) -> Result<(), BrokerError> {
        let Packed {
            topic,
            retain,
            body,
            properties,
        } = packed;
        let at_least_once = QoS::AtLeastOnce;
        let sent =
            self.client
                .try_publish_with_properties(topic, at_least_once, retain, body, properties);
        sent.map_err(|_| BrokerError::Silent(self.place.at.clone()))?;
        self.handed.push_back(ticket);
        Ok(())
    }

    /// Waits for what happens next. Nothing is lost if the wait is given up.
    pub(super) async fn next(&mut self) -> ConnectionEvent<T> {
        loop {
            let event = match self.events.recv().await {
                Some(Ok(event)) => event,
                Some(Err(error)) => return ConnectionEvent::Down(self.place.trouble(error)),
                None => return ConnectionEvent::Down(BrokerError::Broken(self.place.at.clone())),
            };
            match event {
                // QoS 1 is all we send, and rumqttc sends in the order it was told.
                Event::Outgoing(Outgoing::Publish(id)) => {
                    if let Some(ticket) = self.handed.pop_front() {
                        self.flying.insert(id, ticket);
                    }
                }
                Event::Incoming(Packet::PubAck(answer)) => {
                    if let Some(ticket) = self.flying.remove(&answer.pkid) {
                        return ConnectionEvent::Answered(ticket, verdict(answer.reason));
                    }
                }
                Event::Incoming(Packet::Publish(publish)) => {
                    return ConnectionEvent::Received(Box::new(publish));
                }
                Event::Incoming(Packet::SubAck(answer)) => {
                    let refused = answer
                        .return_codes
                        .iter()
                        .find(|code| !matches!(code, SubscribeReasonCode::Success(_)));
                    if let Some(code) = refused {
                        return ConnectionEvent::Deaf(spaced(&format!("{code:?}")));
                    }
                }
                _ => {}
            }
        }
    }

    /// Says goodbye, so that the will is not carried out, once what is on its way is acknowledged.
    pub(super) async fn close(mut self) {
        let farewell = async {
            while !(self.handed.is_empty() && self.flying.is_empty()) {
                if let ConnectionEvent::Down(_) = self.next().await {
                    return;
                }
            }
            if self.client.try_disconnect().is_ok() {
                while let Some(Ok(event)) = self.events.recv().await {
                    if event == Event::Outgoing(Outgoing::Disconnect) {
                        return;
                    }
                }
            }
        };
        // Whoever does not answer by now learns from the will.
        let _ = timeout(FAREWELL, farewell).await;
    }
}

impl<T> Drop for Connection<T> {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

/// Below 0x80 the broker has it; nobody listening is no fault of the message.
fn verdict(reason: PubAckReason) -> Result<(), String> {
    match reason {
        PubAckReason::Success | PubAckReason::NoMatchingSubscribers => Ok(()),
        refused => Err(spaced(&format!("{refused:?}"))),
    }
}
