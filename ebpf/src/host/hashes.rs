//! What a flow adds to the bitmaps of its hosts. Nothing here says which host keeps which.

use crate::packet::Address;

/// The hashes one flow adds to the bitmaps of its hosts.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Hashes {
    pub(super) initiator: u64,
    pub(super) responder: u64,
    pub(super) port: u64,
    pub(super) service: u64,
}

impl Hashes {
    /// Hashes a flow from `initiator` to `responder` at `port` of `protocol`, under a seed an attacker does not know.
    #[inline(always)]
    pub fn new(seed: u64, initiator: &Address, responder: &Address, service: (u16, u8)) -> Self {
        let (port, protocol) = service;
        let label = u64::from(port) << 8 | u64::from(protocol);
        let responder = mix(mix(seed ^ responder.high) ^ responder.low);
        Self {
            initiator: mix(mix(seed ^ initiator.high) ^ initiator.low),
            responder,
            port: mix(seed ^ label),
            service: mix(responder ^ label),
        }
    }
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
