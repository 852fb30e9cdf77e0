//! Who may open the socket, who may change things, and what the server does with those who mean no good.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt, chown};
use std::os::unix::net::{UnixListener, UnixStream};

use nix::unistd::Group;
use sensor::control::{Socket, SocketError};
use settings::Config;

use super::testbed::{ADMINS, Stage};

/// A group of nobody, which stands for the one that the daemon runs as.
const READERS: u32 = 61_235;

#[test]
fn reading_is_for_the_group_and_changes_are_for_the_administrators() {
    let stage = Stage::open();
    let socket = stage.path("control.sock");
    let file = fs::metadata(&socket).expect("the socket is there");
    let admins = Group::from_name(ADMINS).ok().flatten();
    let admins = admins.expect("Debian has this group").gid.as_raw();
    assert_eq!((file.mode() & 0o777, file.gid()), (0o660, admins));
    assert!(file.file_type().is_socket());

    let list = ["blocks", "list"];
    let add = ["blocks", "add", "203.0.113.7"];
    let stranger = stage.garita_as("61236", &list);
    stranger.assert_refused(1, &["permission denied", "control.sock"]);

    chown(&socket, None, Some(READERS)).expect("root may");
    let readers = READERS.to_string();
    let reader = stage.garita_as(&readers, &list);
    assert_eq!(
        (reader.code, reader.out.as_str()),
        (0, "Nothing is blocked.\n")
    );
    let refused = stage.garita_as(&readers, &add);
    refused.assert_refused(1, &["permission denied", "members of the group operator"]);
    let audited = stage
        .archive
        .refused
        .lock()
        .expect("nobody panicked")
        .clone();
    assert_eq!(audited.len(), 1);
    let audited = &audited[0];
    let entry = (&*audited.by, &*audited.action, &*audited.object);
    assert_eq!(entry, ("uid 61234", "blocks add", "203.0.113.7"));
    assert_eq!(stage.print(&list), "Nothing is blocked.\n");

    let both = format!("{READERS},{admins}");
    let allowed = stage.garita_as(&both, &add);
    assert_eq!((allowed.code, allowed.said.as_str()), (0, ""));
    assert!(stage.print(&list).contains("uid 61234"));
}

#[test]
fn a_socket_left_behind_is_replaced_and_one_in_use_is_not() {
    let mut stage = Stage::open();
    let path = stage.path("control.sock");
    let text = format!("[control]\nsocket = {path:?}\n");
    let config = Config::layered(&text, "the test", Default::default());
    let settings = config.expect("it is a configuration").control;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = runtime.expect("tokio starts");
    let bind = || runtime.block_on(Socket::bind(&settings));
    assert!(matches!(bind(), Err(SocketError::Taken { .. })));
    stage.close();
    assert!(
        !fs::exists(&path).expect("the folder is ours"),
        "it is left behind"
    );

    drop(UnixListener::bind(&path).expect("the path is free"));
    assert!(fs::exists(&path).expect("the folder is ours"));
    drop(bind().expect("nobody answers there"));
    assert!(!fs::exists(&path).expect("the folder is ours"));

    fs::write(&path, "precious").expect("the folder is ours");
    assert!(matches!(bind(), Err(SocketError::InTheWay { .. })));
    assert_eq!(fs::read(&path).expect("it is still there"), b"precious");
}

#[test]
fn requests_that_make_no_sense_get_a_status_and_a_sentence() {
    let stage = Stage::open();
    let long = "x".repeat(2 << 20);
    for (request, status, part) in [
        ("GET /v1/nothing", "404", "no such resource"),
        ("DELETE /v1/blocks", "405", "method"),
        ("GET /v1/explain/here", "400", "here"),
        ("GET /v1/blocks?limit=many", "400", "limit"),
        ("GET /v1/blocks?colour=red", "400", "colour"),
        ("GET /v1/reviews?state=odd", "400", "odd"),
    ] {
        let answer = ask(&stage, request, "");
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status}")),
            "{answer}"
        );
        assert!(
            answer.contains("{\"error\":\"") && answer.contains(part),
            "{answer}"
        );
    }
    let bad = ask(&stage, "POST /v1/actions", "{\"action\":\"explode\"}");
    assert!(
        bad.starts_with("HTTP/1.1 400") && bad.contains("explode"),
        "{bad}"
    );
    let long = ask(&stage, "POST /v1/actions", &long);
    assert!(long.starts_with("HTTP/1.1 413"), "{long}");
    assert!(long.contains("{\"error\":\""), "{long}");
}

#[test]
fn those_who_connect_and_say_nothing_keep_nobody_from_stopping() {
    let mut stage = Stage::open();
    let path = stage.path("control.sock");
    let silent: Vec<UnixStream> = (0..8)
        .map(|_| UnixStream::connect(&path).expect("control listens"))
        .collect();
    assert_eq!(stage.print(&["blocks", "list"]), "Nothing is blocked.\n");
    stage.close();
    drop(silent);
    stage
        .garita(&["blocks", "list"])
        .assert_refused(1, &["no sensor answers"]);
}

/// What the server answers to a request with this body.
fn ask(stage: &Stage, request: &str, body: &str) -> String {
    let mut stream = UnixStream::connect(stage.path("control.sock")).expect("control listens");
    let head = format!(
        "{request} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).expect("control reads");
    // The server may have refused before all was said.
    let _ = stream.write_all(body.as_bytes());
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}
