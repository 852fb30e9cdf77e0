//! Two namespaces and a wire between them: frames that are sent at one end arrive at the sensor's.
//! It never touches an interface the test did not make.

use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::time::{Duration, Instant};

use aya::programs::{SchedClassifier, TcAttachType};
use ebpf::snapshot::Snapshot;
use sensor::capture::kernel::Kernel;
use sensor::capture::{InterfaceStatistics, LiveSource, Statistics};
use settings::Config;

use super::frames::Script;
use crate::netns::{Namespace, join};
use crate::process::Process;
use crate::skip::skip;

/// Long enough for a slow machine; nothing here waits this long where all is well.
const DEADLINE: Duration = Duration::from_secs(30);

/// A veth pair: frames sent into `sender` arrive at the sensor's `wan`.
pub(super) struct Stage {
    pub(super) sensor: Namespace,
    pub(super) sender: Namespace,
}

impl Stage {
    /// One of the test's own; nothing where it cannot be, which is then noted as a skip.
    pub(super) fn new(test: &str) -> Option<Self> {
        let stage = Self::apart(test)?;
        stage.connect();
        Some(stage)
    }

    /// The same, without a link between the two.
    pub(super) fn apart(test: &str) -> Option<Self> {
        if !is_built() {
            skip(
                test,
                "this build has no kernel meter: GARITA_METER_OBJECT was not set",
            );
            return None;
        }
        let sensor = Namespace::new(test, "sensor")?;
        let sender = Namespace::new(test, "sender")?;
        for namespace in [&sensor, &sender] {
            namespace.run(|| {
                std::fs::write("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1")
                    .expect("root may silence a namespace");
            });
        }
        Some(Self { sensor, sender })
    }

    /// Makes the sensor's `wan` an interface whose frames begin with the IP header: what is written to the socket comes in
    /// there, as long as the process lives.
    pub(super) fn tunnel(&self, folder: &Path) -> (UnixDatagram, Process) {
        let path = folder.join("packets");
        let mut command = self.sensor.command("socat");
        command.args(["-u", "-d", "-d"]);
        command.arg(format!("UNIX-RECV:{}", path.display()));
        command.arg("TUN,tun-name=wan,iff-up,iff-no-pi");
        let process = Process::ready("socat", command, "starting data transfer");
        let packets = UnixDatagram::unbound().expect("a socket");
        packets.connect(path).expect("socat listens");
        (packets, process)
    }

    /// Makes the link between them.
    pub(super) fn connect(&self) {
        join((&self.sensor, "wan"), (&self.sender, "wan"));
        self.sensor.ip("link set wan mtu 9000");
        self.sender.ip("link set wan mtu 9000");
    }

    /// Puts frames on the wire to the sensor.
    pub(super) fn send(&self, frames: &[Vec<u8>]) {
        self.sender.run(|| {
            let mut wire = pcap::Capture::from_device("wan")
                .and_then(pcap::Capture::open)
                .expect("root may send frames");
            for frame in frames {
                wire.sendpacket(&frame[..])
                    .expect("the link takes the frame");
            }
        });
    }

    /// Filters at the clsact hooks of the sensor's link.
    pub(super) fn filters(&self) -> usize {
        let shown = ["ingress", "egress"].map(|direction| {
            let shown = self
                .sensor
                .command("tc")
                .args(["filter", "show", "dev", "wan", direction])
                .output()
                .expect("tc starts");
            let shown = String::from_utf8(shown.stdout).expect("tc prints text");
            shown
                .lines()
                .filter(|line| line.contains("garita_meter"))
                .count()
        });
        shown.iter().sum()
    }

    /// Whether the sensor's link has a clsact.
    pub(super) fn has_clsact(&self) -> bool {
        let shown = self
            .sensor
            .command("tc")
            .args(["qdisc", "show", "dev", "wan", "clsact"])
            .output()
            .expect("tc starts");
        !shown.stdout.is_empty()
    }

    /// Runs tc on the sensor's link.
    pub(super) fn tc(&self, words: &str) {
        let mut command = self.sensor.command("tc");
        let ended = command.args(words.split(' ')).status().expect("tc starts");
        assert!(ended.success(), "tc {words}");
    }

    /// Programs at the TCX hooks of the sensor's link.
    pub(super) fn programs(&self) -> usize {
        self.sensor.run(|| {
            let queried = [TcAttachType::Ingress, TcAttachType::Egress].map(|direction| {
                let queried = SchedClassifier::query_tcx("wan", direction);
                queried.expect("the kernel lists programs").1.len()
            });
            queried.iter().sum()
        })
    }
}

/// Whether this build has the kernel program inside.
fn is_built() -> bool {
    let without = Kernel::open(&[], &Config::default());
    !without.is_err_and(|error| error.to_string().contains("has no kernel meter"))
}

/// The one interface that is watched.
pub(super) fn watched() -> [String; 1] {
    ["wan".to_owned()]
}

/// Listens until `enough` is content with the snapshots so far and the statistics.
pub(super) fn listen(
    kernel: &mut Kernel,
    into: &mut Vec<Snapshot>,
    enough: impl Fn(&[Snapshot], &Statistics) -> bool,
) -> Statistics {
    let begun = Instant::now();
    let mut seen = 0;
    loop {
        let until = kernel
            .listen(Duration::from_millis(100), into)
            .expect("it listens");
        assert!(until >= seen, "time ran backwards");
        seen = until;
        let statistics = kernel.statistics();
        if enough(into, &statistics) {
            return statistics;
        }
        assert!(begun.elapsed() < DEADLINE, "never: {statistics:?}");
    }
}

/// What is known of it.
pub(super) fn wan(statistics: &Statistics) -> &InterfaceStatistics {
    &statistics.interfaces[0]
}

/// What was lost, where anything was.
pub(super) fn losses(statistics: &Statistics) -> Vec<(&'static str, u64)> {
    let lost = statistics.losses.iter().copied();
    lost.filter(|(_, count)| *count > 0).collect()
}

/// The bytes of scripted frames.
pub(super) fn bytes(script: &Script) -> Vec<Vec<u8>> {
    script
        .frames
        .iter()
        .map(|frame| frame.bytes.clone())
        .collect()
}
