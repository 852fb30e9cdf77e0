//! The local network as a namespace of the test's own has them, and how soon a change of theirs is known.
//! Files of the machine are not read: their paths stand under a folder of the test's.

use std::fs;
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use detection::policy::{LocalNetwork, Role};
use sensor::local_network::{Sources, Watch, now};
use settings::Config;
use tokio::time::timeout;

use crate::live::machines;

const SESSION: &str =
    "UID=0\nUSER=ana\nACTIVE=1\nSTATE=active\nREMOTE=1\nCLASS=user\nREMOTE_HOST=198.51.100.7\n";

/// Nothing of what is waited for takes longer than this to be known; the recheck would only come after half a minute.
const SOON: Duration = Duration::from_secs(5);

fn sources(root: &Path, settings: &str) -> Sources {
    let config = Config::layered(settings, "the test", Default::default());
    Sources::new(&config.expect("the test's settings are allowed")).under(root)
}

fn role(local_network: &LocalNetwork, address: &str) -> Option<Role> {
    let address: IpAddr = address.parse().expect("an address");
    let mut protected = local_network.protected.iter();
    protected
        .find(|(protected, _)| *protected == address)
        .map(|(_, role)| *role)
}

/// Waits until the local network are as `enough` wants them.
async fn until(watch: &mut Watch, enough: impl Fn(&LocalNetwork) -> bool) -> LocalNetwork {
    let changes = async {
        loop {
            let changed = watch.changed().await;
            if enough(&changed) {
                return changed;
            }
        }
    };
    timeout(SOON, changes).await.expect("it is known soon")
}

fn block_on(future: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.expect("a runtime starts").block_on(future);
}

#[test]
fn addresses_and_routes_are_followed() {
    let test = "local_network::addresses_and_routes_are_followed";
    let Some((sensor, _peer)) = machines(test) else {
        return;
    };
    let root = tempfile::tempdir().expect("a folder of the test's");
    sensor.run(|| {
        let sources = sources(root.path(), "[report]\nurl = \"mqtt://203.0.113.9\"\n");
        let first = now(&sources).expect("the kernel tells");
        assert_eq!(role(&first, "192.0.2.1"), Some(Role::Own));
        assert_eq!(role(&first, "2001:db8::1"), Some(Role::Own));
        assert_eq!(role(&first, "203.0.113.9"), Some(Role::Broker));
        assert_eq!(role(&first, "192.0.2.2"), None);
        let net = |text: &str| text.parse().expect("a network");
        assert_eq!(first.home, [net("192.0.2.0/24"), net("2001:db8::/64")]);

        block_on(async {
            let mut watch = Watch::new(sources, first).expect("it can be watched");
            sensor.ip("route add default via 192.0.2.2");
            let routed = until(&mut watch, |it| role(it, "192.0.2.2").is_some()).await;
            assert_eq!(role(&routed, "192.0.2.2"), Some(Role::Gateway));
            assert_eq!(routed.home, []);

            sensor.ip("link add lan0 type veth peer name lan1");
            sensor.ip("link set lan0 up");
            sensor.ip("address add 198.51.100.1/24 broadcast 198.51.100.255 dev lan0");
            let inside = until(&mut watch, |it| role(it, "198.51.100.255").is_some()).await;
            assert_eq!(role(&inside, "198.51.100.1"), Some(Role::Own));
            assert_eq!(role(&inside, "198.51.100.255"), Some(Role::Broadcast));
            assert_eq!(inside.home, [net("198.51.100.0/24")]);

            sensor.ip("-6 route add default nexthop via 2001:db8::7 nexthop via 2001:db8::8");
            let both = until(&mut watch, |it| role(it, "2001:db8::8").is_some()).await;
            assert_eq!(role(&both, "2001:db8::7"), Some(Role::Gateway));

            sensor.ip("link delete lan0");
            let after = until(&mut watch, |it| role(it, "198.51.100.1").is_none()).await;
            assert_eq!(after.home, []);
            assert_eq!(role(&after, "203.0.113.9"), Some(Role::Broker));
        });
    });
}

#[test]
fn name_servers_and_sessions_are_followed() {
    let test = "local_network::name_servers_and_sessions_are_followed";
    let Some((sensor, _peer)) = machines(test) else {
        return;
    };
    let root = tempfile::tempdir().expect("a folder of the test's");
    let at = |path: &str| root.path().join(path);
    for folder in ["etc", "run/systemd/sessions"] {
        fs::create_dir_all(at(folder)).expect("a folder of the test's");
    }
    fs::write(at("etc/resolv.conf"), "nameserver 203.0.113.53\n").expect("a file");
    sensor.run(|| {
        let sources = sources(root.path(), "[policy]\nsession_grace = \"1s\"\n");
        let first = now(&sources).expect("the kernel tells");
        assert_eq!(role(&first, "203.0.113.53"), Some(Role::Resolver));
        block_on(async {
            let mut watch = Watch::new(sources, first).expect("it can be watched");
            // As resolvconf and logind do it: beside, then in place.
            fs::write(at("etc/.new"), "nameserver 2001:db8::53\n").expect("a file");
            fs::rename(at("etc/.new"), at("etc/resolv.conf")).expect("a file");
            let other = until(&mut watch, |it| role(it, "2001:db8::53").is_some()).await;
            assert_eq!(role(&other, "203.0.113.53"), None);

            let session = at("run/systemd/sessions/12");
            fs::write(at("run/systemd/sessions/.#12"), SESSION).expect("a file");
            fs::rename(at("run/systemd/sessions/.#12"), &session).expect("a file");
            let logged_in = until(&mut watch, |it| role(it, "198.51.100.7").is_some()).await;
            assert_eq!(role(&logged_in, "198.51.100.7"), Some(Role::Session));

            // One that has asked for a password and seen none.
            let greeter = SESSION.replace("CLASS=user", "CLASS=greeter");
            let greeter = greeter.replace("198.51.100.7", "198.51.100.8");
            fs::write(at("run/systemd/sessions/13"), greeter).expect("a file");
            fs::write(at("etc/resolv.conf"), "nameserver 203.0.113.54\n").expect("a file");
            let still = until(&mut watch, |it| role(it, "203.0.113.54").is_some()).await;
            assert_eq!(role(&still, "198.51.100.8"), None);
            assert_eq!(role(&still, "198.51.100.7"), Some(Role::Session));

            fs::remove_file(&session).expect("it is there");
            fs::write(at("etc/resolv.conf"), "nameserver 203.0.113.55\n").expect("a file");
            let grace = until(&mut watch, |it| role(it, "203.0.113.55").is_some()).await;
            assert_eq!(role(&grace, "198.51.100.7"), Some(Role::Session));
            until(&mut watch, |it| role(it, "198.51.100.7").is_none()).await;
        });
    });
}
