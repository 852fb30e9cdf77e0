//! The pipeline: live traffic through a tap and the engine, on one thread without locks. What it concludes goes to the
//! blocklist; it blocks nobody itself.

use std::sync::mpsc::{Receiver, SyncSender, TryRecvError};
use std::time::Duration;

use ebpf::snapshot::Snapshot;

use crate::blocklist::{Message, Notice};
use crate::capture::{CaptureError, LiveSource, Statistics};
use crate::clock::{Heartbeat, Moment};
use detection::engine::{Engine, Request};

/// The longest a notice waits while no packet comes.
const PATIENCE: Duration = Duration::from_millis(50);
/// How often time passes for the engine, microseconds.
const TICK: u64 = 1_000_000;

/// What the pipeline works with.
#[derive(Debug)]
pub struct Channels {
    /// Where verdicts go.
    pub blocklist: SyncSender<Message>,
    /// What the blocklist has decided meanwhile.
    pub notices: Receiver<Notice>,
    /// Where its figures are read, once a second.
    pub figures: tokio::sync::watch::Sender<Figures>,
    /// Its sign of life.
    pub heartbeat: Heartbeat,
}

/// What the pipeline has counted.
#[derive(Debug, Clone, Default)]
pub struct Figures {
    /// What the tap has counted.
    pub tap: Statistics,
    /// Snapshots taken.
    pub snapshots: u64,
    /// Of these, scored by the model.
    pub scored: u64,
    /// Addresses with evidence against them.
    pub suspects: usize,
    /// Evidence that was dropped for want of room.
    pub suspects_dropped: u64,
}

/// LiveSource and engine in a row.
pub struct Pipeline {
    tap: Box<dyn LiveSource>,
    engine: Engine,
    lines: Channels,
    snapshots: Vec<Snapshot>,
    heard: u64,
    next_tick: u64,
}

impl Pipeline {
    /// A watch that has seen nothing.
    pub fn new(tap: Box<dyn LiveSource>, engine: Engine, lines: Channels) -> Self {
        let mut watch = Self {
            tap,
            engine,
            lines,
            snapshots: Vec::new(),
            heard: 0,
            next_tick: 0,
        };
        watch.publish();
        watch
    }

    /// Watches until nobody sends notices any more, or the tap fails for good.
    pub fn run(mut self) -> Result<(), CaptureError> {
        let mut now = Moment::now().micros;
        while self.take_notices(now) {
            now = self.tap.listen(PATIENCE, &mut self.snapshots)?;
            self.judge(now);
            self.lines.heartbeat.beat(now);
        }
        Ok(())
    }

    /// Takes what the blocklist has to say; false when it has gone.
    fn take_notices(&mut self, now: u64) -> bool {
        loop {
            match self.lines.notices.try_recv() {
                Ok(notice) => self.heed(notice, now),
                Err(TryRecvError::Empty) => return true,
                Err(TryRecvError::Disconnected) => return false,
            }
        }
    }

    fn heed(&mut self, notice: Notice, now: u64) {
        match notice {
            Notice::Recall(address, offence) => self.engine.recall(address, &offence),
            Notice::Hold(target, until) => self.engine.hold(target, now, until),
            Notice::HoldService(address, service, until) => {
                self.engine.hold_service(address, &service, until);
            }
            Notice::Release(target) => self.engine.release(target, now),
            Notice::Revise(policy, guard) => self.engine.revise(&policy, *guard),
            Notice::Adopt(model) => self.engine.adopt(model),
            Notice::Suspicion(address, reply) => {
                // Whoever asked may have lost patience.
                let _ = reply.send(self.engine.suspicion(address, now));
            }
            Notice::Headers(address, reply) => {
                let _ = reply.send(self.tap.headers(address));
            }
        }
    }

    fn judge(&mut self, now: u64) {
        self.heard += self.snapshots.len() as u64;
        for snapshot in &self.snapshots {
            self.engine.hear(snapshot);
        }
        self.snapshots.clear();
        if now >= self.next_tick {
            self.engine.tick(now);
            self.next_tick = now + TICK;
            self.publish();
        }
        while let Some(request) = self.engine.next_request() {
            self.obey(request);
        }
    }

    fn obey(&mut self, request: Request) {
        match request {
            Request::Suspect(host, suspected) => self.tap.suspect(host, suspected),
            Request::Forget(addresses) => self.tap.forget(&addresses),
            Request::Doubt(address) => {
                // If the blocklist is busy it is told with the next snapshot.
                let _ = self.lines.blocklist.try_send(Message::Doubt(address));
            }
            Request::Conclude(mut verdict) => {
                verdict.tunnel = verdict.carried(|initiator| self.tap.tunnel(initiator));
                verdict.interface = self.tap.interface(verdict.link).map(str::to_owned);
                // The blocklist never waits for us, so there is room soon. If it has gone, the program ends.
                let _ = self.lines.blocklist.send(Message::Verdict(verdict));
            }
        }
    }

    fn publish(&mut self) {
        let (suspects, suspects_dropped) = self.engine.suspects();
        self.lines.figures.send_replace(Figures {
            tap: self.tap.statistics(),
            snapshots: self.heard,
            scored: self.engine.scored(),
            suspects,
            suspects_dropped,
        });
    }
}
