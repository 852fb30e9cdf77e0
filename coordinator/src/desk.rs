//! What is decided for the fleet: whom it keeps out, and who must never be. It does no IO and reads no clock.

pub mod fleet;
pub mod guard;
