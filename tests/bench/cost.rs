//! Nanoseconds a packet of the meter under four loads, beside an empty program and one that looks a conversation up and
//! counts: what any accounting would take at least.

use std::os::fd::{AsFd, AsRawFd};

use anyhow::{Context, Result};
use aya::sys::{Stats, enable_stats};
use ebpf::program::METER;

use crate::Objects;
use crate::loaded::{Meter, attach, classifier};
use crate::traffic::{Order, Traffic};

/// Frames between two looks at the ring: fewer than it has room for.
const CHUNK: u32 = 8_192;

struct Load {
    name: &'static str,
    order: Order,
    /// Frames before the measurement, and in each part of it.
    warm: u32,
    part: u32,
    /// What the meter may cost, in lookups, net of an empty program.
    limit: f64,
}

const PARTS: usize = 7;

fn loads() -> [Load; 4] {
    [
        Load {
            name: "established, 1 k flows",
            order: Order::conversations(1_000),
            warm: 64_000,
            part: 64_000,
            limit: 2.5,
        },
        Load {
            name: "established, 100 k flows",
            order: Order::conversations(100_000),
            warm: 3_300_000,
            part: 450_000,
            limit: 2.5,
        },
        Load {
            name: "every packet a new flow",
            order: Order::openings(),
            warm: 200_000,
            part: 100_000,
            limit: 1.6,
        },
        Load {
            name: "SYN flood, 1 M sources",
            order: Order::flood(),
            warm: 300_000,
            part: 100_000,
            limit: 1.5,
        },
    ]
}

/// Measures the loads whose name is wanted, and prints the table.
pub(crate) fn print(objects: &Objects, wanted: impl Fn(&str) -> bool) -> Result<()> {
    let _counting = enable_stats(Stats::RunTime).context("the kernel counts no run time")?;
    let loads: Vec<Load> = loads()
        .into_iter()
        .filter(|load| wanted(load.name))
        .collect();
    if loads.is_empty() {
        return Ok(());
    }
    println!(
        "{:<26}{:>8}{:>8}{:>8}{:>14}{:>8}",
        "ns a packet", "empty", "lookup", "meter", "net, lookups", "limit"
    );
    for load in loads {
        let mut traffic = Traffic::load(&objects.traffic, Meter::FLOWS)?;
        let mut meter = Meter::load(&objects.meter)?;
        let [empty, lookup, full] = measure(&mut traffic, &mut meter, &load)?;
        println!(
            "{:<26}{empty:>8.0}{lookup:>8.0}{full:>8.0}{:>14.2}{:>8.1}",
            load.name,
            (full - empty) / (lookup - empty),
            load.limit,
        );
    }
    Ok(())
}

/// Median nanoseconds of the three programs, which take turns, each with its own frames of the same order.
fn measure(traffic: &mut Traffic, meter: &mut Meter, load: &Load) -> Result<[f64; 3]> {
    let mut orders = [load.order; 3];
    let mut costs = [const { Vec::new() }; 3];
    for part in 0..=PARTS {
        for (program, (order, costs)) in orders.iter_mut().zip(&mut costs).enumerate() {
            let frames = match (part, program) {
                (0, 0) => 1000,
                (0, _) => load.warm,
                _ => load.part,
            };
            let cost = run(traffic, meter, (program, order, frames))?;
            if part > 0 {
                costs.push(cost);
            }
        }
    }
    Ok(costs.map(|mut costs| {
        costs.sort_unstable_by(f64::total_cmp);
        costs[PARTS / 2]
    }))
}

fn run(
    traffic: &mut Traffic,
    meter: &mut Meter,
    (program, order, frames): (usize, &mut Order, u32),
) -> Result<f64> {
    let name = ["empty", "lookup", METER][program];
    let ebpf = if program == 2 {
        &mut meter.ebpf
    } else {
        &mut traffic.ebpf
    };
    let link = attach(ebpf, name)?;
    let classifier = classifier(ebpf, name)?;
    let info = format!("/proc/self/fdinfo/{}", classifier.fd()?.as_fd().as_raw_fd());
    let before = spent(&info)?;
    let mut left = frames;
    while left > 0 {
        let chunk = left.min(CHUNK);
        traffic.send(order, chunk)?;
        left -= chunk;
        while meter.ring.next().is_some() {}
    }
    let after = spent(&info)?;
    drop(link);
    let runs = after.1 - before.1;
    anyhow::ensure!(
        runs == u64::from(frames),
        "{name} ran {runs} times on {frames} frames"
    );
    Ok((after.0 - before.0) as f64 / runs as f64)
}

/// Nanoseconds a program has run, and how often.
fn spent(info: &str) -> Result<(u64, u64)> {
    let text = std::fs::read_to_string(info)?;
    let field = |name: &str| -> Result<u64> {
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        Ok(line
            .with_context(|| format!("no {name} in {info}"))?
            .trim()
            .parse()?)
    };
    Ok((field("run_time_ns:")?, field("run_cnt:")?))
}
