//! Decisions that wait for a person, oldest first, within a cap and for a time.
//! It decides none of them.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;

use contract::record::Review;

/// Open reviews.
#[derive(Debug, Default)]
pub(super) struct Reviews {
    open: HashMap<String, (Review, u64)>,
    /// The same reviews by the moment they lapse, monotonic microseconds.
    due: BTreeSet<(u64, String)>,
}

impl Reviews {
    /// Enters a review that lapses at `lapses`, unless it is known.
    pub(super) fn enter(&mut self, review: Review, lapses: u64) -> bool {
        if self.open.contains_key(&review.id) {
            return false;
        }
        self.due.insert((lapses, review.id.clone()));
        self.open.insert(review.id.clone(), (review, lapses));
        true
    }

    /// Takes one out.
    pub(super) fn strike(&mut self, id: &str) -> Option<Review> {
        let (review, lapses) = self.open.remove(id)?;
        self.due.remove(&(lapses, review.id.clone()));
        Some(review)
    }

    /// One of them.
    pub(super) fn get(&self, id: &str) -> Option<&Review> {
        self.open.get(id).map(|(review, _)| review)
    }

    /// The reviews whose id begins with `beginning`: a person types no more than it takes.
    pub(super) fn begun_with(&self, beginning: &str) -> Vec<String> {
        let ids = self.open.keys().filter(|id| id.starts_with(beginning));
        ids.cloned().collect()
    }

    /// Takes out the next one that lapses at `now`, or the oldest while there are more than `cap`.
    pub(super) fn next_lapsed(&mut self, now: u64, cap: usize) -> Option<Review> {
        let (due, id) = self.due.first()?;
        let over = *due <= now || self.open.len() > cap;
        let id = over.then(|| id.clone())?;
        self.strike(&id)
    }

    /// When the next one lapses, monotonic microseconds.
    pub(super) fn next_deadline(&self) -> Option<u64> {
        self.due.first().map(|(due, _)| *due)
    }

    /// How many wait.
    pub(super) fn waiting(&self) -> usize {
        self.open.len()
    }

    /// Those about an address.
    pub(super) fn about(&self, address: IpAddr) -> Vec<Review> {
        let all = self.all().into_iter();
        all.filter(|review| review.address == address).collect()
    }

    /// All of them, the oldest first.
    pub(super) fn all(&self) -> Vec<Review> {
        let ids = self.due.iter().map(|(_, id)| id);
        ids.filter_map(|id| self.get(id)).cloned().collect()
    }
}
