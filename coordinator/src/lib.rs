//! The command post: it hears every sensor, keeps what they report, sees what no single one can, lets people decide, and
//! gives signed orders back.
//!
//! ```text
//!  sensors ─ MQTT ▶ intake ▶ store ◀ api ◀ people, programs
//!     ▲               │ correlate, desk
//!     └── orders ◀────┘
//! ```
//!
//! `correlate`, `desk` and what of `intake` and `orders` decides do no IO: time is an argument.

pub mod access;
pub mod api;
pub mod config;
pub mod correlate;
pub mod desk;
pub mod intake;
pub mod moment;
pub mod orders;
pub mod serve;
pub mod store;
pub mod web;

pub use contract::printable::hex;
