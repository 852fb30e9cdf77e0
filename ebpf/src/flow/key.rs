//! The name of a conversation, the same for both directions.
//! It orders endpoints and keeps no state.

use crate::packet::Endpoints;

/// Which endpoint of a key, in key order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The endpoint that sorts first.
    Low,
    /// The endpoint that sorts last.
    High,
}

/// The canonical name of a conversation: the same for both directions.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FlowKey {
    /// Address of the endpoint that sorts first.
    pub low: crate::packet::Address,
    /// Address of the other endpoint.
    pub high: crate::packet::Address,
    /// Port of `low`.
    pub low_port: u16,
    /// Port of `high`.
    pub high_port: u16,
    /// Capturing interface.
    pub link: u32,
    /// VLAN or tunnel identifier.
    pub tag: u32,
    /// IANA protocol number.
    pub protocol: u8,
    /// ICMP type of the query; 0 for other protocols.
    pub icmp_type: u8,
    /// Always 0: keys are compared as bytes in the kernel.
    pub reserved: u16,
}

impl FlowKey {
    /// Writes the key of a packet between `endpoints` and returns the side that sent it.
    #[inline(always)]
    pub fn write(&mut self, endpoints: &Endpoints, link: u32, tag: u32) -> Side {
        let forward = match endpoints.source.high.cmp(&endpoints.destination.high) {
            core::cmp::Ordering::Equal => {
                match endpoints.source.low.cmp(&endpoints.destination.low) {
                    core::cmp::Ordering::Equal => {
                        endpoints.source_port <= endpoints.destination_port
                    }
                    order => order.is_lt(),
                }
            }
            order => order.is_lt(),
        };
        if forward {
            self.low = endpoints.source;
            self.high = endpoints.destination;
            self.low_port = endpoints.source_port;
            self.high_port = endpoints.destination_port;
        } else {
            self.low = endpoints.destination;
            self.high = endpoints.source;
            self.low_port = endpoints.destination_port;
            self.high_port = endpoints.source_port;
        }
        self.link = link;
        self.tag = tag;
        self.protocol = endpoints.protocol;
        self.icmp_type = endpoints.icmp_type;
        self.reserved = 0;
        if forward { Side::Low } else { Side::High }
    }
}
