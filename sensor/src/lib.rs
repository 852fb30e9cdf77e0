//! Map.

pub mod capture;
pub mod decode;
pub mod timeline;
