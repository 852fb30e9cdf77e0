//! Captures read frame by frame, for the commands that follow one.
//! It keeps nothing of a frame.

use std::path::Path;

use anyhow::Result;
use detection::frame::Frame;
use sensor::capture::file::File;
use sensor::capture::{CaptureError, Source};

use super::progress::Bytes;

/// Gives every frame of a capture to `take`. Of one cut in the middle, what came before is used, and that is said.
pub fn frames(
    path: &Path,
    progress: &mut Bytes,
    mut take: impl FnMut(&Frame<'_>) -> Result<()>,
) -> Result<()> {
    let mut file = match File::open(path) {
        Err(cut @ CaptureError::Truncated { .. }) => {
            progress.say(&cut.to_string());
            return Ok(());
        }
        opened => opened?,
    };
    while let Some(frame) = file.next_frame()? {
        progress.add(frame.bytes.len());
        take(&frame)?;
    }
    if let Some(damage) = file.damage() {
        progress.say(&damage.to_string());
    }
    Ok(())
}
