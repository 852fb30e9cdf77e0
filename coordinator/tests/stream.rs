//! What changes, as it changes: resumable, within one's sites, and over at once when access is.

use std::io::{BufRead, BufReader};
use std::net::TcpStream;

use crate::lab::{Coordinator, PATIENCE, Sensor, on_both};

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
