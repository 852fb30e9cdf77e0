//! Map.
pub mod class;
pub mod config;
