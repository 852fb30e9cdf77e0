//! Map.

pub mod class;
pub mod learn;
pub mod model;
