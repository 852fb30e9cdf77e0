//! The whole sensor at work: attackers outside, a gateway that runs `garita run`, a server behind it, and real tools.
//! Every test runs with each meter; none looks inside the program.

mod forged;
mod post;
mod sensor;
mod stage;
mod talk;
mod tools;

mod attack;
mod benign;
mod centre;
mod crash;
mod deluge;
mod exempt;
mod life;
mod list;
mod meddling;
mod speed;
mod trouble;

/// Makes a test of each function for each meter.
macro_rules! with_each_meter {
    ($($name:ident)+) => {
        mod pcap {
            $(#[test] fn $name() {
                let test = concat!(module_path!(), "::", stringify!($name));
                super::$name(test.trim_start_matches("garita::"), crate::gateway::post::Meter::Pcap);
            })+
        }
        mod ebpf {
            $(#[test] fn $name() {
                let test = concat!(module_path!(), "::", stringify!($name));
                super::$name(test.trim_start_matches("garita::"), crate::gateway::post::Meter::Ebpf);
            })+
        }
    };
}
use with_each_meter;
