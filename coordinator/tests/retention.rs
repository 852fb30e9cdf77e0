//! What is kept for how long, in both databases, and that a month goes whole where it can.

use coordinator::config::Config;
use coordinator::moment::{self, SECOND};
use coordinator::store::{Batch, IncidentRow, Scope, Store, TelemetryRow};

use crate::lab::on_both;

const DAY: i64 = 86_400 * SECOND;

fn row(id: &str, revision: i64, at: i64) -> IncidentRow {
    IncidentRow {
        id: id.to_owned(),
        first: at,
        is_known: false,
        site: "north".to_owned(),
        sensor: "a".to_owned(),
        event_id: id.to_owned(),
        revision,
        at,
        offender: Some("203.0.113.1".to_owned()),
        victim: None,
        port: None,
        class: "scan".to_owned(),
        decision: "block".to_owned(),
        severity: 3,
        proven: true,
        until: None,
        ended: false,
        doc: format!("{{\"revision\":{revision}}}"),
    }
}

fn figures(at: i64) -> TelemetryRow {
    TelemetryRow {
        site: "north".to_owned(),
        sensor: "a".to_owned(),
        at,
        doc: "{}".to_owned(),
    }
}

#[test]
fn what_is_too_old_goes_and_the_rest_stays() {
    on_both("what_is_too_old_goes", |_, database| {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        runtime.block_on(async {
            let store = Store::open(&database.url(), 4).await.expect("it opens");
            let now = moment::now();
            let old = now - 450 * DAY;
            store.prepare_months(old).await.expect("the months of then");
            store.prepare_months(now).await.expect("the months of now");
            let leadership = store
                .lead()
                .await
                .expect("it answers")
                .expect("nobody else leads");
            let batch = Batch {
                at: now,
                incidents: vec![row("old", 2, old), row("new", 2, now)],
                older: vec![row("old", 1, old - SECOND), row("new", 1, now - SECOND)],
                telemetry: [old, now].map(figures).into(),
                ..Batch::default()
            };
            store
                .write(&leadership, (&batch, 10))
                .await
                .expect("it is stored");
            let settings = Config::default().retention;
            let swept = store.sweep(&settings, now).await.expect("it sweeps");
            // Three tables, and the month of then is gone whole, where there are months.
            let expected = if database.is_shared() { 3 } else { 0 };
            assert!(
                swept.partitions >= expected && swept.rows + swept.partitions >= 3,
                "{swept:?}"
            );
            let again = store.sweep(&settings, now).await.expect("it sweeps");
            assert_eq!((again.rows, again.partitions), (0, 0));
            let scope = Scope::default();
            assert_eq!(
                store.incident(&scope, "old").await.expect("it answers"),
                None
            );
            let (latest, older) = store
                .incident(&scope, "new")
                .await
                .expect("it answers")
                .expect("it stays");
            assert!(latest.contains("\"revision\":2") && older.len() == 1);

            // Whoever was overtaken writes nothing.
            drop(leadership);
            let next = store
                .lead()
                .await
                .expect("it answers")
                .expect("nobody leads");
            drop(next);
            store.close().await;
        });
    });
}
