//! What Garita's sensors and its coordinator say to each other over MQTT 5, and nothing else: a program that speaks
//! with either needs only this crate. It does no IO, reads no clock, and draws no conclusion.
//!
//! ```text
//!  sensor ── garita/v1/<site>/<sensor>/{status, incident, condition, block, telemetry, reply/<id>} ──▶ coordinator
//!  sensor ◀── garita/v1/<site>/{<sensor>, all}/command ──────────────────────────────────────────── coordinator
//! ```
//!
//! - [`topics`] names where each message goes; [`envelope`] is what stands around its body, CloudEvents 1.0 as user
//!   properties, with the message's number in the sensor's outbox.
//! - Bodies are JSON: [`incident`] and [`condition`] in the Elastic Common Schema, [`record`] for blocks, reviews,
//!   allowances and the audit trail, [`telemetry`] each minute, [`status`] retained.
//! - [`command`] is what a sensor can be told to do, in the words of [`action`]; [`signature`] proves who told it, and
//!   [`reply`] is the answer.
//! - [`class`] names the attacks, [`flow`] a conversation and its Community ID, [`digest`] a whole block list.
//! - [`schema`] is all of it as JSON Schema, as `config/schema` shows it.
//!
//! Every document can be written and read back; what a reader does not know it passes over, except in commands, where
//! an unknown field is refused.

pub mod action;
pub mod address;
pub mod class;
pub mod command;
pub mod condition;
pub mod digest;
pub mod envelope;
pub mod flow;
pub mod incident;
pub mod printable;
pub mod record;
pub mod reply;
pub mod schema;
pub mod signature;
pub mod status;
pub mod telemetry;
pub mod timestamp;
pub mod topics;
