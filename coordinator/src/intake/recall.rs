//! The stored past as the correlator looks at it. It concludes nothing.

use crate::correlate::Sighting;
use crate::store::IncidentRow;

/// A stored incident as the correlator looks at it.
pub fn sighting(row: &IncidentRow) -> Option<Sighting> {
    Some(Sighting {
        incident: row.id.clone(),
        gate: (row.site.clone(), row.sensor.clone()),
        at: row.at,
        offender: row
            .offender
            .as_ref()
            .and_then(|address| address.parse().ok()),
        victim: row.victim.as_ref().and_then(|address| address.parse().ok()),
        port: row.port.and_then(|port| u16::try_from(port).ok()),
        sources: Vec::new(),
        class: row.class.parse().ok()?,
        proven: row.proven && row.decision == "block",
        until: row.until,
    })
}
