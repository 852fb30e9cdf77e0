//! Garita: the pipeline from captured frames to incidents.

pub mod class;
pub mod config;
pub mod features;
pub mod meter;
pub mod service;
