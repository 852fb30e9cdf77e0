//! Every operation of the API with what somebody else's program makes of its description: schemathesis, which knows nothing
//! of us. A 5xx, or an answer that the description does not know, fails.

use std::process::Command;

use clap::Args;

use crate::lab::{Broker, Coordinator, Database, Sensor, wait};

#[derive(Args)]
pub(crate) struct Api {
    /// The program
    #[arg(long)]
    schemathesis: String,
    /// Requests of each operation
    #[arg(long, default_value_t = 50)]
    requests: usize,
    #[arg(long, hide = true)]
    bench: bool,
}

/// Streams do not end, and who ends its own login or token is heard no more.
const LEFT_OUT: &str = "events$|/ws$|/session$|/tokens/";
/// What the description cannot say: who may do what in which state, and which of the texts it allows mean something.
const UNSAID: &str = "unsupported_method,missing_required_header,negative_data_rejection,positive_data_acceptance,ignored_auth";

/// Asks, and panics where an answer is wrong.
pub(crate) fn run(api: &Api) {
    let (broker, database) = (Broker::start(), Database::sqlite());
    let settings = "http.requests_per_minute = 10000000\nhttp.logins_per_minute = 10000000\n";
    let coordinator = Coordinator::start((&broker, &database), settings);
    let token = coordinator.token("admin", None);
    let sensor = Sensor::start(broker.port, "north", "a");
    sensor.incident("203.0.113.9", "scan");
    wait("an incident to look at", || {
        (coordinator.all(&token, "/api/v1/incidents").len() == 1).then_some(())
    });
    let status = Command::new(&api.schemathesis)
        .arg("run")
        .arg(format!(
            "http://127.0.0.1:{}/api/v1/openapi.json",
            coordinator.port
        ))
        .args(["--header", &format!("Authorization: Bearer {token}")])
        .args(["--max-examples", &api.requests.to_string()])
        .args(["--exclude-path-regex", LEFT_OUT, "--exclude-checks", UNSAID])
        .args(["--phases", "examples,fuzzing"])
        .status();
    let status = status.expect("schemathesis runs");
    assert!(
        status.success(),
        "the API does not answer as it is described"
    );
    assert!(
        !coordinator.log().contains("panicked"),
        "{}",
        coordinator.log()
    );
}
