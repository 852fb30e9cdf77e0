
pub mod address;
pub mod class;
pub mod config;
pub mod features;
pub mod learn;
pub mod meter;
pub mod model;
pub mod policy;
pub mod service;
