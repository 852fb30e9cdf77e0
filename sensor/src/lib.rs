//! Garita: the pipeline from captured frames to incidents.

pub mod address;
pub mod class;
pub mod config;
pub mod features;
pub mod incident;
pub mod learn;
pub mod meter;
pub mod model;
pub mod policy;
pub mod printable;
pub mod service;
pub mod verdict;
