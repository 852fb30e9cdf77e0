//! Where the threads say that they have ended, by a panic too. What follows from it is decided elsewhere.

use std::sync::{Arc, Mutex};
use std::thread;

use anyhow::Result;
use tokio::sync::Notify;

use super::lock;

/// Where a thread says that it has ended.
#[derive(Debug, Default)]
pub(super) struct ThreadExits {
    why: Mutex<Option<String>>,
    told: Notify,
}

impl ThreadExits {
    /// Waits until a thread has ended that should run for good, and says why.
    pub(super) async fn told(&self) -> String {
        loop {
            self.told.notified().await;
            let why = lock(&self.why).take();
            if let Some(why) = why {
                return why;
            }
        }
    }

    fn tell(&self, why: String) {
        *lock(&self.why) = Some(why);
        self.told.notify_one();
    }
}

/// Says that its thread has ended, by a panic too.
struct ExitGuard(Arc<ThreadExits>, &'static str);

/// Does the work of the thread `name`, and tells `exits` when that fails.
pub(super) fn watched(
    exits: Arc<ThreadExits>,
    name: &'static str,
    work: impl FnOnce() -> Result<()>,
) {
    let guard = ExitGuard(exits, name);
    if let Err(error) = work() {
        guard.0.tell(format!("{error:#}"));
    }
}

impl Drop for ExitGuard {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.tell(format!("the thread {} has failed", self.1));
        }
    }
}
