//! Three simulated sensors, a coordinator on SQLite, and a broker: what each sensor reported, what was concluded from them
//! together, what was ordered where, and what holds.

use serde_json::Value;

use crate::lab::{Broker, Coordinator, Database, Sensor, has, wait};

pub(crate) fn run(keep: bool) {
    assert!(has("mosquitto"), "the demonstration needs mosquitto");
    let (broker, database) = (Broker::start(), Database::sqlite());
    let coordinator = Coordinator::start((&broker, &database), "fleet.mode = \"enforce\"\n");
    let token = coordinator.token("viewer", None);
    let gates = [
        ("north", "edge-1"),
        ("north", "edge-2"),
        ("south", "edge-1"),
    ]
    .map(|(site, name)| Sensor::start(broker.port, site, name));
    wait("three sensors", || {
        (coordinator.all(&token, "/api/v1/sensors").len() == 3).then_some(())
    });
    println!(
        "Broker, coordinator on SQLite, three sensors. Two of them see the same password search:\n"
    );
    gates[0].incident("203.0.113.9", "brute-force");
    gates[0].incident("198.51.100.7", "scan");
    gates[1].incident("203.0.113.9", "brute-force");
    wait("the order is done", || {
        let orders = coordinator.all(&token, "/api/v1/orders?state=done");
        (!orders.is_empty()).then_some(())
    });
    wait("the block is told", || {
        let holds = coordinator.get(&token, "/api/v1/addresses/203.0.113.9");
        holds.body["held"]
            .as_array()
            .is_some_and(|held| !held.is_empty())
            .then_some(())
    });
    let show = |title: &str, path: &str, columns: &[&str]| {
        println!("{title}");
        for item in coordinator.all(&token, path) {
            let cells: Vec<String> = columns.iter().map(|place| cell(&item, place)).collect();
            println!("  {}", cells.join("  "));
        }
        println!();
    };
    let incident: &[&str] = &[
        "/site",
        "/sensor",
        "/garita/class",
        "/garita/offender",
        "/garita/decision",
    ];
    show("What each sensor reported", "/api/v1/incidents", incident);
    let campaign: &[&str] = &["/message", "/garita/campaign/incidents"];
    show(
        "What was concluded from them together",
        "/api/v1/campaigns",
        campaign,
    );
    show(
        "What the fleet keeps out",
        "/api/v1/blocks",
        &["/target", "/state", "/expires", "/reason"],
    );
    let order: &[&str] = &[
        "/site",
        "/sensor",
        "/action",
        "/command/target",
        "/state",
        "/ordered_by",
    ];
    show("What was ordered where", "/api/v1/orders", order);
    println!("What holds");
    let holds = coordinator.get(&token, "/api/v1/addresses/203.0.113.9");
    for held in holds.body["held"].as_array().into_iter().flatten() {
        let cells =
            ["/site", "/sensor", "/target", "/state", "/expires"].map(|place| cell(held, place));
        println!("  {}", cells.join("  "));
    }
    match link(&coordinator) {
        Some(link) if keep => {
            println!(
                "\nThe console: {link}\nThe link makes the first admin, once. Enter ends everything."
            );
            let _ = std::io::stdin().read_line(&mut String::new());
        }
        _ => println!("\nTo look at it in the console: cargo xtask demo coordinator --keep"),
    }
}

/// The link of the first start, as the coordinator has told it.
fn link(coordinator: &Coordinator) -> Option<String> {
    let log = coordinator.log();
    let from = log.find("http://127.0.0.1")?;
    let link = log.get(from..)?.split_whitespace().next()?;
    link.contains("/welcome?code=").then(|| link.to_owned())
}

fn cell(item: &Value, place: &str) -> String {
    match item.pointer(place) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(items)) => items
            .iter()
            .map(|item| cell(item, ""))
            .collect::<Vec<_>>()
            .join(", "),
        Some(other) => other.to_string(),
        None => "-".to_owned(),
    }
}
