//! What sensors publish, taken in: heard, read, followed by its numbers, concluded from, stored, and only then
//! acknowledged. One coordinator does it at a time.

mod broker;
mod document;
mod ledger;
pub mod post;
mod reading;
mod sequence;
mod serve;
mod session;

pub use reading::{Letter, Said, What, read};
pub use serve::{Health, Setup, serve};
