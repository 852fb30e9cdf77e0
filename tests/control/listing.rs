//! Lists going out and coming in: imports, exports, the audit, and what a spreadsheet gets.

use std::fs;

use contract::record::AuditEntry;
use contract::timestamp::Timestamp;
use serde_json::Value;

use super::testbed::{Memory, Stage};

#[test]
fn a_list_is_imported_and_its_bad_lines_are_named() {
    let stage = Stage::open();
    let list = stage.path("list.txt");
    let text = "# a list\n203.0.113.1\nhere\n2001:db8::/64 # a site\n198.51.100.7\n203.0.113.2\n";
    fs::write(&list, text).expect("the folder is ours");
    let run = stage.garita(&["blocks", "import", &list, "--ttl", "permanent"]);
    assert_eq!(run.code, 1);
    assert!(
        run.out.starts_with("3 blocked. To undo it: "),
        "{}",
        run.out
    );
    let said: Vec<&str> = run.said.lines().collect();
    assert_eq!(said.len(), 3, "{}", run.said);
    assert!(
        said[0].contains("line 3: \"here\" is neither"),
        "{}",
        run.said
    );
    assert!(
        said[1].contains("line 5: 198.51.100.7/32 cannot be blocked"),
        "{}",
        run.said
    );
    assert!(said[2].contains("2 lines of"), "{}", run.said);
    let listed = stage.print(&["blocks", "list"]);
    assert_eq!(listed.matches("permanent").count(), 3, "{listed}");
}

#[test]
fn what_is_exported_can_be_imported_elsewhere() {
    let here = Stage::open();
    let hosts: Vec<String> = (0..1_200u32)
        .map(|n| format!("2001:db8:{:x}::{:x}\n", n % 7, n + 1))
        .collect();
    let list = here.path("list.txt");
    fs::write(&list, hosts.concat()).expect("the folder is ours");
    let done = here.print(&["blocks", "import", &list, "--ttl", "4h", "--reason", "=1+1"]);
    assert!(done.starts_with("1200 blocked."), "{done}");
    here.print(&["blocks", "add", "203.0.113.7", "--ttl", "permanent"]);
    let told = |stage: &Stage| {
        let printed = stage.print(&["blocks", "list", "--json"]);
        let mut told: Vec<String> = printed
            .lines()
            .map(|line| {
                let block: Value = serde_json::from_str(line).expect("a line is a document");
                let permanent = block["expires"].is_null();
                format!("{} {} {permanent}", block["target"], block["reason"])
            })
            .collect();
        told.sort();
        told
    };
    for format in ["json", "csv"] {
        let file = here.path(format);
        here.print(&["blocks", "export", "--format", format, "-o", &file]);
        if format == "csv" {
            let text = fs::read_to_string(&file).expect("it was written");
            assert!(text.contains(",'=1+1,") && !text.contains(",=1+1"));
        }
        let there = Stage::open();
        let done = there.print(&["blocks", "import", &file]);
        assert!(done.starts_with("1201 blocked."), "{done}");
        assert_eq!(told(&there), told(&here));
    }
}

#[test]
fn an_import_spares_the_inside_and_is_undone_as_one() {
    let stage = Stage::open();
    stage.print(&["blocks", "add", "203.0.113.200"]);
    let list = stage.path("list.txt");
    let text = "203.0.113.1\n192.168.1.20\n203.0.113.2\n";
    fs::write(&list, text).expect("the folder is ours");
    let run = stage.garita(&["blocks", "import", &list]);
    assert_eq!(run.code, 1);
    assert!(
        run.out
            .starts_with("2 blocked. To undo it: garita blocks remove --from "),
        "{}",
        run.out
    );
    for part in [
        "1 of 3 targets are inside your home networks: 192.168.1.20",
        "line 2: 192.168.1.20 is inside the home networks; --yes blocks it all the same",
    ] {
        assert!(run.said.contains(part), "{part:?} is not in {}", run.said);
    }
    let undone = stage.print(&["blocks", "remove", "--from", &list]);
    assert_eq!(undone, "2 of 3 lifted; the others were not blocked.\n");
    let listed = stage.print(&["blocks", "list"]);
    assert!(
        listed.contains("203.0.113.200") && listed.lines().count() == 2,
        "{listed}"
    );
    let done = stage.print(&["blocks", "import", "--yes", &list]);
    assert!(done.starts_with("3 blocked."), "{done}");
}

