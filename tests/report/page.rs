//! The page for subscribers: its lines work as they stand, and so does the configuration for a SIEM.
//! They are read from the page itself.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use super::broker::Broker;
use super::coordinator::Coordinator;
use super::publisher::{Publisher, configure};
use super::{SENSOR, SITE, let_pass};
use crate::garita::root;
use crate::process::Process;
use crate::skip::skip;

const PATIENCE: Duration = Duration::from_secs(60);

/// The lines of the page under this name.
fn lines(name: &str) -> String {
    let page = std::fs::read_to_string(root().join("config/schema/README.md")).unwrap();
    let fence = format!("```sh {name}\n");
    let (_, rest) = page
        .split_once(&fence)
        .unwrap_or_else(|| panic!("no lines for {name}"));
    rest.split_once("```").unwrap().0.trim_end().to_owned()
}

fn shell(name: &str, (broker, folder): (&Broker, &Path)) -> Command {
    let mut shell = Command::new("sh");
    shell
        .args(["-ec", &lines(name)])
        .current_dir(folder)
        .stdin(Stdio::null());
    shell
        .env("BROKER", "127.0.0.1")
        .env("PORT", broker.port.to_string());
    shell.env("SITE", SITE).env("SENSOR", SENSOR);
    shell
}

#[test]
fn the_lines_of_the_page_work_as_they_stand() {
    let broker = Broker::open();
    let coordinator = Coordinator::start(broker.port);
    let folder = TempDir::new().unwrap();
    let key = shell("key", (&broker, folder.path())).output().unwrap();
    assert!(key.status.success(), "{key:?}");
    let key = String::from_utf8(key.stdout).unwrap();
    configure(
        folder.path(),
        (&format!("url = \"{}\"\n{key}", broker.url()), ""),
    );
    let [watch, incidents, numbers] = ["watch", "incidents", "numbers"]
        .map(|name| Process::start(name, shell(name, (&broker, folder.path()))));
    let mut sensor = Publisher::start(folder.path());
    coordinator.wait(("a status", PATIENCE), |heard| {
        heard.of("status").first().cloned()
    });
    sensor.post(20, 1_000);
    assert!(
        watch
            .wait_for("/status ")
            .starts_with("garita/v1/lab/edge-1/status {")
    );
    watch.wait_for("garita/v1/lab/edge-1/incident {\"@timestamp\"");
    let incident: Value = serde_json::from_str(&incidents.wait_for("\"garita\"")).unwrap();
    assert!(super::schemas::validators()["incident"].is_valid(&incident));
    let numbered = numbers.wait_for("/incident ");
    assert!(
        numbered.contains("specversion:1.0") && numbered.contains("seq:"),
        "{numbered}"
    );

    let sent = shell("block", (&broker, folder.path())).output().unwrap();
    assert!(sent.status.success(), "{sent:?}");
    let block = watch.wait_for("/block ");
    assert!(
        block.contains("203.0.113.9/32") && block.contains("key ops-1"),
        "{block}"
    );
    let reply = watch.wait_for("/reply/");
    assert!(reply.contains("\"outcome\":\"done\""), "{reply}");
    sensor.stop();
}

#[test]
fn the_configuration_for_a_siem_writes_every_incident() {
    let present = Command::new("syslog-ng").arg("--version").output();
    if !present.is_ok_and(|output| output.status.success()) {
        return skip(
            "report::page::the_configuration_for_a_siem_writes_every_incident",
            "syslog-ng is not installed",
        );
    }
    let broker = Broker::open();
    let folder = TempDir::new().unwrap();
    let path = folder.path().to_str().unwrap();
    let shipped = std::fs::read_to_string(root().join("config/siem/syslog-ng.conf")).unwrap();
    let port = broker.port.to_string();
    let text = shipped
        .replace("soc.example", "127.0.0.1")
        .replace("1883", &port)
        .replace("/var/log/garita", path);
    let file = folder.path().join("syslog-ng.conf");
    std::fs::write(&file, text).unwrap();
    let mut command = Command::new("syslog-ng");
    command
        .args(["--foreground", "--no-caps", "--cfgfile"])
        .arg(&file);
    for (option, name) in [
        ("--persist-file", "persist"),
        ("--pidfile", "pid"),
        ("--control", "control"),
    ] {
        command.arg(option).arg(folder.path().join(name));
    }
    let _pipeline = Process::start("syslog-ng", command);
    configure(folder.path(), (&format!("url = \"{}\"", broker.url()), ""));
    let coordinator = Coordinator::start(broker.port);
    let mut sensor = Publisher::start(folder.path());
    coordinator.wait(("telemetry", PATIENCE), |heard| {
        heard.of("telemetry").first().cloned()
    });
    sensor.post(50, 200);
    let written = folder.path().join("garita.jsonl");
    let deadline = Instant::now() + PATIENCE;
    let documents: Vec<Value> = loop {
        let text = std::fs::read_to_string(&written).unwrap_or_default();
        let documents: Vec<Value> = text
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect();
        if documents.len() >= 40 {
            break documents;
        }
        assert!(Instant::now() < deadline, "{} documents", documents.len());
        let_pass(Duration::from_millis(100));
    };
    let validators = super::schemas::validators();
    assert!(
        documents
            .iter()
            .all(|document| validators["incident"].is_valid(document))
    );
    let urgent =
        std::fs::read_to_string(folder.path().join("garita-urgent.log")).unwrap_or_default();
    assert!(
        urgent.contains(&format!(
            "{}:",
            documents[0]["observer"]["name"].as_str().unwrap()
        )),
        "{urgent}"
    );
    sensor.stop();
}
