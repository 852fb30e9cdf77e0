//! The same work on many items, on every core.
//! The order in which it is done never shows in what comes out.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::{Progress, Watch};

/// Does `work` on every item, on as many threads as the machine has, and returns the results in the items' order.
pub fn parallel<T: Sync, R: Send>(
    items: &[T],
    watch: &Watch<'_>,
    work: impl Fn(&T) -> R + Sync,
) -> Vec<R> {
    let threads = std::thread::available_parallelism()
        .map_or(1, usize::from)
        .min(items.len().max(1));
    let (next, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let worker = || {
        let mut results = Vec::new();
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(at) else {
                return results;
            };
            results.push((at, work(item)));
            watch(Progress {
                done: done.fetch_add(1, Ordering::Relaxed) + 1,
                total: items.len(),
            });
        }
    };
    let mut results: Vec<(usize, R)> = std::thread::scope(|scope| {
        let handles: Vec<_> = (0..threads).map(|_| scope.spawn(worker)).collect();
        handles
            .into_iter()
            .flat_map(|handle| {
                handle
                    .join()
                    .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            })
            .collect()
    });
    results.sort_by_key(|(at, _)| *at);
    results.into_iter().map(|(_, result)| result).collect()
}
