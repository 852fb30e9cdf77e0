//! What the machine and the network around it cannot do without, and where the inside is: read once, then kept current.
//! It must not decide who is safe from a block; [`detection::policy::Guard`] does.

mod broker;
mod files;
pub mod network;
mod recent;
mod upstreams;

use std::collections::{BTreeMap, BTreeSet};
use std::future::pending;
use std::net::IpAddr;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ipnet::IpNet;
use tokio::io::unix::AsyncFd;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout, timeout_at};

use broker::Broker;
use contract::address::is_host;
use detection::policy::{LocalNetwork, Role};
use files::Files;
use network::{Changes, Network, NetworkError};
use recent::RecentAddresses;
use settings::Config;

/// Everything is read again this often, for what no event tells: a directory that came late, a name that moved.
const RECHECK: Duration = Duration::from_secs(30);

/// Changes come in bursts, an interface coming up makes a dozen; after this much quiet they are looked at together.
const QUIET: Duration = Duration::from_millis(50);

/// Where they do not pause, they are looked at this long after the first.
const BURST: Duration = Duration::from_secs(1);

/// Why the local network cannot be known, or not kept current.
#[derive(Debug, thiserror::Error)]
pub enum LocalNetworkError {
    /// The kernel does not say what the network is.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// Changes of files cannot be waited for.
    #[error("cannot watch files for changes")]
    Files(#[source] nix::Error),
    /// The descriptors cannot be waited for.
    #[error("cannot wait for changes of the machine's addresses and routes")]
    Wait(#[source] std::io::Error),
}

/// Where to look.
#[derive(Debug, Clone)]
pub struct Sources {
    /// What the paths of files stand under.
    root: PathBuf,
    broker: Option<Broker>,
    session_grace: Duration,
}

impl Sources {
    /// This machine, as configured.
    pub fn new(config: &Config) -> Self {
        Self {
            root: PathBuf::from("/"),
            broker: config.report.url.get().map(Broker::new),
            session_grace: config.policy.session_grace.get(),
        }
    }

    /// The same, with every file looked for under `root`.
    pub fn under(self, root: impl Into<PathBuf>) -> Self {
        let root = root.into();
        Self { root, ..self }
    }
}

/// The local network at this moment; looking up the broker's name takes two seconds of it at most.
pub fn now(sources: &Sources) -> Result<LocalNetwork, LocalNetworkError> {
    let network = Network::read()?;
    let broker = sources.broker.as_ref().map(Broker::resolve);
    let found = Found {
        sessions: files::sessions(&sources.root),
        broker: broker.unwrap_or_default(),
    };
    Ok(describe(&network, &sources.root, found))
}

/// The local network, kept current.
#[derive(Debug)]
pub struct Watch {
    sources: Sources,
    known: LocalNetwork,
    changes: AsyncFd<Changes>,
    files: AsyncFd<Files>,
    sessions: RecentAddresses,
    broker: RecentAddresses,
    lookup: Option<JoinHandle<BTreeSet<IpAddr>>>,
    next_lookup: Instant,
}

impl Watch {
    /// Watches for anything that differs from `known`. Needs a runtime.
    pub fn new(sources: Sources, known: LocalNetwork) -> Result<Self, LocalNetworkError> {
        let now = Instant::now();
        let mut watch = Self {
            changes: awaited(Changes::watch()?)?,
            files: awaited(Files::watch(&sources.root)?)?,
            sessions: RecentAddresses::new(sources.session_grace),
            broker: RecentAddresses::new(broker::GRACE),
            lookup: None,
            next_lookup: now,
            sources,
            known,
        };
        // Who was logged in, and where the broker was, a moment ago: both have their grace.
        let was = |wanted| {
            let protected = watch.known.protected.iter();
            let found = protected.filter(move |(_, role)| *role == wanted);
            found.map(|(address, _)| *address).collect()
        };
        let (sessions, broker) = (was(Role::Session), was(Role::Broker));
        watch.sessions.look(sessions, now);
        watch.broker.look(broker, now);
        Ok(watch)
    }

    /// Waits until it differs from those last known, and returns them. Nothing is lost when the wait is
    /// given up.
    ///
    /// What cannot be read at the moment stays as it was.
    pub async fn changed(&mut self) -> LocalNetwork {
        loop {
            match self.read() {
                Ok(current) if current != self.known => {
                    self.known.clone_from(&current);
                    return current;
                }
                Ok(_) => {}
                Err(error) => {
                    tracing::warn!("{error}; what was known of the local network is kept");
                }
            }
            let recheck = self.recheck();
            if timeout_at(recheck, self.event()).await.is_err() {
                continue;
            }
            let end = Instant::now() + BURST;
            while timeout_at(end, timeout(QUIET, self.event()))
                .await
                .is_ok_and(|event| event.is_ok())
            {}
        }
    }

    fn read(&mut self) -> Result<LocalNetwork, LocalNetworkError> {
        let now = Instant::now();
        self.files.get_ref().renew(&self.sources.root);
        let network = Network::read()?;
        self.sessions.look(files::sessions(&self.sources.root), now);
        self.look_up_broker(now);
        let found = Found {
            sessions: self.sessions.present(now),
            broker: self.broker.present(now),
        };
        Ok(describe(&network, &self.sources.root, found))
    }

    /// When to read again though nothing happened.
    fn recheck(&self) -> Instant {
        let ends = [self.sessions.next_end(), self.broker.next_end()];
        let now = Instant::now();
        let recheck = ends.into_iter().flatten().fold(now + RECHECK, Instant::min);
        // A kernel that does not tell is not asked without a pause.
        recheck.max(now + QUIET)
    }

    fn look_up_broker(&mut self, now: Instant) {
        let Some(broker) = &self.sources.broker else {
            return;
        };
        if let Some(address) = broker.literal() {
            self.broker.look(BTreeSet::from([address]), now);
        } else if self.lookup.is_none() && now >= self.next_lookup {
            self.next_lookup = now + broker::RENEW;
            self.lookup = Some(tokio::spawn(broker.clone().look_up()));
        }
    }

    /// Waits until anything may have changed.
    async fn event(&mut self) {
        let lookup = async {
            match &mut self.lookup {
                Some(lookup) => lookup.await.unwrap_or_default(),
                None => pending().await,
            }
        };
        tokio::select! {
            ready = self.changes.readable() => {
                if let Ok(mut ready) = ready {
                    ready.get_inner().drain();
                    ready.clear_ready();
                }
            }
            () = stirred(&self.files) => {}
            found = lookup => {
                self.lookup = None;
                // No answer says nothing about where the broker is.
                if !found.is_empty() {
                    self.broker.look(found, Instant::now());
                }
            }
        }
    }
}

#[expect(
    deprecated,
    reason = "its successor is unsafe, for sources that change their descriptor; both of ours own one for life"
)]
fn awaited<T: AsRawFd>(source: T) -> Result<AsyncFd<T>, LocalNetworkError> {
    AsyncFd::new(source).map_err(LocalNetworkError::Wait)
}

