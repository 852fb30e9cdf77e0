//! What happens at the verifier reaches the coordinator, over a broker that dies, from a sensor that is killed; and what
//! the centre orders reaches the kernel. The coordinator checks every message against its schema.

use std::collections::HashSet;
use std::net::IpAddr;

use serde_json::{Value, json};

use super::clients::Talk;
use super::daemon::{Meter, Post};
use super::sensor::Sensor;
use super::testbed::{CLIENT, SERVER, attacker};
use super::tools::nmap;
use crate::lines::PATIENCE;
use crate::process::Process;
use crate::report::broker::Broker;
use crate::report::coordinator::Coordinator;
use crate::report::{SENSOR, SITE};

super::with_each_meter! {
    every_incident_reaches_the_centre_and_its_orders_the_kernel
}

fn every_incident_reaches_the_centre_and_its_orders_the_kernel(test: &str, meter: Meter) {
    let Some(mut post) = Post::new(test, meter, "") else {
        return;
    };
    post.environment("GARITA__SENSOR__NAME", SENSOR.to_owned());
    let (mut broker, centre) = post.stage.gateway.run(|| {
        let broker = Broker::with("allow_anonymous true\npersistence false\n");
        let centre = Coordinator::start(broker.port);
        (broker, centre)
    });
    let report = format!(
        "sensor.site = \"{SITE}\"\nreport.url = \"{}\"\nreport.keep_alive = \"5s\"\nreport.max_backoff = \"1s\"\nreport.{}",
        broker.url(),
        Coordinator::trust()
    );
    post.configure(&report);
    let screen = subscriber(&post, &broker);
    let mut sensor = post.start();
    centre.wait(("it is online", PATIENCE), |heard| {
        heard.of("status").first().cloned()
    });
    let client = Talk::open(&post.stage.clients, CLIENT[0], SERVER[0]);

    let first = attacker(0)[0];
    scan(&mut sensor, &post, first);
    let line = screen.wait_for(&format!("\"target\":\"{first}/32\""));
    assert!(
        line.starts_with(&format!("garita/v1/{SITE}/{SENSOR}/block {{")),
        "{line}"
    );
    screen.wait_for(&format!("garita/v1/{SITE}/{SENSOR}/incident {{"));

    // The next two nobody hears of at once: the broker is gone, and then the sensor is killed as well.
    broker.kill();
    scan(&mut sensor, &post, attacker(1)[0]);
    sensor.until_recorded(attacker(1)[0]);
    sensor.kill();
    let mut sensor = post.start();
    scan(&mut sensor, &post, attacker(2)[0]);
    sensor.until_recorded(attacker(2)[0]);
    post.stage.gateway.run(|| broker.restart());
    // A broker that began with nothing knows of no subscription: orders wait until both sides have theirs, and who hears
    // the new run say that it is there has one, and so has it.
    centre.wait(("the new run is online", PATIENCE), |heard| {
        let online = heard
            .of("status")
            .iter()
            .filter(|status| status["state"] == "online");
        let runs: HashSet<_> = online.map(|status| status["started"].to_string()).collect();
        (runs.len() > 1).then_some(())
    });

    let outlaw: IpAddr = "198.51.100.99".parse().expect("an address");
    let order =
        json!({"action": "block", "target": outlaw, "ttl": 600, "reason": "seen elsewhere"});
    let reply = centre.ask("order-1", order);
    assert_eq!(reply["outcome"], "done", "{reply}");
    assert!(
        post.stage.is_blocked(outlaw),
        "the order reached the kernel"
    );
    let own = centre.ask(
        "order-2",
        json!({"action": "block", "target": "203.0.113.1", "reason": "a mistake"}),
    );
    assert_eq!(own["reason"], "exempt", "{own}");

    let (epoch, last) = centre.wait(("what was last", PATIENCE), |heard| {
        let head = heard.heads.iter().next()?;
        Some((head.0.clone(), *head.1))
    });
    centre.settle((&epoch, last), PATIENCE);
    let told: Vec<String> = centre.wait(("all incidents", PATIENCE), |heard| {
        let told: Vec<String> = heard
            .numbered
            .get(&epoch)?
            .values()
            .map(|(id, _)| id.clone())
            .collect();
        let known = |incident: &Value| told.contains(&id(incident));
        post.json("incidents list")
            .iter()
            .all(known)
            .then_some(told)
    });
    for number in 0..3 {
        let incidents = post.incidents(attacker(number)[0]);
        assert!(
            !incidents.is_empty()
                && incidents
                    .iter()
                    .all(|incident| told.contains(&id(incident)))
        );
        assert!(
            post.stage.is_blocked(attacker(number)[0]),
            "a dead broker and a killed sensor let nobody in"
        );
    }
    assert!(client.flows(), "a client's conversation goes on");
    assert_eq!(centre.heard().wrong, Vec::<String>::new());
    assert!(sensor.stop().success());
    centre.wait(("its farewell", PATIENCE), |heard| {
        (heard.of("status").last()?["state"] == "stopped").then_some(())
    });
}

/// What an analyst has on the screen.
fn subscriber(post: &Post, broker: &Broker) -> Process {
    let mut command = post.stage.gateway.command("mosquitto_sub");
    command.args(["-V", "5", "-q", "1", "-v", "-t", "garita/#", "-p"]);
    command.arg(broker.port.to_string());
    Process::start("mosquitto_sub", command)
}

fn scan(sensor: &mut Sensor, post: &Post, attacker: IpAddr) {
    let _nmap = nmap(
        post,
        &format!("-n -Pn -sS -S {attacker} -e wan -p 1-5000 {}", SERVER[0]),
    );
    sensor.until_blocked(attacker);
}

/// What CloudEvents call the last revision of an incident.
fn id(incident: &Value) -> String {
    let id = incident["event"]["id"]
        .as_str()
        .expect("an incident has an id");
    format!("{id}-{}", incident["garita"]["revision"])
}
