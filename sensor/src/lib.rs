//! Garita: the pipeline from captured frames to incidents.

pub mod capture;
pub mod class;
pub mod corpus;
pub mod dataplane;
pub mod decode;
pub mod evidence;
pub mod features;
pub mod learn;
pub mod meter;
pub mod model;
pub mod replay;
pub mod service;
pub mod statistics;
pub mod timeline;
