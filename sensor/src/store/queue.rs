//! What waits to be written, in order and within a bound of memory: beyond it the least important goes first.
//! It never waits for the disk, and does not know it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::entry::{Entry, Kind};
use contract::timestamp::Timestamp;

/// An entry is committed at the latest this long after it came, so that a crash loses no more. Half of what is promised
/// leaves the other half to a slow disk, and ten commits a second do not wear one out.
const COMMIT_WITHIN: Duration = Duration::from_millis(100);

/// Entries of one transaction: enough that its cost is shared, few enough that it takes some ten milliseconds.
const BATCH: usize = 1_000;

/// How many kinds of importance there are.
const LANES: usize = 4;

/// The queue between everybody and the writer.
#[derive(Debug)]
pub(super) struct Queue {
    waiting: Mutex<Lanes>,
    changed: Condvar,
    cap: usize,
}

/// An entry that waits.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) entry: Entry,
    pub(super) at: Timestamp,
    order: u64,
    since: Instant,
    bytes: usize,
}

/// Why the writer was woken.
#[derive(Debug)]
pub(super) enum Wake {
    /// These are to be written.
    Batch(Vec<Waiting>),
    /// It is time for something else.
    Idle,
    /// No more will come, and all has been handed out.
    Closed,
}

/// What the queue holds and has lost.
#[derive(Debug, Clone, Default)]
pub(super) struct Load {
    pub(super) entries: usize,
    pub(super) bytes: usize,
    pub(super) lost: BTreeMap<Kind, u64>,
}

#[derive(Debug, Default)]
struct Lanes {
    /// By importance, the least first; in each by age.
    lanes: [VecDeque<Waiting>; LANES],
    next: u64,
    /// The first entry of the batch that is being written.
    writing: Option<u64>,
    /// Somebody waits for the entries before this one: they are not gathered any longer.
    wanted: u64,
    /// Of all that waits or is being written.
    load: Load,
    closed: bool,
}

impl Queue {
    pub(super) fn new(cap: usize) -> Self {
        Self {
            waiting: Mutex::default(),
            changed: Condvar::new(),
            cap,
        }
    }

    /// Takes an entry, at the expense of less important and of older ones where there is no room.
    pub(super) fn push(&self, entry: Entry, at: Timestamp) {
        let mut lanes = self.lock();
        let bytes = entry.bytes();
        let lane = lane(entry.kind());
        if lanes.closed || !lanes.make_room(bytes, lane, self.cap) {
            lanes.lose(entry.kind());
            return;
        }
        let order = lanes.next;
        lanes.next += 1;
        lanes.load.entries += 1;
        lanes.load.bytes += bytes;
        let since = Instant::now();
        lanes.lanes[lane].push_back(Waiting {
            entry,
            at,
            order,
            since,
            bytes,
        });
        // The writer wakes by itself for what it has seen already.
        if lanes.len() == 1 || lanes.len() == BATCH {
            self.changed.notify_all();
        }
    }

    /// Waits for the next batch, but not beyond `until` where there is none.
    pub(super) fn next(&self, until: Instant) -> Wake {
        let mut lanes = self.lock();
        loop {
            let now = Instant::now();
            let due = lanes.oldest().map(|since| since + COMMIT_WITHIN);
            match due {
                Some(due)
                    if lanes.closed || lanes.is_wanted() || lanes.len() >= BATCH || due <= now =>
                {
                    let batch = lanes.take();
                    lanes.writing = batch.first().map(|waiting| waiting.order);
                    return Wake::Batch(batch);
                }
                None if lanes.closed => return Wake::Closed,
                None if until <= now => return Wake::Idle,
                _ => {}
            }
            let rest = due.unwrap_or(until).saturating_duration_since(now);
            lanes = self.wait(lanes, rest);
        }
    }

    /// What is there now, at most a batch, without waiting.
    pub(super) fn at_once(&self) -> Vec<Waiting> {
        let mut lanes = self.lock();
        let batch = lanes.take();
        lanes.writing = batch.first().map(|waiting| waiting.order);
        batch
    }

