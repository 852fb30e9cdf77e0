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

pub mod config;
pub mod moment;
pub mod store;

/// The names of classes, as incidents write them.
pub const CLASSES: [&str; 8] = [
    "scan", "brute-force", "flood", "ddos", "slow-dos", "c2", "tunnel", "exploit",
];

/// Whether `name` can be a site or a sensor: a level of a topic.
pub fn is_label(name: &str) -> bool {
    let plain = |byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
    (1..=63).contains(&name.len()) && name.bytes().all(plain) && name != "all"
}

/// Bytes in hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
