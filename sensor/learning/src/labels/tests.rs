//! Labels files that must be read, and those that must be refused by line and value.

use super::*;

const HEADER: &str = "capture,attacker,victim,class,split\r\n";

#[test]
fn both_directions_of_an_attack_are_its_class_and_all_else_is_benign() {
    let lines = "a/lab/x.pcap,192.0.2.1;2001:db8::/64,198.51.100.0/24,scan,train\r\n\
                 a/lab/x.pcap,192.0.2.9,*,flood,train\r\n";
    let labels = read(HEADER, lines).unwrap();
    let capture = &labels.captures()[0];
    let class = |a: &str, b: &str| capture.class_of(a.parse().unwrap(), b.parse().unwrap());
    assert_eq!(class("192.0.2.1", "198.51.100.77"), Class::Scan);
    assert_eq!(class("198.51.100.77", "192.0.2.1"), Class::Scan);
    assert_eq!(class("2001:db8::5", "198.51.100.1"), Class::Scan);
    assert_eq!(class("::ffff:192.0.2.1", "198.51.100.1"), Class::Scan);
    assert_eq!(class("192.0.2.1", "203.0.113.1"), Class::Benign);
    assert_eq!(class("203.0.113.1", "192.0.2.9"), Class::Flood);
    assert!(capture.is_attacker("2001:db8::99".parse().unwrap()));
    assert!(!capture.is_attacker("198.51.100.77".parse().unwrap()));
    assert_eq!(
        (capture.source.as_str(), capture.class()),
        ("lab", Class::Scan)
    );
}

#[test]
fn anyone_attacking_a_victim_is_anyone_but_the_victim() {
    let labels = read(HEADER, "a/lab/x.pcap,*,192.0.2.1,ddos,test\n").unwrap();
    let capture = &labels.captures()[0];
    assert!(capture.is_attacker("198.51.100.1".parse().unwrap()));
    assert!(!capture.is_attacker("192.0.2.1".parse().unwrap()));
}

#[test]
fn columns_go_by_name_and_a_given_source_wins() {
    let header = "split,source,class,victim,attacker,capture\n";
    let labels = read(header, "test,mine,benign,-,-,a/lab/x.pcap\n").unwrap();
    let capture = &labels.captures()[0];
    assert_eq!(
        (capture.source.as_str(), capture.split.as_str()),
        ("mine", "test")
    );
    assert_eq!(capture.class(), Class::Benign);
    assert!(capture.path.ends_with("a/lab/x.pcap"));
}

#[test]
fn a_repeated_line_counts_once_and_a_contradiction_is_refused() {
    let line = "a/lab/x.pcap,192.0.2.1,*,scan,train\n";
    let labels = read(HEADER, &line.repeat(3)).unwrap();
    assert_eq!(labels.captures().len(), 1);
    assert_eq!(labels.captures()[0].attacks.len(), 1);
    let other = format!("{line}a/lab/x.pcap,192.0.2.1,*,scan,test\n");
    assert!(sentence(HEADER, &other).contains("line 3: capture \"a/lab/x.pcap\" has another"));
}

#[test]
fn errors_name_line_and_value() {
    let cases = [
        (
            "a/lab/none.pcap,-,-,benign,train\n",
            "line 2: capture \"a/lab/none.pcap\"",
        ),
        ("a/lab/x.pcap,192.0.2.1,*,portscan,train\n", "\"portscan\""),
        ("a/lab/x.pcap,192.0.2.300,*,scan,train\n", "\"192.0.2.300\""),
        (
            "a/lab/x.pcap,192.0.2.1;,*,scan,train\n",
            "\"\" is no address",
        ),
        ("a/lab/x.pcap,-,-,scan,train\n", "needs an attacker"),
        ("a/lab/x.pcap,-,-,benign,\n", "no split"),
        ("a/lab/x.pcap,-\n", "fields"),
        ("", "name no capture"),
    ];
    for (lines, part) in cases {
        let error = sentence(HEADER, lines);
        assert!(
            error.contains(part) && error.contains("labels.csv"),
            "{error}"
        );
    }
    assert!(sentence("capture,victim,class,split\n", "").contains("no column \"attacker\""));
}

fn sentence(header: &str, lines: &str) -> String {
    read(header, lines).unwrap_err().to_string()
}

fn read(header: &str, lines: &str) -> Result<Labels, Error> {
    let folder = tempfile::tempdir().unwrap();
    let captures = folder.path().join("a/lab");
    std::fs::create_dir_all(&captures).unwrap();
    std::fs::write(captures.join("x.pcap"), b"").unwrap();
    let path = folder.path().join("labels.csv");
    std::fs::write(&path, format!("{header}{lines}")).unwrap();
    Labels::read(&path)
}