    /// Waits until everything that was taken before this call is written, given up, or `patience` is at its end.
    pub(super) fn flush(&self, patience: Duration) {
        let until = Instant::now() + patience;
        let mut lanes = self.lock();
        let mark = lanes.next;
        lanes.wanted = mark;
        self.changed.notify_all();
        while lanes.first_unwritten().is_some_and(|first| first < mark) {
            let rest = until.saturating_duration_since(Instant::now());
            if rest.is_zero() {
                return;
            }
            lanes = self.wait(lanes, rest);
        }
    }

    /// Waits for so long, or until the queue is closed; says whether it is.
    pub(super) fn rest(&self, span: Duration) -> bool {
        let until = Instant::now() + span;
        let mut lanes = self.lock();
        while !lanes.closed {
            let rest = until.saturating_duration_since(Instant::now());
            if rest.is_zero() {
                break;
            }
            lanes = self.wait(lanes, rest);
        }
        lanes.closed
    }

    /// The batch was written, but for what could never be.
    pub(super) fn settle(&self, batch: &[Waiting], unwritable: &[Kind]) {
        let mut lanes = self.lock();
        lanes.writing = None;
        for waiting in batch {
            lanes.load.entries -= 1;
            lanes.load.bytes -= waiting.bytes;
        }
        for &kind in unwritable {
            lanes.lose(kind);
        }
        self.changed.notify_all();
    }

    /// The batch could not be written, and waits again, before all others.
    pub(super) fn give_back(&self, batch: Vec<Waiting>) {
        let mut lanes = self.lock();
        lanes.writing = None;
        for waiting in batch.into_iter().rev() {
            lanes.lanes[lane(waiting.entry.kind())].push_front(waiting);
        }
    }

    /// Takes no more entries.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    /// Gives up what waits, and counts it.
    pub(super) fn abandon(&self) -> Load {
        let mut lanes = self.lock();
        while let Some(waiting) = lanes.pop() {
            lanes.forget(&waiting);
        }
        lanes.load.clone()
    }

    pub(super) fn load(&self) -> Load {
        self.lock().load.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Lanes> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, lanes: MutexGuard<'a, Lanes>, span: Duration) -> MutexGuard<'a, Lanes> {
        let woken = self.changed.wait_timeout(lanes, span);
        woken.unwrap_or_else(PoisonError::into_inner).0
    }
}

impl Lanes {
    fn len(&self) -> usize {
        self.lanes.iter().map(VecDeque::len).sum()
    }

    fn first_waiting(&self) -> Option<u64> {
        let fronts = self.lanes.iter().filter_map(VecDeque::front);
        fronts.map(|waiting| waiting.order).min()
    }

    /// Batches are taken in order, so what is being written comes before what waits.
    fn first_unwritten(&self) -> Option<u64> {
        self.writing.or_else(|| self.first_waiting())
    }

    fn is_wanted(&self) -> bool {
        self.first_waiting()
            .is_some_and(|first| first < self.wanted)
    }

    fn oldest(&self) -> Option<Instant> {
        let fronts = self.lanes.iter().filter_map(VecDeque::front);
        fronts.map(|waiting| waiting.since).min()
    }

    /// The entry that came first.
    fn pop(&mut self) -> Option<Waiting> {
        let lanes = self.lanes.iter_mut().filter(|lane| !lane.is_empty());
        let first = lanes.min_by_key(|lane| lane.front().map(|waiting| waiting.order));
        first.and_then(VecDeque::pop_front)
    }

    fn take(&mut self) -> Vec<Waiting> {
        std::iter::from_fn(|| self.pop()).take(BATCH).collect()
    }

    /// Whether there is room for so many bytes once no more than allowed has gone from this and from lesser lanes.
    fn make_room(&mut self, bytes: usize, lane: usize, cap: usize) -> bool {
        for lane in 0..=lane {
            while self.load.bytes + bytes > cap {
                let Some(waiting) = self.lanes[lane].pop_front() else {
                    break;
                };
                self.forget(&waiting);
            }
        }
        self.load.bytes + bytes <= cap
    }