#[test]
fn many_blocks_and_reviews_are_answered_by_what_they_have_in_common() {
    let stage = Stage::open();
    for (target, reason) in [
        ("203.0.113.1", "botnet"),
        ("203.0.113.2", "botnet"),
        ("198.18.0.1", "other"),
    ] {
        stage.print(&["blocks", "add", target, "--reason", reason]);
    }
    let run = stage.garita(&["blocks", "remove", "--matching", "botnet"]);
    assert_eq!(run.code, 1, "{}", run.said);
    assert!(
        run.said
            .contains("nothing was lifted; --yes lifts them without asking"),
        "{}",
        run.said
    );
    assert!(run.out.contains("203.0.113.2"), "{}", run.out);
    let done = stage.print(&[
        "blocks",
        "remove",
        "--in",
        "203.0.113.0/24",
        "--matching",
        "botnet",
        "--yes",
    ]);
    assert_eq!(done, "2 blocks lifted.\n");
    stage
        .garita(&["blocks", "remove"])
        .assert_refused(2, &["--help"]);
    let run = stage.garita(&["review", "dismiss", "--in", "203.0.113.0/24"]);
    assert_eq!(run.code, 1, "{}", run.said);
    assert!(run.said.contains("nothing was answered"), "{}", run.said);
    stage.print(&["review", "dismiss", "--in", "203.0.113.0/24", "--yes"]);
    assert_eq!(
        stage.print(&["review", "list"]),
        "Nothing waits for a person.\n"
    );
}

#[test]
fn a_list_without_end_or_without_a_file_is_refused() {
    let stage = Stage::open();
    let missing = stage.path("missing.txt");
    let run = stage.garita(&["blocks", "import", &missing]);
    run.assert_refused(1, &["cannot open", "missing.txt"]);
    stage
        .garita(&["blocks", "import", "/dev/zero"])
        .assert_refused(1, &["/dev/zero is larger than 64 MiB"]);
}

#[test]
fn answered_reviews_become_rows_to_learn_from() {
    let stage = Stage::open();
    let printed = stage.print(&["review", "export"]);
    let mut lines = printed.lines();
    let header = lines.next().expect("there is a header");
    assert!(
        header.starts_with("review,address,at,by,class,"),
        "{header}"
    );
    assert_eq!(header.split(',').count(), 5 + detection::features::COUNT);
    let rows: Vec<&str> = lines.collect();
    assert_eq!(rows.len(), 700);
    assert!(rows.iter().all(|row| row.contains(",'=cmd(),benign,0.5,")));
}

#[test]
fn the_audit_is_listed_and_a_broken_link_is_an_error() {
    let entry = |seq: u64| AuditEntry {
        seq,
        at: Timestamp::from_micros(1_700_000_000_000_000),
        by: "root (uid 0)".to_owned(),
        action: "blocks add".to_owned(),
        object: format!("203.0.113.{}", seq % 256),
        outcome: "done".to_owned(),
        previous: String::new(),
        hash: String::new(),
    };
    let memory = |broken| Memory {
        audit: (1..=1_100).map(entry).collect(),
        broken,
        ..Memory::default()
    };
    let stage = Stage::with(memory(None));
    let last = stage.print(&["audit", "list", "--limit", "2"]);
    assert_eq!(last.lines().count(), 3, "{last}");
    assert!(last.contains("1099") && last.contains("1100") && last.contains("blocks add"));
    let all = stage.print(&["audit", "list", "--from", "1", "--limit", "5000", "--json"]);
    assert_eq!(all.lines().count(), 1_100);
    assert!(stage.print(&["audit", "verify"]).contains("1100 entries"));
    let stage = Stage::with(memory(Some(7)));
    stage
        .garita(&["audit", "verify"])
        .assert_refused(1, &["broken at entry 7: an entry is missing"]);
}
