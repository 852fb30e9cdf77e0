//! Who sends most to a responder that many send to: the sources an alert about a victim names.
//! It remembers a few senders of a few responders, whatever the flood.

use std::net::IpAddr;

use ebpf::snapshot::Snapshot;

/// Bits of distinct initiators from which a responder is worth remembering; half the alarm's first threshold.
const WORTH_NOTING: u16 = 32;
/// Responders remembered, the least recently flooded forgotten first.
const MAX_VICTIMS: usize = 64;
/// Senders remembered of each.
const MAX_SOURCES: usize = 10;

/// Responders with many initiators, the most recent last.
#[derive(Debug, Default)]
pub(super) struct Victims(Vec<Victim>);

#[derive(Debug)]
struct Victim {
    address: IpAddr,
    /// Packets and sender, the most first.
    sources: Vec<(u32, IpAddr)>,
}

impl Victims {
    /// Remembers the sender of a snapshot whose responder hears from many.
    pub(super) fn note(&mut self, snapshot: &Snapshot) {
        if snapshot.responder.initiators < WORTH_NOTING {
            return;
        }
        let [(source, _), (address, _)] = snapshot
            .charged()
            .map(|(end, port)| (IpAddr::from(end), port));
        let packets = snapshot.initiator.minute.packets_out.max(1);
        let mut victim = match self.0.iter().position(|victim| victim.address == address) {
            Some(at) => self.0.remove(at),
            None => Victim {
                address,
                sources: Vec::new(),
            },
        };
        victim.sources.retain(|&(_, other)| other != source);
        victim.sources.push((packets, source));
        victim.sources.sort_unstable_by(|a, b| b.cmp(a));
        victim.sources.truncate(MAX_SOURCES);
        self.0.push(victim);
        if self.0.len() > MAX_VICTIMS {
            self.0.remove(0);
        }
    }

    /// The senders remembered of a responder, the one with most packets first.
    pub(super) fn sources(&self, address: IpAddr) -> Vec<IpAddr> {
        let victim = self.0.iter().find(|victim| victim.address == address);
        victim
            .map(|victim| victim.sources.iter().map(|&(_, source)| source).collect())
            .unwrap_or_default()
    }
}
