//! Where the broker is: its host out of the configured URL, looked up when it is a name.
//! It must not speak to the broker.

use std::collections::BTreeSet;
use std::net::{IpAddr, ToSocketAddrs};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use settings::BrokerUrl;

/// A name is looked up again this often; resolvers say nothing of how long their answer holds.
pub(super) const RENEW: Duration = Duration::from_secs(60);

/// How long an address that the name no longer has stays protected: the connection to it may still be open.
pub(super) const GRACE: Duration = Duration::from_secs(600);

/// A first look-up is waited for this long, so that a dead resolver does not keep the sensor from starting.
const PATIENCE: Duration = Duration::from_secs(2);

/// Addresses a name may have; more would protect whoever fills the answer with them.
const MAX_ADDRESSES: usize = 32;

/// Any port: the look-up wants one and it changes nothing.
const PORT: u16 = 1883;

/// The broker's host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Broker(String);

impl Broker {
    /// The host of `mqtt://host:port`, where it is.
    pub(super) fn new(url: &BrokerUrl) -> Self {
        Self(url.host().to_owned())
    }

    /// The host where it is an address.
    pub(super) fn literal(&self) -> Option<IpAddr> {
        self.0.parse().ok()
    }

    /// The host's addresses, waited for a short time only.
    pub(super) fn resolve(&self) -> BTreeSet<IpAddr> {
        if let Some(address) = self.literal() {
            return BTreeSet::from([address]);
        }
        let (sender, receiver) = mpsc::channel();
        let host = self.0.clone();
        thread::spawn(move || {
            let found = (host.as_str(), PORT).to_socket_addrs();
            let found = found.into_iter().flatten().map(|end| end.ip());
            // Nobody listens any more where this took too long.
            sender.send(found.take(MAX_ADDRESSES).collect()).ok();
        });
        receiver.recv_timeout(PATIENCE).unwrap_or_default()
    }

    /// The host's addresses, none where it has none or nobody knows.
    pub(super) async fn look_up(self) -> BTreeSet<IpAddr> {
        let found = tokio::net::lookup_host((self.0.as_str(), PORT)).await;
        let found = found.into_iter().flatten().map(|end| end.ip());
        found.take(MAX_ADDRESSES).collect()
    }
}
