//! The whole sensor at work: attackers outside, a gateway that runs `garita run`, a server behind it, and real tools.
//! Every test runs with each meter; none looks inside the program.

mod clients;
mod conversations;
mod daemon;
mod forged;
mod forger;
mod sensor;
mod testbed;
mod tools;

mod attack;
mod benign;
mod crash;
mod exempt;
mod faults;
mod fleet;
mod flood;
mod lifecycle;
mod list;
mod reporting;
mod speed;
mod tampering;

/// Makes a test of each function for each meter.
macro_rules! with_each_meter {
    ($($name:ident)+) => {
        mod pcap {
            $(#[test] fn $name() {
                let test = concat!(module_path!(), "::", stringify!($name));
                super::$name(test.trim_start_matches("garita::"), crate::gateway::daemon::Meter::Pcap);
            })+
        }
        mod ebpf {
            $(#[test] fn $name() {
                let test = concat!(module_path!(), "::", stringify!($name));
                super::$name(test.trim_start_matches("garita::"), crate::gateway::daemon::Meter::Ebpf);
            })+
        }
    };
}
use with_each_meter;
