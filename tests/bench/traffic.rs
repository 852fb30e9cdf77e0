//! Frames made in the kernel and handed to its network stack in batches, as a fast interface would: loopback carries them,
//! in a namespace without a way out.

use anyhow::{Context, Result};
use aya::maps::Array;
use aya::programs::{TestRun, TestRunAttrs, TestRunOptions, Xdp};
use aya::{Ebpf, EbpfLoader};

/// The most frames a driver hands over at once.
const BATCH: u32 = 64;

/// What frames to make, in the fields of `Order` in `ebpf/src/traffic.rs`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Order {
    next: u64,
    flows: u64,
    clients: u64,
    servers: u64,
}

impl Order {
    /// Packets of `flows` conversations that take turns.
    pub(crate) const fn conversations(flows: u64) -> Self {
        Self {
            next: 0,
            flows,
            clients: 250,
            servers: 16,
        }
    }

    /// A new conversation with each packet.
    pub(crate) const fn openings() -> Self {
        Self {
            next: 0,
            flows: 0,
            clients: 250,
            servers: 250,
        }
    }

    /// A SYN from another source with each packet, to one victim.
    pub(crate) const fn flood() -> Self {
        Self {
            next: 0,
            flows: 0,
            clients: 0,
            servers: 0,
        }
    }

    fn template(&self) -> Vec<u8> {
        let mut frame = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2];
        let tcp = [
            0, 0, 0, 80, 0, 0, 3, 0xe8, 0, 0, 0, 0, 0x50, 2, 0xff, 0xff, 0, 0, 0, 0,
        ];
        if self.clients == 0 {
            frame.extend([0x86, 0xdd, 0x60, 0, 0, 0, 0, 20, 6, 64]);
            frame.extend([0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
            frame.extend([
                0x20, 0x01, 0x0d, 0xb8, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 80,
            ]);
            frame.extend(tcp);
        } else {
            frame.extend([0x08, 0x00, 0x45, 0, 0, 50, 0, 1, 0x40, 0, 64, 6, 0, 0]);
            frame.extend([0; 8]);
            frame.extend(tcp);
            frame.extend([0; 10]);
        }
        frame
    }
}

/// The source of frames, and the programs the meter is compared with.
pub(crate) struct Traffic {
    pub(crate) ebpf: Ebpf,
}

impl Traffic {
    /// Loads `object`, whose lookups have room for `entries` conversations.
    pub(crate) fn load(object: &[u8], entries: u32) -> Result<Self> {
        let mut ebpf = EbpfLoader::new()
            .btf(None)
            .map_max_entries("SEEN", entries)
            .load(object)
            .context("the traffic programs do not load")?;
        let source: &mut Xdp = ebpf
            .program_mut("traffic")
            .context("no source")?
            .try_into()?;
        source.load().context("the source does not load")?;
        Ok(Self { ebpf })
    }

    /// Makes the next `count` frames of `order`.
    pub(crate) fn send(&mut self, order: &mut Order, count: u32) -> Result<()> {
        let fields = [order.next, order.flows, order.clients, order.servers];
        let map = self.ebpf.map_mut("ORDER").context("no order")?;
        Array::<_, [u64; 4]>::try_from(map)?.set(0, fields, 0)?;
        let source: &mut Xdp = self
            .ebpf
            .program_mut("traffic")
            .context("no source")?
            .try_into()?;
        let template = order.template();
        source.test_run(TestRunOptions {
            data_in: Some(&template),
            repeat: count,
            attrs: TestRunAttrs::new().xdp_live_frames(BATCH),
            ..TestRunOptions::default()
        })?;
        order.next += u64::from(count);
        Ok(())
    }
}
