//! The meter.
#![no_std]
