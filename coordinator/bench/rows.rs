//! Years of incidents in PostgreSQL: how long the listings take that people ask for, and how long it takes to let go of a
//! month. The rows are made inside the database.

use std::time::{Duration, Instant};

use clap::Args;
use coordinator::config::{Config, Span};
use coordinator::moment;
use coordinator::store::Store;

use crate::lab::{Broker, Coordinator, Database};

#[derive(Args)]
pub(crate) struct Rows {
    /// Incidents
    #[arg(long, default_value_t = 1_000_000)]
    rows: usize,
    /// Requests of each kind
    #[arg(long, default_value_t = 200)]
    requests: usize,
    #[arg(long, hide = true)]
    bench: bool,
}

/// Over how many months they are spread.
const MONTHS: usize = 12;
/// A day, microseconds.
const DAY: i64 = 86_400_000_000;
const SETTINGS: &str = "http.requests_per_minute = 1000000\n";

/// Ten sites with ten sensors each, a hundred thousand offenders, a sixteenth of them seen much more often than the rest.
const FILL: &str = "
DO $$
DECLARE month integer; since bigint; until bigint; name text;
BEGIN
    FOR month IN 0..MONTHS-1 LOOP
        since := extract(epoch FROM date_trunc('month', now() AT TIME ZONE 'UTC') - make_interval(months => month))::bigint * 1000000;
        until := extract(epoch FROM date_trunc('month', now() AT TIME ZONE 'UTC') - make_interval(months => month - 1))::bigint * 1000000;
        name := to_char(to_timestamp(since / 1e6) AT TIME ZONE 'UTC', 'YYYY_MM');
        EXECUTE format('CREATE TABLE IF NOT EXISTS incident_%s PARTITION OF incident FOR VALUES FROM (%s) TO (%s)', name, since, until);
        INSERT INTO incident (id, first, site, sensor, event_id, revision, at, offender, victim, port, class, decision,
            severity, proven, blocked_until, ended, doc)
        SELECT id, at, 'site-' || n % 10, 's' || n % 100, id, 1, at, offender, '192.0.2.1', 443, class, 'block', 3, 1, NULL, 1,
            '{\"@timestamp\":\"2026-01-01T00:00:00Z\",\"ecs\":{\"version\":\"8.17.0\"},\"event\":{\"id\":\"' || id
            || '\",\"kind\":\"alert\",\"action\":\"block\",\"outcome\":\"success\",\"severity\":3,\"risk_score\":80},\"source\":{\"ip\":\"'
            || offender || '\",\"port\":40000},\"destination\":{\"ip\":\"192.0.2.1\",\"port\":443},\"message\":\"' || offender
            || ' ' || repeat('is explained here as a sensor does it, ', 8) || '\",\"garita\":{\"class\":\"' || class
            || '\",\"offender\":\"' || offender || '\",\"decision\":\"block\",\"revision\":1}}'
        FROM (
            SELECT n, md5(month || ':' || n) AS id,
                since + (random() * (least(until, extract(epoch FROM now())::bigint * 1000000) - since))::bigint AS at,
                '203.' || o / 65536 || '.' || o / 256 % 256 || '.' || o % 256 AS offender,
                (ARRAY['scan','scan','scan','brute-force','brute-force','flood','slow-dos','c2','tunnel'])[1 + n % 9] AS class
            FROM (
                SELECT n, (CASE WHEN n % 2 = 0 THEN random() * 6250 ELSE random() * 100000 END)::integer AS o
                FROM generate_series(1, ROWS) AS n
            ) AS numbers
        ) AS made;
    END LOOP;
END $$";

