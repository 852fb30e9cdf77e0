//! Where incidents, blocks, reviews, the outbox and the audit trail survive: one SQLite file, one thread that writes it.
//! Nobody waits for it: detection and blocking go on whatever becomes of the disk.

mod entry;
mod error;
mod health;
mod rows;

pub use entry::{Entry, Kind, Message, Topic};
pub use error::StoreError;
pub use health::{Health, State};
pub use rows::{
    AuditCheck, AuditHead, Dropped, IncidentQuery, Labelled, Offences, OutboxExtent, Page,
    PastBlock, Posted, Recovered, Released, StoredIncident,
};
