//! Each thing that can be wrong with a broker reads as one clear line, however often it is tried.
//! Real TLS, real passwords and a real access list; nothing is pretended.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::broker::{Broker, free_port};
use super::coordinator::Coordinator;
use super::pki::{self, Kind};
use super::publisher::{Publisher, configure};
use super::{SENSOR, SITE, let_pass};

/// Time for two more tries after the first.
const FURTHER_TRIES: Duration = Duration::from_millis(2_500);

/// Demands that a sensor with these settings says one line with `part`, and says it once.
fn assert_one_line(report: &str, part: &str) {
    let folder = TempDir::new().unwrap();
    configure(folder.path(), (report, ""));
    let sensor = Publisher::start(folder.path());
    let deadline = Instant::now() + Duration::from_secs(60);
    while sensor.warnings().is_empty() && Instant::now() < deadline {
        let_pass(Duration::from_millis(50));
    }
    let_pass(FURTHER_TRIES);
    let warnings = sensor.warnings();
    assert_eq!(warnings.len(), 1, "{part}: {warnings:#?}");
    assert!(
        warnings[0].contains(part),
        "{part:?} is not in {:?}",
        warnings[0]
    );
    assert!(
        !sensor.log().iter().any(|line| line.contains("secret-word")),
        "a secret is in the log"
    );
    sensor.stop();
}

#[test]
fn a_broker_that_is_not_there_is_said_once() {
    let port = free_port();
    let line = format!("127.0.0.1:{port} cannot be reached");
    assert_one_line(&format!("url = \"mqtt://127.0.0.1:{port}\""), &line);
    assert_one_line(
        "url = \"mqtt://no-such-host.invalid\"",
        "no-such-host.invalid:1883 cannot be reached",
    );
}

#[test]
fn a_wrong_password_is_said_once() {
    let broker = with_password("right");
    let report = |folder: &Path| {
        let file = folder.join("password");
        std::fs::write(&file, "secret-word\n").unwrap();
        format!(
            "url = \"{}\"\nuser = \"sensor\"\npassword_file = \"{}\"",
            broker.url(),
            file.display()
        )
    };
    let folder = TempDir::new().unwrap();
    assert_one_line(&report(folder.path()), "report.password_file");
    let missing = format!(
        "url = \"{}\"\nuser = \"sensor\"\npassword_file = \"/nonexistent\"",
        broker.url()
    );
    assert_one_line(&missing, "cannot read /nonexistent (report.password_file)");
    let nobody = format!(
        "url = \"{}\"\npassword_file = \"/nonexistent\"",
        broker.url()
    );
    assert_one_line(&nobody, "needs report.user");
}

#[test]
fn certificates_that_do_not_hold_are_said_once_and_one_that_does_connects() {
    let certificates: &[(&str, Kind)] = &[
        ("good", Kind::Good),
        ("expired", Kind::Expired),
        ("elsewhere", Kind::Elsewhere),
        ("client", Kind::Good),
    ];
    let start = |name: &str, more: &str| {
        let folder = TempDir::new().unwrap();
        pki::write(folder.path(), ("ca", certificates));
        pki::write(folder.path(), ("other", &[]));
        let tls = format!(
            "allow_anonymous true\ncafile FOLDER/ca.crt\ncertfile FOLDER/{name}.crt\nkeyfile FOLDER/{name}.key\n{more}"
        );
        Broker::in_folder(folder, (free_port(), &tls))
    };
    let url = |broker: &Broker, ca: &str| {
        let ca = broker.folder.path().join(ca);
        format!(
            "url = \"mqtts://localhost:{}\"\nca_file = \"{}\"",
            broker.port,
            ca.display()
        )
    };
    let good = start("good", "");
    assert_one_line(&url(&good, "other.crt"), "no authority in");
    assert_one_line(
        &url(&good, "good.key"),
        "(report.ca_file) holds no certificate",
    );
    assert_one_line(&url(&start("expired", ""), "ca.crt"), "has expired");
    assert_one_line(
        &url(&start("elsewhere", ""), "ca.crt"),
        "made out to another name",
    );
    let strict = start("good", "require_certificate true\n");
    assert_one_line(&url(&strict, "ca.crt"), "report.client_certificate");
    let plain = Broker::open();
    let speaks_no_tls = format!(
        "url = \"mqtts://localhost:{}\"\nca_file = \"{}\"",
        plain.port,
        good.folder.path().join("ca.crt").display()
    );
    assert_one_line(&speaks_no_tls, "the broker at localhost");

    let folder = TempDir::new().unwrap();
    let files = strict.folder.path();
    let report = format!(
        "{}\nclient_certificate = \"{}\"\nclient_key = \"{}\"",
        url(&strict, "ca.crt"),
        files.join("client.crt").display(),
        files.join("client.key").display()
    );
    configure(folder.path(), (&report, ""));
    let sensor = Publisher::start(folder.path());
    let deadline = Instant::now() + Duration::from_secs(60);
    while !sensor
        .log()
        .iter()
        .any(|line| line.contains("reporting to the broker"))
    {
        assert!(Instant::now() < deadline, "{:?}", sensor.log());
        let_pass(Duration::from_millis(50));
    }
    assert_eq!(sensor.warnings(), Vec::<String>::new());
    sensor.stop();
}

