//! The UDP ports at which tunnels are looked for. What comes to another port is never taken for one.

use settings::{Carriers, List};

/// A carrier over UDP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carrier {
    /// VXLAN (RFC 7348).
    Vxlan,
    /// VXLAN with a next protocol (draft-ietf-nvo3-vxlan-gpe).
    VxlanGpe,
    /// Geneve (RFC 8926).
    Geneve,
    /// GTP-U (3GPP TS 29.281).
    Gtp,
    /// L2TP (RFC 2661).
    L2tp,
    /// Teredo (RFC 4380).
    Teredo,
    /// CAPWAP's data channel (RFC 5415).
    Capwap,
    /// MikroTik's sniffer, a mirror.
    Tzsp,
    /// LISP's data (RFC 9300).
    Lisp,
    /// MPLS over UDP (RFC 7510).
    Mpls,
}

impl Carrier {
    /// Whether the answer comes from the port, to any other.
    const fn answers_from_port(self) -> bool {
        matches!(self, Carrier::L2tp | Carrier::Teredo | Carrier::Capwap)
    }
}

/// Words of a set of ports.
const WORDS: usize = 65_536 / 64;

/// Which port is whose. A packet is asked about by one bit each for sender and receiver.
#[derive(Debug, Clone)]
pub struct Ports {
    carriers: Vec<(u16, Carrier)>,
    to: Box<[u64; WORDS]>,
    from: Box<[u64; WORDS]>,
}

impl Ports {
    /// These ports; the first carrier of a port has it.
    pub fn new(carriers: impl IntoIterator<Item = (u16, Carrier)>) -> Self {
        let mut ports = Self {
            carriers: Vec::new(),
            to: Box::new([0; WORDS]),
            from: Box::new([0; WORDS]),
        };
        for (port, carrier) in carriers {
            if has(&ports.to, port) {
                continue;
            }
            ports.carriers.push((port, carrier));
            set(&mut ports.to, port);
            if carrier.answers_from_port() {
                set(&mut ports.from, port);
            }
        }
        ports
    }

    /// Whether a packet between these ports may be a tunnel's.
    #[inline]
    pub(super) fn may_carry(&self, source: u16, destination: u16) -> bool {
        has(&self.to, destination) || has(&self.from, source)
    }

    /// What a packet between these ports is, if it is a tunnel's.
    pub(super) fn carrier(&self, source: u16, destination: u16) -> Option<Carrier> {
        let of = |port: u16| self.carriers.iter().find(|(known, _)| *known == port);
        match of(destination) {
            Some((_, carrier)) => Some(*carrier),
            None => of(source)
                .map(|(_, carrier)| *carrier)
                .filter(|carrier| carrier.answers_from_port()),
        }
    }
}

impl Default for Ports {
    fn default() -> Self {
        Self::from(&Carriers::default())
    }
}

impl From<&Carriers> for Ports {
    fn from(settings: &Carriers) -> Self {
        let lists = [
            (&settings.vxlan, Carrier::Vxlan),
            (&settings.vxlan_gpe, Carrier::VxlanGpe),
            (&settings.geneve, Carrier::Geneve),
            (&settings.gtp, Carrier::Gtp),
            (&settings.l2tp, Carrier::L2tp),
            (&settings.teredo, Carrier::Teredo),
            (&settings.capwap, Carrier::Capwap),
            (&settings.tzsp, Carrier::Tzsp),
            (&settings.lisp, Carrier::Lisp),
            (&settings.mpls, Carrier::Mpls),
        ];
        let ports = |(list, carrier): (&List<u16>, Carrier)| {
            let ports = list.to_vec();
            ports.into_iter().map(move |port| (port, carrier))
        };
        Self::new(lists.into_iter().flat_map(ports))
    }
}

#[inline]
fn has(set: &[u64; WORDS], port: u16) -> bool {
    set[usize::from(port >> 6)] >> (port & 63) & 1 == 1
}

fn set(set: &mut [u64; WORDS], port: u16) {
    set[usize::from(port >> 6)] |= 1 << (port & 63);
}
