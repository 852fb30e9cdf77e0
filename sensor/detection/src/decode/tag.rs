//! The virtual network a packet travelled in, as one number for the flow key.
//! It holds only what is the same in both directions: no MPLS label, no PPPoE session.

use std::fmt;

/// Bits of a [`Tag`] that hold the identifier; the four above hold the kind.
const ID_BITS: u32 = 28;
const ID_MASK: u32 = (1 << ID_BITS) - 1;

/// VLAN and tunnel of a packet; zero for neither. A single VLAN is its plain number, 1 to 4095,
/// which is what the kernel's `vlan_tci` gives without further ado.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Tag(u32);

/// What the identifier of a [`Tag`] means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TagKind {
    /// 802.1Q, the VLAN number.
    Vlan = 0,
    /// Two VLANs: outer << 12 | inner.
    QinQ = 1,
    /// GRE, the key or 0.
    Gre = 2,
    /// IP in IP, 4 and 6 in any combination; 0.
    IpInIp = 3,
    /// VXLAN, the network identifier.
    Vxlan = 4,
    /// Geneve, the network identifier.
    Geneve = 5,
    /// GTP-U; 0, because its endpoint identifiers differ by direction.
    Gtp = 6,
    /// L2TP; 0, for the same reason.
    L2tp = 7,
    /// Teredo; 0.
    Teredo = 8,
    /// CAPWAP; 0.
    Capwap = 9,
    /// LISP, the instance or 0.
    Lisp = 10,
    /// ERSPAN or TZSP, a mirror's carriers; 0, because a mirror may have a session for each direction.
    Mirror = 11,
    /// A provider's backbone, the service instance (IEEE 802.1ah).
    Backbone = 12,
    /// Several of the above inside each other: a hash of all.
    Nested = 15,
}

impl Tag {
    /// Neither VLAN nor tunnel.
    pub const NONE: Tag = Tag(0);

    /// The tag of `kind` with `id`, folded to 28 bits (only a GRE key is longer).
    pub const fn new(kind: TagKind, id: u32) -> Tag {
        Tag((kind as u32) << ID_BITS | (id ^ id >> ID_BITS) & ID_MASK)
    }

    /// The number to put in a flow key.
    pub const fn get(self) -> u32 {
        self.0
    }

    /// This tag with another one found inside it.
    pub(super) const fn with(self, kind: TagKind, id: u32) -> Tag {
        let inner = Tag::new(kind, id);
        match (self.0 >> ID_BITS, self.0, kind) {
            (_, 0, _) => inner,
            // VLAN 0 is a priority mark, not a network.
            (_, _, TagKind::Vlan) if id == 0 => self,
            (0, outer, TagKind::Vlan) => Tag::new(TagKind::QinQ, outer << 12 | id),
            _ => {
                // Fibonacci hashing: the multiplier spreads either tag over the upper bits.
                let mixed = (self.0.wrapping_mul(0x9e37_79b1) ^ inner.0).wrapping_mul(0x9e37_79b1);
                Tag::new(TagKind::Nested, mixed >> (32 - ID_BITS))
            }
        }
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id = self.0 & ID_MASK;
        match self.0 >> ID_BITS {
            0 if id == 0 => write!(f, "untagged"),
            0 => write!(f, "vlan {id}"),
            1 => write!(f, "vlan {}.{}", id >> 12, id & 0xfff),
            2 => write!(f, "gre {id}"),
            3 => write!(f, "ip-in-ip"),
            4 => write!(f, "vxlan {id}"),
            5 => write!(f, "geneve {id}"),
            6 => write!(f, "gtp"),
            7 => write!(f, "l2tp"),
            8 => write!(f, "teredo"),
            9 => write!(f, "capwap"),
            10 => write!(f, "lisp {id}"),
            11 => write!(f, "mirror"),
            12 => write!(f, "backbone {id}"),
            _ => write!(f, "nested {id:07x}"),
        }
    }
}
