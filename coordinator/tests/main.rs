//! The coordinator as its neighbours meet it: real brokers, both databases, sensors that speak the contract, HTTP from
//! outside. Each test has its own ports, folders and processes.

mod access;
mod audit;
mod chaos;
mod fleet;
mod intake;
mod lab;
mod skip;
mod stream;
mod surface;
