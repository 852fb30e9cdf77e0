//! A frame as it was captured, wherever it came from. It does not look inside; [`crate::decode`] does.

pub use crate::link_type::LinkType;

/// A moment on the clock of the capturing machine, in nanoseconds since the Unix epoch.
///
/// It only labels what happened; durations come from [`crate::timeline::Timeline`].
/// The range is years 1677 to 2262; a capture that claims another year is held at the border.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The moment `nanoseconds` after (or before) the Unix epoch.
    pub const fn from_nanoseconds(nanoseconds: i64) -> Timestamp {
        Timestamp(nanoseconds)
    }

    /// Nanoseconds since the Unix epoch, negative before it.
    pub const fn nanoseconds(self) -> i64 {
        self.0
    }
}

/// Bytes as captured, on loan until the next frame is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    /// When the capturing machine saw it.
    pub time: Timestamp,
    /// Length on the wire in bytes, at least the captured length.
    pub wire_len: u32,
    /// The captured bytes, from the link layer on.
    pub bytes: &'a [u8],
    /// How the bytes begin.
    pub link_type: LinkType,
    /// The interface, as the source numbers them from 0.
    pub interface: u32,
}
