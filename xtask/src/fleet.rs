//! Simulated sensors at a real broker and coordinators on both databases: what the fleet decides, and how much it takes.

use anyhow::Result;
use clap::Args;
use xshell::{Shell, cmd};

use crate::{provision, target, tool, web};

/// What is simulated, and how much of it. What is not said is as the benchmark's own help tells.
#[derive(Args)]
pub(crate) struct Load {
    /// Kill coordinators, broker and database meanwhile, and look whether anything is missing or counted twice
    #[arg(long)]
    chaos: bool,
    /// Measure listings over so many incidents in PostgreSQL, in place of what comes in
    #[arg(long, conflicts_with = "chaos")]
    rows: Option<usize>,
    /// Try every operation of the API with schemathesis, in place of any load
    #[arg(long, conflicts_with_all = ["chaos", "rows"])]
    api: bool,
    /// Sensors
    #[arg(long)]
    sensors: Option<usize>,
    /// Incidents that the broker has kept while no coordinator ran
    #[arg(long, conflicts_with_all = ["chaos", "rows"])]
    kept: Option<usize>,
    /// Incidents a second, of all sensors together
    #[arg(long)]
    rate: Option<usize>,
    /// How long they go on
    #[arg(long, conflicts_with_all = ["chaos", "rows"])]
    minutes: Option<f64>,
    /// Incidents of all sensors together
    #[arg(long, requires = "chaos")]
    incidents: Option<usize>,
    /// Kills
    #[arg(long, requires = "chaos")]
    kills: Option<usize>,
    /// Where randomness begins
    #[arg(long, requires = "chaos")]
    seed: Option<u64>,
    /// Only with this database: sqlite or postgresql
    #[arg(long, requires = "chaos")]
    database: Option<String>,
}

impl Load {
    /// The benchmark's arguments.
    fn arguments(&self) -> Vec<String> {
        let subject = match (self.chaos, self.rows) {
            (true, _) => "chaos",
            (false, Some(_)) => "rows",
            (false, None) => "load",
        };
        let whole =
            |name: &str, value: Option<usize>| value.map(|value| format!("--{name}={value}"));
        let given = [
            whole("rows", self.rows),
            whole("sensors", self.sensors),
            whole("kept", self.kept),
            whole("rate", self.rate),
            self.minutes.map(|minutes| format!("--minutes={minutes}")),
            whole("incidents", self.incidents),
            whole("kills", self.kills),
            self.seed.map(|seed| format!("--seed={seed}")),
            self.database
                .as_ref()
                .map(|name| format!("--database={name}")),
        ];
        let given = given.into_iter().flatten();
        std::iter::once(subject.to_owned()).chain(given).collect()
    }
}

/// schemathesis, below `target/`, from PyPI.
const SCHEMATHESIS: &str = "schemathesis==4.32.5";

/// Every operation of the API, as somebody else's program understands its description.
fn api(shell: &Shell) -> Result<()> {
    let folder = target().join("tools/schemathesis");
    let program = folder.join("bin/schemathesis");
    if !program.exists() {
        provision::packages(
            shell,
            &[provision::package("python3-venv", "holds schemathesis")],
        )?;
        cmd!(shell, "python3 -m venv {folder}").run()?;
        let pip = folder.join("bin/pip");
        cmd!(shell, "{pip} install --quiet {SCHEMATHESIS}").run()?;
    }
    let bench = cmd!(
        shell,
        "cargo bench --profile dev --package coordinator --bench fleet -- api --schemathesis {program}"
    );
    tool::by_hand(bench).run()?;
    Ok(())
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

/// Throughput and latency, side by side with a subscriber that only writes to a file; or a storm; or years of rows.
pub(crate) fn load(shell: &Shell, load: &Load) -> Result<()> {
    provision::packages(shell, provision::BUILD)?;
    provision::packages(shell, provision::FLEET)?;
    web::packages(shell)?;
    if load.api {
        return api(shell);
    }
    let arguments = load.arguments();
    let bench = cmd!(
        shell,
        "cargo bench --package coordinator --bench fleet -- {arguments...}"
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
