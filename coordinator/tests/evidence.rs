//! What is exported of an incident is checked by programs that know nothing of us.

use std::process::Command;

use crate::lab::{Coordinator, Sensor, on_both, wait};

#[test]
fn evidence_is_whole_signed_and_any_change_of_it_shows() {
    on_both("evidence_is_whole", |broker, database| {
        let settings = "fleet.mode = \"enforce\"\n";
        let coordinator = Coordinator::start((broker, database), settings);
        let token = coordinator.token("viewer", None);
        let sensors = ["a", "b", "c"].map(|name| Sensor::start(broker.port, "north", name));
        wait("three sensors", || {
            (coordinator.all(&token, "/api/v1/sensors").len() == 3).then_some(())
        });
        let id = sensors[0].incident("203.0.113.9", "scan");
        sensors[1].incident("203.0.113.9", "scan");
        wait("the third obeys", || {
            (coordinator.all(&token, "/api/v1/orders?state=done").len() == 1).then_some(())
        });
        let folder = tempfile::tempdir().expect("a folder");
        let bundle = folder.path().join("bundle");
        let path = bundle.to_str().expect("UTF-8");
        let made = coordinator.cli(&["incident", "export", &id, path]);
        assert!(
            made.status.success(),
            "{}",
            String::from_utf8_lossy(&made.stderr)
        );
        let again = coordinator.cli(&["incident", "export", &id, path]);
        assert!(!again.status.success(), "evidence is not written over");
        let read = |name: &str| std::fs::read_to_string(bundle.join(name)).expect(name);
        assert!(read("incident.json").contains(&id));
        assert!(read("orders.jsonl").contains("\"state\":\"done\""));
        assert!(read("blocks.jsonl").contains("203.0.113.9/32"));
        let check = |program: &str, arguments: &[&str]| {
            let mut command = Command::new(program);
            let done = command.args(arguments).current_dir(&bundle).output();
            done.expect("it runs").status.success()
        };
        let whole = ["--check", "--strict", "--quiet", "manifest.sha256"];
        let signed = [
            "pkeyutl",
            "-verify",
            "-pubin",
            "-inkey",
            "public.pem",
            "-rawin",
            "-in",
            "manifest.sha256",
            "-sigfile",
            "manifest.sha256.sig",
        ];
        assert!(check("sha256sum", &whole) && check("openssl", &signed));
        let changed = read("incident.json").replace("scan", "flood");
        std::fs::write(bundle.join("incident.json"), changed).expect("it can be written");
        assert!(!check("sha256sum", &whole), "a changed document shows");
        let changed = read("manifest.sha256").replacen('a', "b", 1);
        std::fs::write(bundle.join("manifest.sha256"), changed).expect("it can be written");
        assert!(!check("openssl", &signed), "a changed manifest shows");
        let audit = coordinator.cli(&["audit", "list", "--json"]);
        let audit = String::from_utf8_lossy(&audit.stdout).into_owned();
        assert!(audit.contains("incident export"), "{audit}");
    });
}
