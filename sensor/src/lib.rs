//! Garita: a network edge sensor, from captured frames to incidents. This page is the map.
//!
//! ```text
//!  capture ─ Frame ▶ dataplane ─ Snapshot ▶ engine ─ Verdict ▶ firewall ─ Outcome ▶ incident
//!                    │                      │
//!                    ├ timeline             ├ features ▶ model ▶ evidence
//!                    ├ decode               ├ statistics
//!                    └ meter (ebpf crate)   └ policy
//! ```
//!
//! - [`capture`] hands out frames; [`decode`] peels them down to the IP packet; [`timeline`] makes their wall time a
//!   clock that never runs backwards; [`meter`] keeps the bounded tables behind the accounting of the `ebpf` crate,
//!   which the kernel program shares. [`dataplane`] is these four in a row.
//! - [`engine`] judges snapshots without IO and without a clock: [`features`] reads the vector, [`model`] scores it,
//!   [`evidence`] lets scores accumulate against an address, [`statistics`] says what one number says better, and
//!   [`policy`] draws the conclusion, its guard first.
//! - [`firewall`] enforces or shows; [`incident`] records what was decided about whom, and why, in words.
//! - [`replay`] is all of it over a capture; [`corpus`], [`learn`] and [`evaluate`] make models and say what they are
//!   worth, from the same snapshots.
//!
//! Data moves one way. What decides is apart from what does IO; time is an argument; nothing grows without a cap.

pub mod action;
pub mod agent;
pub mod capture;
pub mod clock;
pub mod condition;
pub mod config;
pub mod control;
pub mod corpus;
pub mod dataplane;
pub mod decode;
pub mod engine;
pub mod evaluate;
pub mod evidence;
pub mod features;
pub mod firewall;
pub mod incident;
pub mod learn;
pub mod meter;
pub mod model;
pub mod policy;
pub mod replay;
pub mod report;
pub mod service;
pub mod statistics;
pub mod store;
pub mod surroundings;
pub mod telemetry;
pub mod timeline;
pub mod verdict;
pub mod warden;
pub mod watch;
