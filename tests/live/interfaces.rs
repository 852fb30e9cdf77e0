//! Interfaces that come, go and are told apart, and what is said of those that cannot be listened on.

use std::collections::HashMap;
use std::process::Command;

use nix::net::if_::if_nametoindex;
use sensor::capture::live::probe;
use sensor::capture::{CaptureError, LiveSource};
use settings::Config;

use super::{connect, knock, listen, machines, packets, tap};
use crate::netns::Namespace;

fn missing(why: &str) -> impl Fn(&sensor::capture::Statistics) -> bool {
    move |statistics| statistics.interfaces[0].missing.as_deref() == Some(why)
}

#[test]
fn a_deleted_interface_comes_back_with_its_new_index() {
    let test = "live::interfaces::a_deleted_interface_comes_back_with_its_new_index";
    let Some((sensor, peer)) = machines(test) else {
        return;
    };
    sensor.run(|| {
        let mut live = tap("interfaces = [\"wan0\"]\nfilter = \"udp\"");
        let mut snapshots = Vec::new();
        knock(&peer, 8);
        listen(&mut live, &mut snapshots, |statistics, _| {
            packets(statistics) == 8
        });
        let first = if_nametoindex("wan0").expect("it is there");
        let last_packet = live.statistics().interfaces[0].last_packet;
        assert!(last_packet > 0);

        sensor.ip("link delete wan0");
        let gone = missing("there is no such interface");
        listen(&mut live, &mut snapshots, |statistics, _| gone(statistics));

        connect(&sensor, &peer, "wan0");
        listen(&mut live, &mut snapshots, |statistics, _| {
            statistics.interfaces[0].missing.is_none()
        });
        let second = if_nametoindex("wan0").expect("it is there");
        assert_ne!(first, second);
        snapshots.clear();
        knock(&peer, 8);
        listen(&mut live, &mut snapshots, |statistics, _| {
            packets(statistics) == 16
        });
        assert!(snapshots.iter().any(|snapshot| snapshot.key.link == second));
        assert!(live.statistics().interfaces[0].last_packet > last_packet);
        for link in [first, second] {
            assert_eq!(live.interface(link), Some("wan0"));
        }
        assert_eq!(live.interface(second + 100), None);
    });
}

#[test]
fn an_interface_may_be_down_or_come_later() {
    let test = "live::interfaces::an_interface_may_be_down_or_come_later";
    let Some((sensor, peer)) = machines(test) else {
        return;
    };
    sensor.run(|| {
        let mut live = tap("interfaces = [\"late0\", \"wan0\"]\nfilter = \"udp\"");
        let mut snapshots = Vec::new();
        let states = |live: &mut sensor::capture::live::Live| {
            let statistics = live.statistics();
            let interfaces = statistics.interfaces.into_iter();
            interfaces
                .map(|seen| (seen.name, seen.missing))
                .collect::<HashMap<_, _>>()
        };
        let before = states(&mut live);
        assert_eq!(
            before["late0"].as_deref(),
            Some("there is no such interface")
        );
        assert_eq!(before["wan0"], None);

        sensor.ip("link set wan0 down");
        listen(&mut live, &mut snapshots, |statistics, _| {
            let mut down = statistics.interfaces.iter();
            down.any(|seen| seen.missing.as_deref() == Some("it is down"))
        });
        sensor.ip("link delete wan0");
        connect(&sensor, &peer, "late0");
        listen(&mut live, &mut snapshots, |statistics, _| {
            statistics.interfaces[0].missing.is_none()
        });
        let after = states(&mut live);
        assert_eq!(after["late0"], None);
        assert_eq!(after["wan0"].as_deref(), Some("there is no such interface"));
        knock(&peer, 8);
        listen(&mut live, &mut snapshots, |statistics, _| {
            packets(statistics) == 8
        });
    });
}

