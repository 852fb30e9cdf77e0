//! Garita: a network edge sensor, from captured frames to incidents. This page is the map.
//!
//! ```text
//!  capture ─ Frame ▶ detection ─ Verdict ▶ blocklist ▶ firewall ─ Outcome ▶ incident ▶ store ▶ report
//! ```
//!
//! - [`capture`] hands out frames of files and interfaces, or snapshots of the kernel's meter.
//! - The crate `detection` decides: it decodes and meters frames and judges what they add up to. `settings` is every
//!   setting, `learning` makes models, `contract` is what is said to a coordinator.
//! - [`firewall`] enforces or shows; [`incident`] records what was decided about whom, and why, in words; [`store`]
//!   keeps it and [`report`] tells it.
//! - [`replay`] is all of it over a capture; [`corpus`] and [`evaluate`] feed labelled captures to `learning`, and say
//!   what a model is worth.
//!
//! Data moves one way. What decides is apart from what does IO; time is an argument; nothing grows without a cap.

pub mod action;
pub mod agent;
pub mod blocklist;
pub mod capture;
pub mod clock;
pub mod condition;
pub mod control;
pub mod corpus;
pub mod evaluate;
pub mod firewall;
pub mod incident;
pub mod local_network;
pub mod pipeline;
pub mod replay;
pub mod report;
pub mod store;
pub mod telemetry;
