//! What changes, as it changes: resumable, within one's sites, and over at once when access is.

use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::process::{Command, Stdio};

use crate::lab::{Broker, Coordinator, Database, PATIENCE, Sensor, on_both, skip_without, wait};

/// A stream of server-sent events over a plain connection.
struct Stream(BufReader<TcpStream>);

impl Stream {
    fn open(coordinator: &Coordinator, token: &str, after: &str) -> Self {
        use std::io::Write;
        let mut connection =
            TcpStream::connect(("127.0.0.1", coordinator.port)).expect("it listens");
        connection
            .set_read_timeout(Some(PATIENCE))
            .expect("a timeout");
        let request = format!(
            "GET /api/v1/events HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\nlast-event-id: {after}\r\n\r\n"
        );
        connection.write_all(request.as_bytes()).expect("it reads");
        let mut stream = Self(BufReader::new(connection));
        let head = stream.line().expect("it answers");
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        stream
    }

    fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        let read = self
            .0
            .read_line(&mut line)
            .expect("it says something in time");
        (read > 0).then(|| line.trim_end().to_owned())
    }

    /// The next event of a kind: its number and its data.
    fn next(&mut self, kind: &str) -> (i64, String) {
        let (mut id, mut is_wanted) = (0, false);
        loop {
            let line = self.line().expect("the stream goes on");
            if let Some(text) = line.strip_prefix("id: ") {
                id = text.parse().expect("a number");
            } else if let Some(text) = line.strip_prefix("event: ") {
                is_wanted = text == kind;
            } else if let Some(data) = line.strip_prefix("data: ")
                && is_wanted
            {
                return (id, data.to_owned());
            }
        }
    }
}

#[test]
fn a_stream_is_resumed_where_it_was_left_and_ends_with_its_token() {
    on_both("a_stream_is_resumed", |broker, database| {
        let coordinator = Coordinator::start((broker, database), "");
        let viewer = coordinator.token("viewer", None);
        let north = coordinator.token("viewer", Some("north"));
        let a = Sensor::start(broker.port, "north", "a");
        let b = Sensor::start(broker.port, "south", "b");
        let mut stream = Stream::open(&coordinator, &viewer, "0");
        let mut limited = Stream::open(&coordinator, &north, "0");
        let first = a.incident("203.0.113.1", "scan");
        let (id, data) = stream.next("incident");
        assert!(data.contains(&first));
        drop(stream);
        let second = b.incident("203.0.113.2", "scan");
        let third = a.incident("203.0.113.3", "scan");
        let mut stream = Stream::open(&coordinator, &viewer, &id.to_string());
        // Two sensors' messages may come in either order.
        let mut heard = [stream.next("incident"), stream.next("incident")];
        assert!(heard[0].0 > id && heard[1].0 > heard[0].0);
        heard.sort_by_key(|(_, data)| data.contains("north"));
        assert!(heard[0].1.contains(&second) && heard[1].1.contains(&third));
        assert!(limited.next("incident").1.contains(&first));
        assert!(
            limited.next("incident").1.contains(&third),
            "nothing of another site"
        );

        assert!(
            coordinator
                .cli(&["token", "revoke", "viewer-all"])
                .status
                .success()
        );
        a.incident("203.0.113.4", "scan");
        while let Some(line) = stream.line() {
            assert!(!line.contains("203.0.113.4"), "it has ended before");
        }
    });
}

#[test]
fn a_websocket_tells_the_same_and_tls_is_spoken_where_it_is_set() {
    if skip_without(
        "a_websocket_tells_the_same",
        &["mosquitto", "openssl", "curl"],
    ) {
        return;
    }
    let (broker, database) = (Broker::start(), Database::sqlite());
    let folder = tempfile::TempDir::new().expect("a folder");
    let path = |name: &str| folder.path().join(name).to_str().expect("UTF-8").to_owned();
    let (certificate, key) = (path("tls.crt"), path("tls.key"));
    let made = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-days",
            "2",
        ])
        .args([
            "-subj",
            "/CN=localhost",
            "-addext",
            "subjectAltName=DNS:localhost",
            "-out",
            &certificate,
            "-keyout",
            &key,
        ])
        .stderr(Stdio::null())
        .status();
    assert!(made.expect("openssl runs").success());
    let mut coordinator = Coordinator::new(
        (&broker, &database),
        &format!("http.tls = \"{certificate},{key}\"\n"),
    );
    coordinator.run();
    let token = coordinator.token("viewer", None);
    let curl = |arguments: &[&str], path: &str| {
        let port = coordinator.port;
        let bearer = format!("authorization: Bearer {token}");
        let asked = Command::new("curl")
            .args([
                "-sS",
                "-i",
                "--max-time",
                "3",
                "--http1.1",
                "--cacert",
                &certificate,
                "-H",
                &bearer,
            ])
            .args(arguments)
            .arg(format!("https://localhost:{port}{path}"))
            .output();
        String::from_utf8_lossy(&asked.expect("curl runs").stdout).into_owned()
    };
    wait("it speaks TLS", || {
        curl(&[], "/readyz")
            .starts_with("HTTP/1.1 200")
            .then_some(())
    });
    let listed = curl(&[], "/api/v1/incidents");
    assert!(
        listed.contains("strict-transport-security: max-age=31536000"),
        "{listed}"
    );
    let sensor = Sensor::start(broker.port, "north", "a");
    let id = sensor.incident("203.0.113.1", "scan");
    let upgrade = [
        "-H",
        "connection: upgrade",
        "-H",
        "upgrade: websocket",
        "-H",
        "sec-websocket-version: 13",
        "-H",
        "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==",
    ];
    let told = curl(&upgrade, "/api/v1/ws?after=0");
    assert!(
        told.starts_with("HTTP/1.1 101") && told.contains(&id),
        "{told}"
    );
}
