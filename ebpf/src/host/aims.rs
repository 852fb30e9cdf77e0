//! What a flow adds to the bitmaps of its hosts, hashed under a seed that an attacker does not know.

use crate::packet::Address;

/// What one flow adds to the bitmaps of its initiator.
#[derive(Clone, Copy, Debug)]
pub struct Aims {
    pub(super) responder: u64,
    pub(super) port: u64,
    pub(super) service: u64,
}

impl Aims {
    /// Hashes a flow to `responder` at a port of a protocol.
    #[inline(always)]
    pub fn new(seed: u64, responder: &Address, (port, protocol): (u16, u8)) -> Self {
        let label = u64::from(port) << 8 | u64::from(protocol);
        let responder = hash(seed, responder);
        Self {
            responder,
            port: mix(seed ^ label),
            service: mix(responder ^ label),
        }
    }
}

/// Hashes an address.
#[inline(always)]
pub(super) const fn hash(seed: u64, address: &Address) -> u64 {
    mix(mix(seed ^ address.high) ^ address.low)
}

/// A bijective mixer (MurmurHash3's 64-bit finaliser, public domain).
#[inline(always)]
const fn mix(mut value: u64) -> u64 {
    value ^= value >> 33;
    value = value.wrapping_mul(0xff51_afd7_ed55_8ccd);
    value ^= value >> 33;
    value = value.wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    value ^ value >> 33
}
