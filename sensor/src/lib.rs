//! Garita: the pipeline from captured frames to incidents.

pub mod class;
pub mod evidence;
pub mod features;
pub mod learn;
pub mod meter;
pub mod model;
pub mod service;
pub mod statistics;