/// Waits until a file that matters has changed; others in the same directories do not count.
async fn stirred(files: &AsyncFd<Files>) {
    while let Ok(mut ready) = files.readable().await {
        let stirred = ready.get_inner().drain();
        ready.clear_ready();
        if stirred {
            return;
        }
    }
}

/// What was found elsewhere than in the kernel.
struct Found {
    sessions: BTreeSet<IpAddr>,
    broker: BTreeSet<IpAddr>,
}

fn describe(network: &Network, root: &Path, found: Found) -> LocalNetwork {
    let own = network.addresses.iter().map(|address| address.own);
    let broadcasts = network.addresses.iter().filter_map(|address| {
        let broadcast = address.broadcast.map(IpAddr::V4);
        broadcast.filter(|&broadcast| broadcast != address.own)
    });
    let mut protected = BTreeMap::new();
    let mut protect = |addresses: &mut dyn Iterator<Item = IpAddr>, role| {
        for address in addresses {
            protected.entry(address.to_canonical()).or_insert(role);
        }
    };
    protect(&mut own.into_iter(), Role::Own);
    protect(&mut network.gateways.iter().copied(), Role::Gateway);
    protect(&mut files::resolvers(root).into_iter(), Role::Resolver);
    protect(
        &mut upstreams::name_servers(root).into_iter(),
        Role::Resolver,
    );
    protect(
        &mut upstreams::time_servers(root).into_iter(),
        Role::TimeServer,
    );
    protect(&mut found.broker.into_iter(), Role::Broker);
    protect(&mut found.sessions.into_iter(), Role::Session);
    protect(&mut broadcasts.into_iter(), Role::Broadcast);
    LocalNetwork {
        home: home(network),
        protected: protected.into_iter().collect(),
    }
}

/// The connected networks off the default routes. A network of one address is the machine itself.
fn home(network: &Network) -> Vec<IpNet> {
    let inside = network.addresses.iter().filter(|address| {
        let connected = &address.connected;
        let link_local = match connected.addr() {
            IpAddr::V4(address) => address.is_link_local(),
            IpAddr::V6(address) => address.is_unicast_link_local(),
        };
        let alone = is_host(connected) && connected.addr() == address.own;
        let outside = network.exits.contains(&address.link);
        !(outside || alone || link_local || connected.addr().is_loopback())
    });
    let networks: BTreeSet<IpNet> = inside.map(|address| address.connected).collect();
    networks.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::network::{Address, Link};
    use super::*;

    fn address(link: u32, own: &str, connected: &str) -> Address {
        Address {
            link,
            own: own.parse().unwrap(),
            connected: connected.parse().unwrap(),
            broadcast: None,
        }
    }

    #[test]
    fn home_is_what_is_connected_off_the_default_route() {
        let link = |index, name: &str| Link {
            index,
            name: name.to_owned(),
            up: true,
        };
        let network = Network {
            links: vec![link(1, "lo"), link(2, "wan0"), link(3, "lan0")],
            addresses: vec![
                address(1, "127.0.0.1", "127.0.0.0/8"),
                address(1, "::1", "::1/128"),
                address(2, "203.0.113.2", "203.0.113.0/24"),
                address(3, "192.0.2.1", "192.0.2.0/25"),
                address(3, "198.51.100.1", "198.51.100.1/32"),
                address(3, "198.51.100.1", "198.51.100.9/32"),
                address(3, "2001:db8:1::1", "2001:db8:1::/64"),
                address(3, "fe80::1", "fe80::/64"),
            ],
            gateways: BTreeSet::new(),
            exits: BTreeSet::from([2]),
        };
        let expected = ["192.0.2.0/25", "198.51.100.9/32", "2001:db8:1::/64"];
        let expected: Vec<IpNet> = expected.iter().map(|net| net.parse().unwrap()).collect();
        assert_eq!(home(&network), expected);
    }
}