#[test]
fn a_denied_topic_is_a_condition_once_and_everything_else_goes_on() {
    let folder = TempDir::new().unwrap();
    let list = |rule: &str| format!("{rule}topic readwrite garita/#\n");
    let rejected = format!("topic deny garita/v1/{SITE}/{SENSOR}/incident\n");
    std::fs::write(folder.path().join("list"), list(&rejected)).unwrap();
    let settings = "allow_anonymous true\nacl_file FOLDER/list\n";
    let broker = Broker::in_folder(folder, (free_port(), settings));
    let coordinator = Coordinator::start(broker.port);
    let folder = TempDir::new().unwrap();
    configure(folder.path(), (&format!("url = \"{}\"", broker.url()), ""));
    let mut sensor = Publisher::start(folder.path());
    sensor.post(50, 1_000);
    let patience = Duration::from_secs(60);
    coordinator.wait(("the condition", patience), |heard| {
        refused(heard, "raised")
    });
    coordinator.wait(("telemetry", patience), |heard| {
        (heard.of("telemetry").len() > 1).then_some(())
    });
    let warnings = sensor.warnings();
    assert_eq!(warnings.len(), 1, "{warnings:#?}");
    assert!(
        warnings[0].contains("publish-refused") && warnings[0].contains("not authorized"),
        "{warnings:?}"
    );
    let epoch = epoch(&coordinator);
    assert!(!coordinator.heard().missing(&epoch).is_empty());

    std::fs::write(broker.folder.path().join("list"), list("")).unwrap();
    broker.signal(nix::sys::signal::Signal::SIGHUP);
    coordinator.wait(("its end", patience), |heard| refused(heard, "passed"));
    coordinator.wait(("the incidents", patience), |heard| {
        heard.missing(&epoch).is_empty().then_some(())
    });
    sensor.stop();
}

fn epoch(coordinator: &Coordinator) -> String {
    coordinator
        .heard()
        .numbered
        .keys()
        .next()
        .cloned()
        .unwrap_or_default()
}

fn refused(heard: &super::coordinator::Heard, action: &str) -> Option<()> {
    let mut conditions = heard.of("condition").iter();
    let of_incidents = |body: &&serde_json::Value| {
        body["garita"]["condition"] == "publish-refused" && body["garita"]["subject"] == "incident"
    };
    conditions
        .find(|body| of_incidents(body) && body["event"]["action"] == action)
        .map(|_| ())
}

/// A broker that knows the user `sensor` by this password alone.
fn with_password(password: &str) -> Broker {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("users");
    let made = Command::new("mosquitto_passwd")
        .args(["-b", "-c"])
        .arg(&file)
        .args(["sensor", password])
        .status();
    assert!(made.expect("mosquitto_passwd is installed").success());
    Broker::in_folder(
        folder,
        (
            free_port(),
            "allow_anonymous false\npassword_file FOLDER/users\n",
        ),
    )
}
