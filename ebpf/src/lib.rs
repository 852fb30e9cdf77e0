//! The meter: what a packet changes in the tables of flows, hosts and pairs, and which snapshots leave them.
//! Integers only, no allocation, no clock, no panic: the same code runs in the kernel and in user space.

#![no_std]
#![forbid(unsafe_code)]

pub mod account;
pub mod flow;
pub mod host;
pub mod packet;
pub mod pair;
pub mod program;
pub mod snapshot;
pub mod tables;
