//! What user space takes while traffic passes at a steady rate, and how much of it is seen at saturation: the kernel meter
//! and, beside it, every packet through libpcap into the same accounting.

use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use detection::dataplane::DataPlane;
use detection::frame::{Frame, LinkType, Timestamp};
use detection::meter::Caps;
use ebpf::account::Limits;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::time::{ClockId, clock_gettime};
use sensor::capture::LiveSource;
use sensor::capture::kernel::Kernel;
use settings::Config;

use crate::traffic::{Order, Traffic};
use crate::{Objects, stay_on};

/// Packets a second, and for how long.
const RATE: u64 = 500_000;
const SECONDS: u64 = 6;
/// Frames at once, fifty milliseconds of the rate: to begin a run takes the kernel half as long.
const CHUNK: u32 = 25_000;
/// Frames at saturation.
const ALL: u32 = 4_000_000;
/// libpcap's buffer, bytes.
const BUFFER: i32 = 32 << 20;

/// What a consumer came to.
struct Seen {
    packets: u64,
    snapshots: usize,
    lost: u64,
    cpu: Duration,
}

/// Measures and prints.
pub(crate) fn print(objects: &Objects) -> Result<()> {
    println!(
        "\n{:<34}{:>10}{:>10}{:>12}{:>12}{:>12}",
        "user space", "sent", "seen", "snapshots", "lost", "CPU"
    );
    for (name, consume) in [("ebpf", kernel as Consumer), ("pcap", capture)] {
        let (sent, seen, elapsed) = beside(consume, || steadily(objects))?;
        let share = 100.0 * seen.cpu.as_secs_f64() / elapsed.as_secs_f64();
        row(
            &format!("{name}, {} k packets/s", sent / elapsed.as_millis() as u64),
            sent,
            &seen,
            share,
        );
        let (sent, seen, elapsed) = beside(consume, || at_once(objects))?;
        let share = 100.0 * seen.cpu.as_secs_f64() / elapsed.as_secs_f64();
        row(
            &format!(
                "{name}, {} k packets/s (saturation)",
                sent / elapsed.as_millis() as u64
            ),
            sent,
            &seen,
            share,
        );
    }
    Ok(())
}

fn row(name: &str, sent: u64, seen: &Seen, share: f64) {
    println!(
        "{name:<34}{sent:>10}{:>10}{:>12}{:>12}{share:>10.2} %",
        seen.packets, seen.snapshots, seen.lost
    );
}

type Consumer = fn(&AtomicBool, &mpsc::Sender<()>) -> Result<Seen>;

/// Sends beside a consumer on the other CPU, and returns what was sent, what was seen, and how long it took.
fn beside(consume: Consumer, send: impl FnOnce() -> Result<u64>) -> Result<(u64, Seen, Duration)> {
    let done = AtomicBool::new(false);
    let (ready, is_ready) = mpsc::channel();
    std::thread::scope(|scope| {
        let done = &done;
        let consumer = scope.spawn(move || {
            stay_on(1)?;
            consume(done, &ready)
        });
        is_ready.recv().context("the consumer did not begin")?;
        let begun = Instant::now();
        let sent = send();
        let elapsed = begun.elapsed();
        done.store(true, Ordering::Release);
        let seen = consumer
            .join()
            .map_err(|_| anyhow::anyhow!("the consumer died"))??;
        Ok((sent?, seen, elapsed))
    })
}

fn steadily(objects: &Objects) -> Result<u64> {
    let mut traffic = Traffic::load(&objects.traffic, 1)?;
    let mut order = Order::conversations(1_000);
    let (_never, pause) = mpsc::channel::<()>();
    let begun = Instant::now();
    let mut sent = 0;
    while begun.elapsed() < Duration::from_secs(SECONDS) {
        let due = begun.elapsed().as_micros() as u64 * RATE / 1_000_000;
        if due < sent + u64::from(CHUNK) {
            let _ = pause.recv_timeout(Duration::from_millis(1));
            continue;
        }
        traffic.send(&mut order, CHUNK)?;
        sent += u64::from(CHUNK);
    }
    Ok(sent)
}

fn at_once(objects: &Objects) -> Result<u64> {
    let mut traffic = Traffic::load(&objects.traffic, 1)?;
    traffic.send(&mut Order::conversations(1_000), ALL)?;
    Ok(u64::from(ALL))
}

/// CPU time of the calling thread.
fn spent() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map_or(Duration::ZERO, Duration::from)
}

fn kernel(done: &AtomicBool, ready: &mpsc::Sender<()>) -> Result<Seen> {
    let mut kernel = Kernel::open(&["lo".to_owned()], &Config::default())?;
    let mut snapshots = Vec::new();
    let mut taken = 0;
    ready.send(())?;
    let before = spent();
    while !done.load(Ordering::Acquire) {
        kernel.listen(Duration::from_millis(100), &mut snapshots)?;
        taken += snapshots.len();
        snapshots.clear();
    }
    let cpu = spent() - before;
    kernel.listen(Duration::ZERO, &mut snapshots)?;
    let statistics = kernel.statistics();
    Ok(Seen {
        packets: statistics
            .interfaces
            .iter()
            .map(|interface| interface.packets)
            .sum(),
        snapshots: taken + snapshots.len(),
        lost: statistics.losses.iter().map(|(_, count)| count).sum(),
        cpu,
    })
}

fn capture(done: &AtomicBool, ready: &mpsc::Sender<()>) -> Result<Seen> {
    let mut wire = pcap::Capture::from_device("lo")?
        .snaplen(256)
        .buffer_size(BUFFER)
        .timeout(10)
        .open()?
        .setnonblock()?;
    let caps = Caps {
        flows: 65_536,
        unanswered: 65_536,
        hosts: 16_384,
        pairs: 32_768,
    };
    let limits = Limits {
        seed: 7,
        flood_guard: 4_096,
        separate_tags: 0,
    };
    let mut plane = DataPlane::new(caps, limits);
    let mut snapshots = Vec::new();
    let (mut packets, mut taken) = (0, 0);
    ready.send(())?;
    let before = spent();
    loop {
        match wire.next_packet() {
            Ok(packet) => {
                packets += 1;
                let time =
                    packet.header.ts.tv_sec * 1_000_000_000 + packet.header.ts.tv_usec * 1000;
                let frame = Frame {
                    time: Timestamp::from_nanoseconds(time),
                    wire_len: packet.header.len,
                    bytes: packet.data,
                    link_type: LinkType::Ethernet,
                    interface: 1,
                };
                plane.take(&frame, &mut snapshots);
                taken += snapshots.len();
                snapshots.clear();
            }
            Err(_) if done.load(Ordering::Acquire) => break,
            Err(_) => {
                let mut readable = [PollFd::new(wire.as_fd(), PollFlags::POLLIN)];
                poll(&mut readable, PollTimeout::from(100_u8))?;
            }
        }
    }
    let cpu = spent() - before;
    Ok(Seen {
        packets,
        snapshots: taken,
        lost: u64::from(wire.stats()?.dropped),
        cpu,
    })
}