    fn forget(&mut self, waiting: &Waiting) {
        self.load.entries -= 1;
        self.load.bytes -= waiting.bytes;
        self.lose(waiting.entry.kind());
    }

    fn lose(&mut self, kind: Kind) {
        *self.load.lost.entry(kind).or_default() += 1;
    }
}

/// How much is lost with an entry of this kind: a message can be told again, an incident is only history, a review and
/// a setting are a person's, and without blocks and the audit trail a restart forgets attackers and who did what.
const fn lane(kind: Kind) -> usize {
    match kind {
        Kind::Message => 0,
        Kind::Incident => 1,
        Kind::Review | Kind::Allowance | Kind::Setting => 2,
        Kind::Block | Kind::Audit => LANES - 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn audit(object: &str) -> Entry {
        Entry::Audit {
            by: "root".to_owned(),
            action: "blocks add".to_owned(),
            object: object.to_owned(),
            outcome: "done".to_owned(),
        }
    }

    fn push(queue: &Queue, entry: Entry) {
        queue.push(entry, Timestamp::from_micros(0));
    }

    #[test]
    fn order_is_kept_across_importance_and_after_a_batch_came_back() {
        let queue = Queue::new(1 << 20);
        push(&queue, audit("first"));
        push(&queue, Entry::Sent { seq: 2 });
        push(&queue, audit("third"));
        let kinds = |batch: &[Waiting]| batch.iter().map(|w| w.entry.kind()).collect::<Vec<_>>();
        let batch = queue.at_once();
        let expected = [Kind::Audit, Kind::Message, Kind::Audit];
        assert_eq!(kinds(&batch), expected);
        push(&queue, Entry::Sent { seq: 4 });
        queue.give_back(batch);
        let again = queue.at_once();
        assert_eq!(kinds(&again)[..3], expected);
        assert_eq!(again.len(), 4);
        queue.settle(&again, &[]);
        assert_eq!((queue.load().entries, queue.load().bytes), (0, 0));
    }

    #[test]
    fn without_room_the_least_important_goes_first_and_is_counted() {
        let queue = Queue::new(4 * audit("kept").bytes());
        for seq in 0..3 {
            push(&queue, Entry::Sent { seq });
        }
        for _ in 0..4 {
            push(&queue, audit("kept"));
        }
        let load = queue.load();
        assert_eq!(load.lost, BTreeMap::from([(Kind::Message, 3)]));
        assert_eq!(load.entries, 4);
        push(&queue, Entry::Sent { seq: 9 });
        assert_eq!(queue.load().lost[&Kind::Message], 4);
        push(&queue, audit("late"));
        assert_eq!(queue.load().lost[&Kind::Audit], 1);
        assert_eq!(queue.load().entries, 4);
    }

    #[test]
    fn who_waits_for_what_came_before_hurries_the_writer_and_no_more() {
        let queue = Queue::new(1 << 20);
        queue.flush(Duration::from_secs(60));
        push(&queue, audit("first"));
        std::thread::scope(|scope| {
            let waits = scope.spawn(|| queue.flush(Duration::from_secs(60)));
            while queue.lock().wanted == 0 {
                std::thread::yield_now();
            }
            let Wake::Batch(batch) = queue.next(Instant::now() + Duration::from_secs(60)) else {
                panic!("an entry waits");
            };
            push(&queue, audit("later"));
            assert!(!waits.is_finished());
            queue.settle(&batch, &[]);
            waits.join().unwrap();
        });
        queue.flush(Duration::ZERO);
        assert_eq!(queue.load().entries, 1);
    }

    #[test]
    fn a_closed_queue_hands_out_the_rest_and_takes_no_more() {
        let queue = Queue::new(1 << 20);
        push(&queue, audit("last"));
        queue.close();
        push(&queue, audit("too late"));
        let later = Instant::now() + Duration::from_secs(3_600);
        assert!(matches!(queue.next(later), Wake::Batch(batch) if batch.len() == 1));
        assert!(matches!(queue.next(later), Wake::Closed));
        assert_eq!(queue.load().lost, BTreeMap::from([(Kind::Audit, 1)]));
    }
}
