//! The storm at full size: what is left of everything that sensors reported while everybody else was killed.

use std::time::Instant;

use clap::Args;

use crate::lab::storm::Storm;
use crate::lab::{Broker, Database};

#[derive(Args)]
pub(crate) struct Chaos {
    /// Sensors
    #[arg(long, default_value_t = 200)]
    sensors: usize,
    /// Incidents of all of them
    #[arg(long, default_value_t = 200_000)]
    incidents: usize,
    /// Kills of coordinators, broker and database
    #[arg(long, default_value_t = 30)]
    kills: usize,
    /// Incidents a second
    #[arg(long, default_value_t = 1_500)]
    rate: usize,
    /// Where randomness begins
    #[arg(long, default_value_t = 13)]
    seed: u64,
    /// Only with this database: sqlite or postgresql
    #[arg(long)]
    database: Option<String>,
    #[arg(long, hide = true)]
    bench: bool,
}

/// Rages with each database in turn, and writes a table.
pub(crate) fn run(chaos: &Chaos) {
    let storm = Storm {
        sensors: chaos.sensors,
        incidents: chaos.incidents,
        kills: chaos.kills,
        rate: chaos.rate,
        seed: chaos.seed,
    };
    println!(
        "{} sensors, {} incidents at {} a second, {} kills",
        storm.sensors, storm.incidents, storm.rate, storm.kills
    );
    println!(
        "{:<12} {:>10} {:>8} {:>10} {:>22} {:>16} {:>12} {:>8}",
        "",
        "stored",
        "lost",
        "repeated",
        "kills, C/broker/DB",
        "lead, worst, s",
        "settled, s",
        "all, s"
    );
    let databases = [
        ("SQLite", Some(Database::sqlite())),
        ("PostgreSQL", Database::postgres()),
    ];
    let wanted = chaos.database.as_deref();
    let is_wanted = |name: &str| wanted.is_none_or(|wanted| name.eq_ignore_ascii_case(wanted));
    for (name, database) in databases.into_iter().filter(|(name, _)| is_wanted(name)) {
        let Some(database) = database else {
            println!("{name:<12} is not installed");
            continue;
        };
        let begun = Instant::now();
        let after = storm.rage(Broker::start(), &database);
        let [coordinators, brokers, servers] = after.kills;
        let worst = after.changes.iter().max();
        let worst = worst.map_or_else(
            || "-".to_owned(),
            |worst| format!("{:.1}", worst.as_secs_f64()),
        );
        println!(
            "{name:<12} {:>10} {:>8} {:>10} {:>22} {worst:>16} {:>12.1} {:>8.0}",
            after.stored,
            after.lost,
            after.repeated,
            format!("{coordinators}/{brokers}/{servers}"),
            after.settled.as_secs_f64(),
            begun.elapsed().as_secs_f64()
        );
    }
}
