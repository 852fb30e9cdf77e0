//! The coordinator as its neighbours meet it: real brokers, both databases, sensors that speak the contract, HTTP from
//! outside. Each test has its own ports, folders and processes.
#![cfg(test)]

mod access;
mod audit;
mod chaos;
mod console;
mod evidence;
mod fleet;
mod intake;
#[expect(dead_code, reason = "the fleet uses the rest")]
mod lab;
mod oidc;
mod retention;
mod skip;
mod stream;
mod surface;
mod undo;
