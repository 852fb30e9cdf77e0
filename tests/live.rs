//! Live capture on real interfaces in namespaces of the tests' own: what it meters, and what it survives.
//! The other end of each veth pair is a machine of its own; nothing leaves the two.

mod frames;
mod interfaces;

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use detection::meter::Caps;
use ebpf::account::Limits;
use ebpf::snapshot::Snapshot;
use sensor::capture::live::Live;
use sensor::capture::{LiveSource, Statistics};
use settings::Config;

use crate::netns::{Namespace, join};

/// A machine that captures, and one that talks to it: `wan0` there, `far0` here, 192.0.2.1 and 192.0.2.2.
pub(crate) fn machines(test: &str) -> Option<(Namespace, Namespace)> {
    let sensor = Namespace::new(test, "sensor")?;
    let peer = Namespace::new(test, "peer")?;
    connect(&sensor, &peer, "wan0");
    Some((sensor, peer))
}

/// Joins the two by a pair that is `link` at the sensor.
fn connect(sensor: &Namespace, peer: &Namespace, link: &str) {
    join((sensor, link), (peer, "far0"));
    for (end, link, last) in [(sensor, link, 1), (peer, "far0", 2)] {
        end.address(link, &format!("192.0.2.{last}/24"));
        end.address(link, &format!("2001:db8::{last}/64"));
    }
}

/// A tap with these settings below `[capture]`.
fn tap(settings: &str) -> Live {
    let text = format!("[capture]\n{settings}\n");
    let config = Config::layered(&text, "the test", Default::default());
    let config = config.expect("the test's settings are allowed");
    Live::open(&config.capture, caps(), limits()).expect("root may capture")
}

fn caps() -> Caps {
    let room = 4_096;
    Caps {
        flows: room,
        unanswered: room,
        hosts: room,
        pairs: room,
    }
}

fn limits() -> Limits {
    Limits {
        seed: 7,
        flood_guard: 4_096,
        separate_tags: 0,
    }
}

/// Listens until `enough` says so of what was counted and the snapshots so far; fails the test after ten seconds of it.
fn listen(
    live: &mut Live,
    snapshots: &mut Vec<Snapshot>,
    mut enough: impl FnMut(&Statistics, &[Snapshot]) -> bool,
) {
    let end = Instant::now() + Duration::from_secs(10);
    let mut before = 0;
    loop {
        let patience = Duration::from_millis(100);
        let now = live.listen(patience, snapshots).expect("listening goes on");
        assert!(now >= before, "time ran backwards");
        before = now;
        let statistics = live.statistics();
        if enough(&statistics, snapshots) {
            return;
        }
        assert!(Instant::now() < end, "it never came: {statistics:?}");
    }
}

/// Packets seen of the only interface.
fn packets(statistics: &Statistics) -> u64 {
    statistics.interfaces[0].packets
}

/// What a counter of losses says.
fn loss(statistics: &Statistics, cause: &str) -> u64 {
    let mut losses = statistics.losses.iter();
    losses
        .find(|(name, _)| *name == cause)
        .expect("the cause is counted")
        .1
}

/// Runs a Python script to its end.
fn python(machine: &Namespace, script: &str) {
    let output = machine
        .command("python3")
        .args(["-c", script])
        .stdin(Stdio::null())
        .output()
        .expect("python3 starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
}

/// Sends `count` datagrams to ports of their own, which nobody listens to.
fn knock(machine: &Namespace, count: u32) {
    python(
        machine,
        &format!(
            "import socket\n\
             for port in range({count}):\n    \
                 socket.socket(type=socket.SOCK_DGRAM).sendto(b'x' * 40, ('192.0.2.1', 20000 + port))"
        ),
    );
}

/// Whether a program is there; the test is noted as skipped where it is not.
fn has(test: &str, program: &str) -> bool {
    let there = Command::new(program).arg("--version").output().is_ok();
    if !there {
        crate::skip::skip(test, &format!("there is no {program}"));
    }
    there
}
