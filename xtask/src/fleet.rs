//! Simulated sensors at a real broker and coordinators on both databases: what the fleet decides, and how much it takes.

use anyhow::Result;
use clap::Args;
use xshell::{Shell, cmd};

use crate::{provision, tool, web};

/// How much is simulated.
#[derive(Args)]
pub(crate) struct Load {
    /// Sensors
    #[arg(long, default_value_t = 20)]
    sensors: usize,
    /// Incidents that the broker has kept while no coordinator ran
    #[arg(long, default_value_t = 20_000)]
    kept: usize,
    /// Incidents a second, of all sensors together
    #[arg(long, default_value_t = 1_000)]
    rate: usize,
    /// How long they go on
    #[arg(long, default_value_t = 0.5)]
    minutes: f64,
}

/// How much the pages are measured with.
#[derive(Args)]
pub(crate) struct Pages {
    /// Sensors
    #[arg(long, default_value_t = 300)]
    sensors: usize,
    /// Incidents
    #[arg(long, default_value_t = 100_000)]
    incidents: usize,
}

/// Three sensors, an offender that two of them prove, and what became of it; kept running where it is to be looked at.
pub(crate) fn demo(shell: &Shell, keep: bool) -> Result<()> {
    let keep = keep.then_some("--keep");
    provision::packages(shell, provision::BUILD)?;
    provision::packages(shell, provision::FLEET)?;
    web::packages(shell)?;
    let bench = cmd!(
        shell,
        "cargo bench --profile dev --package coordinator --bench fleet -- demo {keep...}"
    );
    tool::by_hand(bench).run()?;
    Ok(())
}

/// Throughput and latency, side by side with a subscriber that only writes to a file.
pub(crate) fn load(shell: &Shell, load: &Load) -> Result<()> {
    provision::packages(shell, provision::BUILD)?;
    provision::packages(shell, provision::FLEET)?;
    web::packages(shell)?;
    let Load {
        sensors,
        kept,
        rate,
        minutes,
    } = load;
    let (sensors, kept) = (sensors.to_string(), kept.to_string());
    let (rate, minutes) = (rate.to_string(), minutes.to_string());
    let bench = cmd!(
        shell,
        "cargo bench --package coordinator --bench fleet -- load --sensors {sensors} --kept {kept} --rate {rate} --minutes {minutes}"
    );
    tool::by_hand(bench).run()?;
    Ok(())
}

/// What each page of the console costs, with each database.
pub(crate) fn pages(shell: &Shell, pages: &Pages) -> Result<()> {
    provision::packages(shell, provision::BUILD)?;
    provision::packages(shell, provision::FLEET)?;
    web::packages(shell)?;
    let (sensors, incidents) = (pages.sensors.to_string(), pages.incidents.to_string());
    let bench = cmd!(
        shell,
        "cargo bench --package coordinator --bench fleet -- pages --sensors {sensors} --incidents {incidents}"
    );
    tool::by_hand(bench).run()?;
    Ok(())
}
