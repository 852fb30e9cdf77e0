//! A flood of datagrams into the gateway: from two networks of senders, to every port, as fast as one sender goes.
//! It sends from the outside namespace, and nowhere else.

use std::fs::File;
use std::net::{Ipv4Addr, UdpSocket};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use anyhow::{Context, Result};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::network::{GATEWAY, Network};

/// Senders: a network of strangers, and one that the trial has allowed, whose datagrams pass every rule.
const NETWORKS: [[u8; 3]; 2] = [[203, 0, 113], [198, 51, 100]];

/// Senders of each network.
const SENDERS: u8 = 200;

/// A datagram's content: with its headers a frame of 106 bytes.
const CONTENT: [u8; 64] = [0x67; 64];

/// What was sent.
pub(super) struct Sent {
    pub(super) packets: u64,
    pub(super) flows: u64,
    pub(super) seconds: f64,
}

/// Sends while `going`.
pub(super) fn send(network: &Network, going: &AtomicBool) -> Result<Sent> {
    for [a, b, c] in NETWORKS {
        network.accept_as_outside(&format!("{a}.{b}.{c}.0/24"))?;
    }
    let namespace = File::open(format!("/run/netns/{}", network.outside))
        .context("the outside namespace has no file")?;
    move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))
        .context("the sender cannot enter the outside namespace")?;
    let senders = NETWORKS
        .into_iter()
        .flat_map(|[a, b, c]| (1..=SENDERS).map(move |d| Ipv4Addr::new(a, b, c, d)))
        .map(|address| UdpSocket::bind((address, 0)))
        .collect::<std::io::Result<Vec<_>>>()
        .context("a sender cannot be opened")?;
    let gateway: Ipv4Addr = GATEWAY.parse()?;
    let begun = Instant::now();
    let mut packets = 0;
    let mut rounds = 0;
    'all: loop {
        for port in 1..=u16::MAX {
            if !going.load(Ordering::Relaxed) {
                break 'all;
            }
            for sender in &senders {
                // An answer that nobody listens is an error of the next datagram.
                packets += u64::from(sender.send_to(&CONTENT, (gateway, port)).is_ok());
            }
            rounds += 1;
        }
    }
    Ok(Sent {
        packets,
        flows: rounds.min(u64::from(u16::MAX)) * senders.len() as u64,
        seconds: begun.elapsed().as_secs_f64(),
    })
}
