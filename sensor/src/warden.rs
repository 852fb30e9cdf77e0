//! The warden: the one list of what is blocked, allowed and waiting for a person, and the only way to change it.
//! It never looks at traffic, and whoever asks is asked by the same guard.

mod desk;

pub use desk::{Away, Desk, Enforcement, Message, Reply, Standing, Suspicion, Switch};
