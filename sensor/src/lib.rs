//! Garita: the pipeline from captured frames to incidents.

pub mod address;
pub mod capture;
pub mod class;
pub mod config;
pub mod corpus;
pub mod dataplane;
pub mod decode;
pub mod engine;
pub mod evaluate;
pub mod evidence;
pub mod features;
pub mod firewall;
pub mod incident;
pub mod learn;
pub mod meter;
pub mod model;
pub mod policy;
pub mod printable;
pub mod replay;
pub mod service;
pub mod statistics;
pub mod timeline;
pub mod verdict;
