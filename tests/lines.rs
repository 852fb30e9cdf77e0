//! What a program says, line by line, and waiting for it to say something. It does not judge what is said.

use std::io::{BufRead, BufReader, Read};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

/// The longest anything is waited for: the machine may be busy with other tests.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// How long something that comes without a word of anybody may go unnoticed.
pub(crate) const LOOK: Duration = Duration::from_millis(25);

/// Lines that several threads add to and wait for.
#[derive(Clone, Default)]
pub(crate) struct Lines(Arc<Said>);

#[derive(Default)]
struct Said {
    lines: Mutex<Vec<String>>,
    more: Condvar,
}

impl Lines {
    /// Adds what `source` says until it ends.
    pub(crate) fn follow(&self, source: impl Read + Send + 'static) {
        let lines = self.clone();
        thread::spawn(move || {
            // Tools end their lines as they like; what is no text is shown as such.
            for line in BufReader::new(source).split(b'\n').map_while(Result::ok) {
                lines.push(String::from_utf8_lossy(&line).into_owned());
            }
        });
    }

    /// Adds a line.
    pub(crate) fn push(&self, line: String) {
        self.lock().push(line);
        self.0.more.notify_all();
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.lock().len()
    }

    /// How many of them hold `text`.
    pub(crate) fn count(&self, text: &str) -> usize {
        self.lock()
            .iter()
            .filter(|line| line.contains(text))
            .count()
    }

    /// All of them.
    pub(crate) fn text(&self) -> String {
        self.lock().join("\n")
    }

    /// Waits for a line with `text` after the first `skipped`; nothing where none came within `patience`.
    pub(crate) fn find(
        &self,
        text: &str,
        (skipped, patience): (usize, Duration),
    ) -> Option<String> {
        let end = Instant::now() + patience;
        let mut lines = self.lock();
        loop {
            if let Some(line) = lines.iter().skip(skipped).find(|line| line.contains(text)) {
                return Some(line.clone());
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            lines = self
                .0
                .more
                .wait_timeout(lines, left)
                .expect("nobody panics with the lines")
                .0;
        }
    }

    /// Waits until something more is said, at most for `patience`.
    pub(crate) fn stir(&self, patience: Duration) {
        let lines = self.lock();
        drop(self.0.more.wait_timeout(lines, patience));
    }

    fn lock(&self) -> MutexGuard<'_, Vec<String>> {
        self.0.lines.lock().expect("nobody panics with the lines")
    }
}
