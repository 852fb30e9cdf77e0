//! Garita: the pipeline from captured frames to incidents.

pub mod address;
pub mod class;
pub mod config;
pub mod features;
pub mod meter;
pub mod policy;
pub mod service;
