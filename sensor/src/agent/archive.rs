//! The store as control asks it: queries in control's terms, answered by a reader of their own.
//! It keeps no connection, so that a file that was replaced is found again.

use std::net::IpAddr;

use serde_json::Value;

use crate::control::{
    Archive, ArchiveError, AuditVerification, IncidentFilter, IncidentHistory, Labelled, PastBlock,
    RefusedChange,
};
use crate::store::{
    AuditCheck, Entry, IncidentQuery, Page, Reader, Store, StoreError, StoredIncident,
};
use contract::class::Class;
use contract::printable::sentence;
use contract::record::{AuditEntry, Review, ReviewState};
use detection::features::SCHEMA;

impl Archive for Store {
    fn incidents(&self, filter: &IncidentFilter) -> Result<Vec<Value>, ArchiveError> {
        let query = IncidentQuery {
            since: filter.since,
            before: filter.before,
            net: filter.net,
            class: filter.class,
        };
        let incidents = reader(self)?.incidents(&query, first(filter.limit));
        incidents.map_err(unread)?.iter().map(document).collect()
    }

    fn incident(&self, id: &str) -> Result<Option<IncidentHistory>, ArchiveError> {
        let revisions = reader(self)?.incident(id).map_err(unread)?;
        if revisions.is_empty() {
            return Ok(None);
        }
        let documents: Result<_, _> = revisions.iter().map(document).collect();
        Ok(Some(IncidentHistory {
            revisions: documents?,
            features: revisions.into_iter().map(vector).collect(),
        }))
    }

    fn history(&self, address: IpAddr, limit: usize) -> Result<Vec<PastBlock>, ArchiveError> {
        let blocks = reader(self)?
            .blocks(address.into(), first(limit))
            .map_err(unread)?;
        let past = blocks.into_iter().map(|past| {
            let released = past.released;
            PastBlock {
                block: past.block,
                released: released.as_ref().map(|released| released.at),
                released_by: released.as_ref().map(|released| released.by.clone()),
                release_reason: released.map(|released| released.reason),
            }
        });
        Ok(past.collect())
    }

    fn reviews(
        &self,
        state: Option<ReviewState>,
        limit: usize,
    ) -> Result<Vec<Review>, ArchiveError> {
        reader(self)?.reviews(state, first(limit)).map_err(unread)
    }

    fn labelled(&self, from: usize, limit: usize) -> Result<Vec<Labelled>, ArchiveError> {
        let page = Page {
            skip: u32::try_from(from).unwrap_or(u32::MAX),
            ..first(limit)
        };
        let labelled = reader(self)?.labelled(page).map_err(unread)?;
        let labels = labelled.into_iter().filter_map(|labelled| {
            let answered = labelled.review.answered?;
            let innocent = labelled.review.state == ReviewState::Dismissed;
            Some(Labelled {
                review: labelled.review.id,
                address: labelled.review.address,
                class: if innocent {
                    Class::Benign
                } else {
                    labelled.review.class
                },
                by: answered.by,
                at: answered.at,
                features: vector(labelled.incident),
            })
        });
        Ok(labels.collect())
    }

    fn audit(&self, from: Option<u64>, limit: usize) -> Result<Vec<AuditEntry>, ArchiveError> {
        let reader = reader(self)?;
        let limit = first(limit).limit;
        let from = match from {
            Some(from) => from,
            None => {
                let head = reader.audit_head().map_err(unread)?;
                let last = head.map_or(0, |head| head.seq);
                (last + 1).saturating_sub(u64::from(limit))
            }
        };
        reader.audit(from, limit).map_err(unread)
    }

    fn verify_audit(&self) -> Result<AuditVerification, ArchiveError> {
        Ok(match reader(self)?.verify_audit().map_err(unread)? {
            AuditCheck::Whole { entries, .. } => AuditVerification {
                entries,
                broken: None,
                why: None,
            },
            AuditCheck::Broken { seq, why } => AuditVerification {
                entries: seq.saturating_sub(1),
                broken: Some(seq),
                why: Some(why.to_owned()),
            },
        })
    }

    fn refused(&self, change: RefusedChange) {
        let RefusedChange {
            by,
            action,
            object,
            outcome,
        } = change;
        self.record(Entry::Audit {
            by,
            action,
            object,
            outcome,
        });
    }
}

fn reader(store: &Store) -> Result<Reader, ArchiveError> {
    store.current_reader().map_err(unread)
}

fn unread(error: StoreError) -> ArchiveError {
    ArchiveError(sentence(&error))
}

fn first(limit: usize) -> Page {
    Page {
        limit: u32::try_from(limit).unwrap_or(u32::MAX),
        skip: 0,
    }
}

fn document(incident: &StoredIncident) -> Result<Value, ArchiveError> {
    serde_json::from_str(&incident.document)
        .map_err(|error| ArchiveError(format!("incident {}: {error}", incident.id)))
}

/// Vectors of another list of features would be read under wrong names.
fn vector(incident: StoredIncident) -> Vec<f32> {
    match incident.feature_list == SCHEMA.hash() {
        true => incident.features,
        false => Vec::new(),
    }
}
