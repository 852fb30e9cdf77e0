//! What two CPUs lose that charge one conversation at the same time: the entries have no lock, and counts are read,
//! added to and written back.

use std::mem::offset_of;
use std::sync::Barrier;

use anyhow::Result;
use ebpf::flow::{FlowKey, FlowStats, Half};
use ebpf::host::{HostKey, HostStats, Initiated, Minute, Window};
use ebpf::program::map;

use crate::loaded::Meter;
use crate::traffic::{Order, Traffic};
use crate::{Objects, stay_on};

/// Frames of each CPU.
const FRAMES: u32 = 2_000_000;

/// Measures and prints.
pub(crate) fn print(objects: &Objects) -> Result<()> {
    let mut meter = Meter::load(&objects.meter)?;
    let link = meter.attach()?;
    let start = Barrier::new(2);
    std::thread::scope(|scope| -> Result<()> {
        let both = [0, 1].map(|cpu| {
            let start = &start;
            scope.spawn(move || -> Result<()> {
                stay_on(cpu)?;
                let mut traffic = Traffic::load(&objects.traffic, 1)?;
                let mut order = Order::conversations(1);
                start.wait();
                traffic.send(&mut order, FRAMES)
            })
        });
        for thread in both {
            thread
                .join()
                .map_err(|_| anyhow::anyhow!("a sender died"))??;
        }
        Ok(())
    })?;
    drop(link);
    let sent = 2 * u64::from(FRAMES);
    let flows = meter.values::<{ size_of::<FlowKey>() }, { size_of::<FlowStats>() }>(map::FLOWS)?;
    let [low, high] = [offset_of!(FlowStats, low), offset_of!(FlowStats, high)];
    let packets = offset_of!(Half, packets);
    let flow: u64 = flows
        .iter()
        .map(|flow| word(flow, low + packets) + word(flow, high + packets))
        .sum();
    // The client's windows: two buckets of half a minute hold all of it, if the run takes no longer.
    let hosts = meter.values::<{ size_of::<HostKey>() }, { size_of::<HostStats>() }>(map::HOSTS)?;
    let minute = offset_of!(HostStats, minute);
    let buckets = [
        offset_of!(Window<Minute>, current),
        offset_of!(Window<Minute>, previous),
    ];
    let charged = [
        offset_of!(Initiated, packets_out),
        offset_of!(Initiated, packets_in),
    ];
    let initiated = offset_of!(Minute, initiated);
    let host = |host: &[u8; size_of::<HostStats>()]| -> u64 {
        let places = buckets
            .iter()
            .flat_map(|bucket| charged.map(|field| minute + bucket + initiated + field));
        places.map(|place| word(host, place)).sum()
    };
    let host: u64 = hosts.iter().map(host).max().unwrap_or_default();
    let lost = |counted: u64| 100.0 * (sent.saturating_sub(counted)) as f64 / sent as f64;
    println!("\ntwo CPUs on one conversation, both directions on each: {sent} packets");
    println!(
        "  lost in the flow {:.2} %, in the host {:.2} %",
        lost(flow),
        lost(host)
    );
    Ok(())
}

fn word(bytes: &[u8], at: usize) -> u64 {
    let word = bytes.get(at..at + 4).and_then(|word| word.try_into().ok());
    u64::from(u32::from_ne_bytes(word.unwrap_or_default()))
}