#[test]
fn without_a_name_the_default_routes_say_where() {
    let test = "live::interfaces::without_a_name_the_default_routes_say_where";
    let Some((sensor, peer)) = machines(test) else {
        return;
    };
    sensor.run(|| {
        let mut live = tap("");
        let mut snapshots = Vec::new();
        let nothing = &live.statistics().interfaces[0];
        let why = nothing.missing.as_deref().expect("nothing is listened on");
        assert!(why.contains("no default route"), "{why}");

        sensor.ip("link add lan0 type veth peer name lan1");
        sensor.ip("link set lan1 up");
        sensor.ip("link set lan0 up");
        for route in [
            "route add default via 192.0.2.2",
            "-6 route add default dev lan0",
        ] {
            sensor.ip(route);
        }
        listen(&mut live, &mut snapshots, |statistics, _| {
            let listening = |name: &str| {
                let mut seen = statistics.interfaces.iter();
                seen.any(|seen| seen.name == name && seen.missing.is_none())
            };
            listening("wan0") && listening("lan0")
        });
        sensor.ip("-6 route delete default dev lan0");
        listen(&mut live, &mut snapshots, |statistics, _| {
            statistics.interfaces.len() == 1
        });
        assert_eq!(live.statistics().interfaces[0].name, "wan0");

        // The provider's route may flap; what came over it does not stop being watched.
        sensor.ip("route delete default via 192.0.2.2");
        knock(&peer, 8);
        listen(&mut live, &mut snapshots, |statistics, _| {
            packets(statistics) >= 8
        });
    });
}

#[test]
fn what_stands_in_the_way_is_said_beforehand() {
    let test = "live::interfaces::what_stands_in_the_way_is_said_beforehand";
    let Some((sensor, _peer)) = machines(test) else {
        return;
    };
    let probe = |settings: &str| {
        let text = format!("[capture]\n{settings}\n");
        let config = Config::layered(&text, "the test", HashMap::new());
        let config = config.expect("the test's settings are allowed");
        sensor.run(|| probe(&config.capture))
    };
    let found = probe("interfaces = [\"gone0\", \"wan0\"]").expect("it can be said");
    let found: Vec<_> = found
        .into_iter()
        .map(|(name, obstacle)| (name, obstacle.map(|error| error.to_string())))
        .collect();
    let gone = "cannot capture on gone0: there is no such interface".to_owned();
    let expected = [("gone0".to_owned(), Some(gone)), ("wan0".to_owned(), None)];
    assert_eq!(found, expected);
    let error = probe("filter = \"port of call\"").expect_err("that is no filter");
    assert!(matches!(error, CaptureError::Filter { .. }), "{error}");
    let said = error.to_string();
    assert!(
        said.starts_with("capture.filter \"port of call\" is not a valid filter: "),
        "{said}"
    );
}

/// What a process without the right is told; the test below runs it as one.
#[test]
fn without_the_right_it_says_which() {
    let Some(expected) = std::env::var_os("GARITA_TEST_WITHOUT_NET_RAW") else {
        return deprived("live::interfaces::without_the_right_it_says_which");
    };
    assert_eq!(expected, "yes");
    let error = probe(&Config::default().capture).expect_err("the right is missing");
    assert!(matches!(error, CaptureError::NotPermitted), "{error}");
    assert!(error.to_string().contains("CAP_NET_RAW"));
}

/// Runs a test of this program again without CAP_NET_RAW.
fn deprived(test: &str) {
    let Some(_) = Namespace::new(test, "none") else {
        return;
    };
    let program = std::env::current_exe().expect("a test knows where it lies");
    let run = Command::new("setpriv")
        .args(["--bounding-set", "-net_raw", "--inh-caps", "-net_raw"])
        .arg(program)
        .args(["--exact", test])
        .env("GARITA_TEST_WITHOUT_NET_RAW", "yes")
        .output();
    let Ok(run) = run else {
        return crate::skip::skip(test, "there is no setpriv");
    };
    let said = String::from_utf8_lossy(&run.stdout);
    assert!(run.status.success() && said.contains("1 passed"), "{said}");
}
