//! How soon the golden attackers are blocked, and that nobody beside them ever is.
//! What an incident says is not its matter; `replay` sees to that.

use serde_json::Value;

use crate::garita::{Run, command, root};

/// Conversations that an attacker may begin before it is blocked: connections to a login, probes of a scan.
const ATTEMPTS: u64 = 10;
const PROBES: u64 = 30;

#[test]
fn brute_forces_and_scans_are_blocked_in_time_and_nobody_beside_them() {
    let labels = root().join("tests/captures/labels.csv");
    let labels = labels.to_str().expect("the checkout's path is UTF-8");
    // Web pages are no place where one logs in unless the settings say so.
    let shipped = root().join("config/garita.toml");
    let mut command = command(&["evaluate", "--labels", labels, "--json"]);
    command.arg("--config").arg(shipped);
    command.env("GARITA__EVIDENCE__AUTH_PORTS", "80");
    let run = Run::from(command.output().expect("garita starts"));
    assert_eq!((run.code, run.said.as_str()), (0, ""));
    let figures: Value = serde_json::from_str(&run.out).expect("it prints JSON");
    let captures = figures["captures"].as_array().expect("captures");
    let (mut searches, mut scans) = (0, 0);
    for one in captures {
        assert_eq!(one["benign_blocked"], 0, "{one:#}");
        let (count, most) = match one["class"].as_str() {
            Some("brute-force") => (&mut searches, ATTEMPTS),
            Some("scan") => (&mut scans, PROBES),
            _ => continue,
        };
        *count += 1;
        assert_eq!(one["blocked"], one["attackers"], "{one:#}");
        let begun = one["conversations_to_block"].as_u64();
        assert!(begun.is_some_and(|begun| begun <= most), "{one:#}");
    }
    assert!(searches >= 3 && scans >= 4, "{searches} and {scans}");
}
