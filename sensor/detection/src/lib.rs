//! What the sensor decides, and what it decides from: frames in, verdicts out. No IO but the loading of a model file,
//! no clock, nothing asynchronous: time is an argument, and the same frames give the same verdicts.
//!
//! ```text
//!  frame ▶ decode ▶ timeline ▶ meter ─ Snapshot ▶ engine ─ Verdict ▶
//!                              (ebpf crate)        ├ features ▶ model ▶ evidence
//!                                                  ├ statistics
//!                                                  └ policy
//! ```
//!
//! - [`decode`] peels a [`frame`] down to its IP packet, [`timeline`] makes its time a clock that never runs backwards,
//!   [`meter`] keeps the bounded tables behind the accounting of the `ebpf` crate, which the kernel program shares.
//!   [`dataplane`] is these in a row.
//! - [`engine`] judges snapshots: [`features`] reads the vector, [`model`] scores it, [`evidence`] lets scores
//!   accumulate against an address, [`statistics`] says what one number says better, [`memory`] keeps for hours whom an
//!   address met, where it tried to log in and how regularly it calls, and [`policy`] draws the
//!   conclusion, its guard first. A [`verdict`] carries all that an incident tells; [`service`] knows ports.

pub mod dataplane;
pub mod decode;
pub mod engine;
pub mod evidence;
pub mod features;
pub mod frame;
mod link_type;
pub mod memory;
pub mod meter;
pub mod model;
pub mod policy;
pub mod service;
pub mod statistics;
pub mod timeline;
pub mod verdict;
