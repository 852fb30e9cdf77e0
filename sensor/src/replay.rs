//! Replay: a capture through the whole pipeline, in capture time.
//! What it prints is what the daemon would do.

use ebpf::account::Limits;

use crate::meter::Caps;

/// What replaying depends on besides the capture and the model.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Table sizes.
    pub caps: Caps,
    /// Settings of the meter.
    pub limits: Limits,
    /// Ports at which passwords can be tried, beside the known ones.
    pub auth_ports: Vec<u16>,
}

/// Seed of the bitmap hashes in replay: fixed, so that the same frames give the same bytes.
pub const REPLAY_SEED: u64 = 0x6761_7269_7461_2131;

/// Unanswered flows a minute to one responder above which no new initiator gets an entry.
pub const FLOOD_GUARD: u32 = 4_096;

impl Default for Setup {
    fn default() -> Self {
        Self {
            caps: Caps {
                flows: 65_536,
                unanswered: 65_536,
                hosts: 16_384,
                pairs: 32_768,
            },
            limits: Limits {
                seed: REPLAY_SEED,
                flood_guard: FLOOD_GUARD,
                reserved: 0,
            },
            auth_ports: Vec::new(),
        }
    }
}
