//! What the package installs beside the program: the unit as systemd judges it, the manual and the completions.
//! No service is started here: `cargo xtask trial` does that, on a Debian of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use contract::record::Origin;
use sensor::telemetry::{Metrics, SensorState};

use super::garita;
use super::skip::skip;

/// The most that `systemd-analyze security` may say, in tenths.
const EXPOSURE: &str = "20";

/// The programs that are installed as services.
const PROGRAMS: [&str; 2] = ["garita", "garita-coordinator"];

#[test]
fn systemd_finds_no_fault_in_the_units() {
    for name in PROGRAMS {
        let folder = tempfile::tempdir().expect("a folder");
        // systemd wants the program to exist, and finds no manual that is not installed.
        let program = folder.path().join(name);
        fs::write(&program, "#!/bin/sh\n").expect("a program");
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs::set_permissions(&program, mode).expect("a program that can be run");
        let text = read(&unit(name));
        let installed = format!("/usr/bin/{name} ");
        let text = text.replace(&installed, &format!("{} ", program.display()));
        let file = format!("{name}.service");
        let copy = folder.path().join(&file);
        fs::write(&copy, text).expect("a copy of the unit");
        let arguments = ["verify", "--man=no"];
        let Some(output) = analyze("systemd_finds_no_fault_in_the_units", &arguments, &copy) else {
            return;
        };
        assert!(output.status.success(), "{}", said(&output));
        assert!(!said(&output).contains(&file), "{}", said(&output));
    }
}

#[test]
fn the_alert_rules_fire_when_they_should() {
    let test = "the_alert_rules_fire_when_they_should";
    if Command::new("promtool").arg("--version").output().is_err() {
        return skip(test, "promtool is not installed");
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let rules = root.join("config/siem/prometheus-alerts.yml");
    let cases = fs::read_to_string(root.join("tests/alerts.yml")).expect("the cases");
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("alerts.yml");
    fs::write(
        &file,
        cases.replace("RULES", rules.to_str().expect("UTF-8")),
    )
    .expect("a copy");
    for (verb, path) in [("check", &rules), ("test", &file)] {
        let output = Command::new("promtool")
            .args([verb, "rules"])
            .arg(path)
            .output()
            .expect("promtool runs");
        assert!(output.status.success(), "{}", said(&output));
    }
    let rules = fs::read_to_string(&rules).expect("the rules");
    let metrics = Metrics::new();
    metrics.set_blocks(&[(("ipv4", Origin::Detection), 1)].into());
    metrics.set_state(SensorState {
        connected: Some(true),
        ..SensorState::default()
    });
    let text = metrics.text().expect("text");
    let named = rules.split(|byte: char| !byte.is_ascii_alphanumeric() && byte != '_');
    for metric in named.filter(|word| word.starts_with("garita_")) {
        assert!(
            text.contains(metric.trim_end_matches("_total")),
            "{metric} is no metric of the sensor"
        );
    }
}

#[test]
fn the_units_expose_little() {
    let threshold = format!("--threshold={EXPOSURE}");
    let arguments = ["security", "--offline=true", "--no-pager", &threshold];
    for name in PROGRAMS {
        let Some(output) = analyze("the_units_expose_little", &arguments, &unit(name)) else {
            return;
        };
        assert!(output.status.success(), "{}", said(&output));
    }
}

#[test]
fn the_manual_has_a_page_for_every_command_a_person_calls() {
    let folder = tempfile::tempdir().expect("a folder");
    let run = garita::garita(&["manual", folder.path().to_str().expect("UTF-8")]);
    assert_eq!(run.code, 0, "{}", run.said);
    let help = garita::garita(&["--help"]).out;
    let commands: Vec<&str> = help
        .lines()
        .skip_while(|line| !line.starts_with("Commands:"))
        .skip(1)
        .take_while(|line| line.starts_with("  "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .collect();
    assert!(commands.len() > 4, "{help}");
    let completions = ["garita.bash", "_garita", "garita.fish"]
        .map(|name| read(&folder.path().join("completions").join(name)));
    for command in commands {
        let page = folder
            .path()
            .join("man1")
            .join(format!("garita-{command}.1"));
        assert!(read(&page).contains(".SH SYNOPSIS"), "{command}");
        for text in &completions {
            assert!(text.contains(command), "{command} is not completed");
        }
    }
    let first = read(&folder.path().join("man1/garita.1"));
    assert!(first.contains(".SH \"EXIT STATUS\""), "{first}");
    for text in completions.iter().chain([&first]) {
        assert!(!text.contains("withdraw"), "a hidden command is shown");
    }
    let settings = read(&folder.path().join("man5/garita.toml.5"));
    assert!(settings.contains("policy.block_ttl"), "{settings}");
}

#[test]
fn man_finds_no_fault_in_the_pages() {
    let folder = tempfile::tempdir().expect("a folder");
    let run = garita::garita(&["manual", folder.path().to_str().expect("UTF-8")]);
    assert_eq!(run.code, 0, "{}", run.said);
    for section in ["man1", "man5"] {
        let pages = fs::read_dir(folder.path().join(section)).expect("there are pages");
        for page in pages {
            let page = page.expect("a page").path();
            let output = Command::new("man")
                .args(["--warnings", "--encoding=UTF-8", "--local-file"])
                .arg(&page)
                .env("LC_ALL", "C.UTF-8")
                .env("MANWIDTH", "80")
                .env("PAGER", "cat")
                .output();
            let Ok(output) = output else {
                return skip("man_finds_no_fault_in_the_pages", "there is no man");
            };
            let complaint = String::from_utf8_lossy(&output.stderr);
            assert!(
                output.status.success() && complaint.is_empty(),
                "{}: {complaint}",
                page.display()
            );
        }
    }
}

fn unit(name: &str) -> PathBuf {
    garita::root().join(format!("packaging/{name}.service"))
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// What `systemd-analyze` says; nothing, and a note, where there is none.
fn analyze(test: &str, arguments: &[&str], unit: &Path) -> Option<Output> {
    let output = Command::new("systemd-analyze")
        .args(arguments)
        .arg(unit)
        .output();
    if output.is_err() {
        skip(test, "there is no systemd-analyze");
    }
    output.ok()
}

fn said(output: &Output) -> String {
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    text(&output.stdout) + &text(&output.stderr)
}
