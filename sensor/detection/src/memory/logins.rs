//! Attempts to log in: how often one address tries one service, and how much alike the tries are. Who guesses gets the
//! same short refusal each time; who knows a password gets on. The sizes of an exchange tell, whatever the pace.

use ebpf::flow::FlowStats;
use ebpf::packet::{Address, protocol};
use ebpf::pair::PairKey;
use ebpf::snapshot::{Snapshot, reason};

use super::{closes, has_opener, initiator_port, seconds, service_of};
use crate::meter::table::Table;
use crate::service::Login;

/// A try this long after the last begins anew, microseconds: fail2ban's default window (findtime) of ten minutes.
const PAUSE: u64 = 600_000_000;
/// Mean time between tries above which nobody guesses, seconds: five tries in ten minutes are fail2ban's default
/// (maxretry), with some room for waits that vary.
const PACE: f64 = 150.0;
/// Two tries are alike whose payload differs in each direction by no more than this share, or so many bytes.
const ALIKE_SHARE: f64 = 0.2;
const ALIKE_BYTES: f64 = 112.0;
/// A session this long is no try, seconds: servers give a guesser two minutes at most (sshd's LoginGraceTime).
const LONG: f64 = 150.0;

/// Deviation of a timer's gaps, of their mean, and the mean from which on a program comes as it was told to, seconds.
const TIMER: f64 = 0.05;
const POLL: f64 = 1.0;

/// Datagrams: questions in one flow, and the mean time between them, seconds. A telephone registers each minute.
const QUESTIONS: u32 = 16;
const QUESTION_PACE: f64 = 10.0;
/// Deviation of their lengths, of the mean.
const QUESTION_DEVIATION: f64 = 0.15;

/// Guessing that suffices to act on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Guessing {
    /// Tries that were alike.
    pub attempts: u32,
    /// Tries at which it is guessing.
    pub threshold: u32,
    /// When the first began, microseconds.
    pub first: u64,
    /// Mean payload of a try, both ways, bytes.
    pub bytes: f64,
    /// Mean time between tries, seconds.
    pub gap: f64,
}

/// The tries of one address at one service.
#[derive(Clone, Copy, Debug, Default)]
struct Tries {
    /// Tries that were alike, and others since the first of them.
    alike: u32,
    other: u32,
    first: u64,
    /// When the last try began, and its port: a flow seen twice is one.
    last: u64,
    port: u16,
    /// Mean payload out and in.
    out: f64,
    back: f64,
    /// Sums over the gaps, seconds.
    gaps: f64,
    gap_squares: f64,
}

/// A flow at a login service that has ended, as far as it tells of passwords.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Session {
    /// Nothing was tried: no payload, or only a look at the banner.
    Nothing,
    /// As short as a refusal.
    Refusal,
    /// Longer than a refusal: somebody got in.
    Entry,
}

/// Tries of every pair, the one unheard of for longest forgotten first.
#[derive(Debug)]
pub struct Logins(Table<PairKey, Tries, 1>);

impl Logins {
    /// Nothing known, and at most `cap` pairs at once.
    pub fn new(cap: usize) -> Self {
        Self(Table::new([cap]))
    }

    /// Hears a snapshot of a flow at `login`.
    pub fn hear(&mut self, snapshot: &Snapshot, login: &Login) -> Option<Guessing> {
        if !has_opener(snapshot) {
            return None;
        }
        if snapshot.key.protocol == protocol::UDP {
            return questions(snapshot);
        }
        if !closes(snapshot) {
            return None;
        }
        let session = session(&snapshot.flow, login);
        if session == Session::Nothing {
            return None;
        }
        let pair = service_of(snapshot);
        let record = match self.0.find(&pair) {
            Some(record) => {
                self.0.touch(record);
                record
            }
            None => self.0.insert(pair, Tries::default(), 0),
        };
        let tries = self.0.value_mut(record);
        if session == Session::Entry {
            *tries = Tries::default();
            return None;
        }
        tries.take(snapshot);
        tries.guessing(login)
    }

    /// What these addresses tried is forgotten.
    pub fn forget(&mut self, addresses: &[Address]) {
        self.0.retain(|pair| !addresses.contains(&pair.initiator));
    }
}

