//! Signed commands out, until they are answered. What is ordered is decided elsewhere.

mod book;
mod key;

pub use book::{Book, Sendable};
pub use key::{Key, KeyError};