/// Fills, asks, and writes a table.
pub(crate) fn run(rows: &Rows) {
    let Some(database) = Database::postgres() else {
        println!("PostgreSQL is not installed");
        return;
    };
    let broker = Broker::start();
    let mut coordinator = Coordinator::start((&broker, &database), SETTINGS);
    let token = coordinator.token("viewer", None);
    coordinator.kill();
    let begun = Instant::now();
    let each = rows.rows / MONTHS;
    database.meddle(
        "DROP INDEX incident_at, incident_offender, incident_site, incident_class, incident_sensor",
    );
    database.meddle(
        &FILL
            .replace("MONTHS", &MONTHS.to_string())
            .replace("ROWS", &each.to_string()),
    );
    let steps = include_str!("../src/store/migrations/0003-months.sql");
    for index in steps
        .lines()
        .filter(|line| line.starts_with("CREATE INDEX incident_"))
    {
        database.meddle(index);
    }
    database.meddle("VACUUM ANALYZE incident");
    println!(
        "{} incidents over {MONTHS} months, made in {:.0} s",
        each * MONTHS,
        begun.elapsed().as_secs_f64()
    );
    coordinator.run();
    coordinator.wait_ready();
    println!(
        "{:<24} {:>10} {:>10} {:>10}",
        "", "p50, ms", "p95, ms", "worst, ms"
    );
    let now = moment::now();
    let offender = |n: usize| {
        let number = n * 7_919 % 100_000;
        format!(
            "203.{}.{}.{}",
            number / 65_536,
            number / 256 % 256,
            number % 256
        )
    };
    let often = |n: usize| {
        let number = n * 7_919 % 6_250;
        format!("203.0.{}.{}", number / 256, number % 256)
    };
    let past = |n: usize| moment::text(now - i64::try_from(n % 300).unwrap_or(0) * DAY);
    let asks: [(&str, &dyn Fn(usize) -> String); 8] = [
        ("first page", &|_| "/api/v1/incidents".to_owned()),
        ("an offender", &|n| {
            format!("/api/v1/incidents?offender={}", offender(n))
        }),
        ("a frequent offender", &|n| {
            format!("/api/v1/incidents?offender={}", often(n))
        }),
        ("site and class", &|n| {
            format!("/api/v1/incidents?site=site-{}&class=flood", n % 10)
        }),
        ("a site", &|n| {
            format!("/api/v1/incidents?site=site-{}", n % 10)
        }),
        ("a class", &|n| {
            format!(
                "/api/v1/incidents?class={}",
                ["c2", "scan", "tunnel"][n % 3]
            )
        }),
        ("before a day", &|n| {
            format!("/api/v1/incidents?until={}", past(n))
        }),
        ("history of an address", &|n| {
            format!("/api/v1/addresses/{}", often(n))
        }),
    ];
    for (name, path) in asks {
        let mut spans: Vec<Duration> = (0..rows.requests)
            .map(|n| {
                let begun = Instant::now();
                let answer = coordinator.get(&token, &path(n));
                assert_eq!(answer.status, 200, "{answer:?}");
                begun.elapsed()
            })
            .collect();
        spans.sort_unstable();
        let at = |share: usize| {
            spans[(spans.len() * share / 100).min(spans.len() - 1)].as_secs_f64() * 1_000.0
        };
        println!(
            "{name:<24} {:>10.1} {:>10.1} {:>10.1}",
            at(50),
            at(95),
            at(100)
        );
    }
    let_go((&coordinator, &database), each);
}

/// Lets the oldest month go.
fn let_go((_, database): (&Coordinator, &Database), each: usize) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = runtime.expect("a runtime");
    runtime.block_on(async {
        let store = Store::open(&database.url(), 2).await.expect("it opens");
        let mut retention = Config::default().retention;
        // The first of the oldest month is at least so many days back.
        retention.incidents = Span::seconds(u64::try_from(MONTHS - 1).unwrap_or(0) * 30 * 86_400);
        let begun = Instant::now();
        let swept = store
            .sweep(&retention, moment::now())
            .await
            .expect("it sweeps");
        println!(
            "a month of {each} incidents went in {:.0} ms: {} partitions, {} rows",
            begun.elapsed().as_secs_f64() * 1_000.0,
            swept.partitions,
            swept.rows
        );
        store.close().await;
    });
}