impl Tries {
    fn take(&mut self, snapshot: &Snapshot) {
        let (forward, backward) = snapshot.flow.halves();
        let (out, back) = (forward.payload as f64, backward.payload as f64);
        let begun = snapshot.flow.first;
        let port = initiator_port(snapshot);
        if self.alike > 0 && self.port == port && begun == self.last {
            return;
        }
        if begun.saturating_sub(self.last) > PAUSE {
            *self = Self::default();
        }
        let near =
            |mean: f64, value: f64| (value - mean).abs() <= (ALIKE_SHARE * mean).max(ALIKE_BYTES);
        if self.alike > 0 && !(near(self.out, out) && near(self.back, back)) {
            self.other += 1;
            // Tools look at the banner first, or give up one try in a few. As many of another kind are another matter.
            if self.other * 2 > self.alike {
                *self = Self::default();
            } else {
                return;
            }
        }
        if self.alike == 0 {
            self.first = begun;
        } else {
            let gap = seconds(self.last, begun);
            self.gaps += gap;
            self.gap_squares += gap * gap;
        }
        self.alike += 1;
        let share = 1.0 / f64::from(self.alike);
        self.out += (out - self.out) * share;
        self.back += (back - self.back) * share;
        (self.last, self.port) = (self.last.max(begun), port);
    }

    fn guessing(&self, login: &Login) -> Option<Guessing> {
        if self.alike < login.tries {
            return None;
        }
        let count = f64::from(self.alike - 1);
        let gap = seconds(self.first, self.last) / count;
        let deviation = (self.gap_squares / count - (self.gaps / count).powi(2))
            .max(0.0)
            .sqrt();
        let polls = login.polled && gap >= POLL && deviation <= TIMER * gap;
        (gap <= PACE && !polls).then_some(Guessing {
            attempts: self.alike,
            threshold: login.tries,
            first: self.first,
            bytes: self.out + self.back,
            gap,
        })
    }
}

/// What a flow that has ended at `login` was.
pub(super) fn session(flow: &FlowStats, login: &Login) -> Session {
    let (forward, backward) = flow.halves();
    if forward.payload < login.least || backward.payload == 0 {
        return Session::Nothing;
    }
    let long = flow.duration() as f64 / 1e6 > LONG;
    let wordy = forward.payload_packets > login.most_words
        || forward.payload > login.most_out
        || backward.payload > login.most_back;
    if long || wordy {
        Session::Entry
    } else {
        Session::Refusal
    }
}

/// Datagrams that ask the same again and again, each answered as shortly.
fn questions(snapshot: &Snapshot) -> Option<Guessing> {
    if snapshot.reason & (reason::PACKETS | reason::ATTEMPTS | reason::SUSPECT) == 0 {
        return None;
    }
    let flow = &snapshot.flow;
    let pair = &snapshot.pair;
    let (forward, backward) = flow.halves();
    let alike = |half: &ebpf::flow::Half| {
        let count = f64::from(half.packets.max(1));
        let mean = half.bytes as f64 / count;
        let square = (half.length_squares as f64 / count - mean * mean).max(0.0);
        square.sqrt() <= QUESTION_DEVIATION * mean
    };
    let answered = 2 * backward.packets >= forward.packets;
    let one_flow = forward.packets >= QUESTIONS
        && answered
        && backward.packets <= 2 * forward.packets
        && alike(forward)
        && alike(backward);
    let bytes = (forward.payload + backward.payload) as f64 / f64::from(forward.packets.max(1));
    if one_flow {
        let gap = flow.duration() as f64 / 1e6 / f64::from(forward.packets - 1);
        return (gap <= QUESTION_PACE).then_some(Guessing {
            attempts: forward.packets,
            threshold: QUESTIONS,
            first: flow.first,
            bytes,
            gap,
        });
    }
    // A tool that takes another port for each question.
    let gap = seconds(pair.first, pair.last) / f64::from(pair.attempts.max(2) - 1);
    let many_flows = pair.attempts >= QUESTIONS && forward.packets <= 2 && gap <= QUESTION_PACE;
    many_flows.then_some(Guessing {
        attempts: pair.attempts,
        threshold: QUESTIONS,
        first: pair.first,
        bytes,
        gap,
    })
}
