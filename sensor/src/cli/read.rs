//! Captures read frame by frame, for the commands that follow one.
//! It keeps nothing of a frame.

use std::path::Path;

use anyhow::Result;
use detection::frame::Frame;
use sensor::capture::file::File;
use sensor::capture::{CaptureError, Source};

use super::progress::Bytes;

/// Gives every frame of a capture to `take`. Of one cut in the middle, what came before is used, and that is said; of one
/// that is damaged likewise, and the damage is returned: the command fails once it has printed what there is.
pub fn frames(
    path: &Path,
    progress: &mut Bytes,
    mut take: impl FnMut(&Frame<'_>) -> Result<()>,
) -> Result<Option<CaptureError>> {
    let mut file = match File::open(path) {
        Err(cut @ CaptureError::Truncated { .. }) => {
            progress.say(&cut.to_string());
            return Ok(None);
        }
        opened => opened?,
    };
    while let Some(frame) = file.next_frame()? {
        progress.add(frame.bytes.len());
        take(&frame)?;
    }
    Ok(end(&file, path, progress))
}

/// Says what there is to say of a capture read to its end, and returns its damage.
pub(super) fn end(file: &File, path: &Path, progress: &Bytes) -> Option<CaptureError> {
    if file.untimed() > 0 {
        progress.say(&format!(
            "{} frames of capture {} have no time of their own and take that of the frame before, so rates and durations are not to be believed",
            file.untimed(),
            path.display()
        ));
    }
    match file.damage() {
        Some(damage @ CaptureError::Damaged { .. }) => Some(damage),
        Some(cut) => {
            progress.say(&cut.to_string());
            None
        }
        None => None,
    }
}
