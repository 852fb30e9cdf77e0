//! Conversations that somebody wants interrupted: each asks all the time, and tells what was not answered and how long an
//! answer took at most. Nothing here forges.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::clients::{dial, visit};
use crate::netns::Namespace;

/// Between two questions.
const PACE: Duration = Duration::from_millis(50);
/// An answer that takes longer never comes.
const LOST: Duration = Duration::from_secs(1);

/// What came of one conversation.
#[derive(Debug, Default, Clone)]
pub(crate) struct Figures {
    pub(crate) name: &'static str,
    pub(crate) asked: u32,
    pub(crate) lost: u32,
    pub(crate) longest: Duration,
}

/// One conversation, until it is ended.
pub(crate) struct Conversation {
    name: &'static str,
    over: Arc<AtomicBool>,
    thread: JoinHandle<Figures>,
}

impl Conversation {
    fn begin(name: &'static str, mut ask: impl FnMut() -> io::Result<()> + Send + 'static) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let ended = Arc::clone(&over);
        let thread = thread::spawn(move || {
            let mut figures = Figures {
                name,
                ..Figures::default()
            };
            while !ended.load(Ordering::Relaxed) {
                let begun = Instant::now();
                figures.asked += 1;
                figures.lost += u32::from(ask().is_err());
                figures.longest = figures.longest.max(begun.elapsed());
                thread::park_timeout(PACE);
            }
            figures
        });
        Self { name, over, thread }
    }

    /// Ends it, and tells.
    pub(crate) fn end(self) -> Figures {
        self.over.store(true, Ordering::Relaxed);
        let figures = self.thread.join();
        figures.unwrap_or_else(|_| panic!("{} goes on to its end", self.name))
    }

    /// A byte and its echo, over one connection.
    pub(crate) fn talk(name: &'static str, from: (&Namespace, IpAddr), to: SocketAddr) -> Self {
        let mut stream = from.0.run(|| dial(from.1, to)).expect("the server answers");
        stream
            .set_read_timeout(Some(LOST))
            .expect("it is more than nothing");
        Self::begin(name, move || {
            stream.write_all(b"x")?;
            stream.read_exact(&mut [0])
        })
    }

    /// A page, over a connection of its own each time.
    pub(crate) fn pages(name: &'static str, from: (&Namespace, IpAddr), server: IpAddr) -> Self {
        let path = from.0.name().to_owned();
        let client = from.1;
        Self::begin(name, move || {
            Namespace::enter_named(&path);
            visit(client, server, "/page").map(drop)
        })
    }

    /// A datagram and its answer, from one port, as a tunnel has them.
    pub(crate) fn exchange(
        name: &'static str,
        from: (&Namespace, SocketAddr),
        to: SocketAddr,
    ) -> Self {
        let socket = from.0.run(|| UdpSocket::bind(from.1)).expect("a free port");
        socket
            .set_read_timeout(Some(LOST))
            .expect("it is more than nothing");
        Self::begin(name, move || question(&socket, to))
    }

    /// The same, from a port of its own each time, as names are asked for.
    pub(crate) fn questions(
        name: &'static str,
        from: (&Namespace, IpAddr),
        to: SocketAddr,
    ) -> Self {
        let path = from.0.name().to_owned();
        let own = SocketAddr::new(from.1, 0);
        Self::begin(name, move || {
            Namespace::enter_named(&path);
            let socket = UdpSocket::bind(own)?;
            socket.set_read_timeout(Some(LOST))?;
            question(&socket, to)
        })
    }
}

fn question(socket: &UdpSocket, to: SocketAddr) -> io::Result<()> {
    socket.send_to(b"what is the time?", to)?;
    // What somebody else sends here is no answer.
    loop {
        let (_, from) = socket.recv_from(&mut [0; 512])?;
        if from == to {
            return Ok(());
        }
    }
}

/// Answers every datagram at an address of a namespace, for as long as that lasts.
pub(crate) fn answer(namespace: &Namespace, at: SocketAddr) {
    let socket = namespace.run(|| UdpSocket::bind(at)).expect("a free port");
    socket
        .set_read_timeout(Some(Duration::from_secs(60)))
        .expect("a minute");
    thread::spawn(move || {
        let mut bytes = [0; 512];
        while let Ok((len, from)) = socket.recv_from(&mut bytes) {
            // Whoever asks in somebody's name hears nothing.
            let _ = socket.send_to(&bytes[..len], from);
        }
    });
}

/// Echoes every byte at an address of a namespace.
pub(crate) fn echo(namespace: &Namespace, at: SocketAddr) {
    let listener = namespace
        .run(|| TcpListener::bind(at))
        .expect("a free port");
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || echo_one(stream));
        }
    });
}

fn echo_one(mut stream: TcpStream) {
    let mut bytes = [0; 512];
    while let Ok(len @ 1..) = stream.read(&mut bytes) {
        match stream.write_all(&bytes[..len]) {
            Err(error) if error.kind() != ErrorKind::Interrupted => return,
            _ => {}
        }
    }
}
