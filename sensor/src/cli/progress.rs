//! How far long work has come, drawn on a terminal and nowhere else.
//! It must not slow the work down, nor mix with what is printed.

use std::fs;
use std::path::Path;

use indicatif::{ProgressBar, ProgressStyle};

/// Bytes of a capture between two updates: a clock is read for each.
const STEP: u64 = 1 << 20;

/// What a frame takes in a capture besides its bytes: the record header of a pcap file.
const RECORD: u64 = 16;

/// A bar that fills with the bytes of captures.
pub struct Bytes {
    bar: ProgressBar,
    read: u64,
}

impl Bytes {
    /// A bar for these captures, or none where `shown` is false. Compressed ones are longer than they look.
    pub fn new<'a>(captures: impl IntoIterator<Item = &'a Path>, shown: bool) -> Self {
        let length = |path: &Path| fs::metadata(path).map_or(0, |file| file.len());
        let total = captures.into_iter().map(length).sum();
        let bar = if shown {
            ProgressBar::new(total).with_style(style("{bytes} of {total_bytes}, {eta} left"))
        } else {
            ProgressBar::hidden()
        };
        Self { bar, read: 0 }
    }

    /// Counts a frame with so many bytes.
    pub fn add(&mut self, bytes: usize) {
        self.read += bytes as u64 + RECORD;
        if self.read >= STEP {
            self.bar.inc(self.read);
            self.read = 0;
        }
    }

    /// Tells a person something without tearing the bar.
    pub fn say(&self, text: &str) {
        self.bar.suspend(|| super::say(text));
    }
}

impl Drop for Bytes {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// A bar that fills with the parts of a job.
pub struct Parts(ProgressBar);

impl Parts {
    /// A bar for a job with this name.
    pub fn new(job: &str) -> Self {
        let bar = ProgressBar::new(1).with_style(style("{msg}, {eta} left"));
        Self(bar.with_message(job.to_owned()))
    }

    /// Shows how far the job has come.
    pub fn show(&self, progress: learning::Progress) {
        self.0.set_length(progress.total as u64);
        self.0.set_position(progress.done as u64);
    }
}

impl Drop for Parts {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

fn style(end: &str) -> ProgressStyle {
    let template = format!("[{{bar:40}}] {end}");
    ProgressStyle::with_template(&template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
