//! The page about carriers, as the program is now: written when `GARITA_WRITE_CARRIERS` is set, compared otherwise.

use std::fmt::Write;
use std::fs;

use super::{Carrier, ETHERNET, carriers, pcap};
use crate::garita::root;
use crate::kernel::frames::address;
use crate::tunnel::{plain_scan, scans_in};

const INTRODUCTION: &str = "\
# What is read inside of what

One scan, as each kind of equipment delivers it. Everywhere the sensor finds the same packets, and counts the same flows,
as in the plain capture; \"tshark\" says whether tshark 4.0 with its defaults finds them, too. \"Decision\" is what follows by
default: inside somebody else's tunnel an address is reviewed, and the ends of the tunnel are named, unless they are in
`policy.trusted_tunnels`, or its sender in `capture.mirrors`. \"Kernel meter\" says what the meter in the kernel counts where
it sees such a frame: the packet itself, the packet around it, or nothing; with \"capture.mode\" set to pcap it is always the
packet itself.

This table is written by a test (`tests/carriers/table.rs`).

| carrier | link type | tshark | decision | kernel meter |
|---|---|---|---|---|
";

#[test]
fn the_page_about_carriers_is_true() {
    let mut page = INTRODUCTION.to_owned();
    for carrier in carriers() {
        let ends = match carrier.only {
            Some(6) => (address(3, 7), address(4, 10)),
            _ => (address(2, 7), address(0, 10)),
        };
        let frames = plain_scan(ends);
        let incidents = scans_in(&pcap(carrier, &frames), "");
        let [incident] = &incidents[..] else {
            panic!("{}: not one incident: {incidents:#?}", carrier.name);
        };
        let garita = &incident["garita"];
        assert_eq!(garita["offender"], ends.0.to_string(), "{}", carrier.name);
        let decision = garita["decision"].as_str().expect("a decision");
        assert_eq!(
            decision,
            if carrier.tunnel { "review" } else { "block" },
            "{}",
            carrier.name
        );
        let tshark = if carrier.in_tshark {
            "the same"
        } else {
            "not found"
        };
        let kernel = in_kernel(carrier, &(carrier.carry)(&frames[0].bytes[super::HEADER..]));
        let (name, number) = (carrier.name, carrier.link_type);
        writeln!(
            page,
            "| {name} | {number} | {tshark} | {decision} | {kernel} |"
        )
        .expect("a string takes everything");
    }
    let path = root().join("config/carriers.md");
    if std::env::var_os("GARITA_WRITE_CARRIERS").is_some() {
        fs::write(&path, &page).expect("the page can be written");
    }
    let shipped = fs::read_to_string(&path).expect("the page is there");
    assert_eq!(shipped, page, "config/carriers.md is out of date");
}

/// What the kernel's meter takes of a frame: it passes over VLAN tags to IP, and looks no further.
fn in_kernel(carrier: &Carrier, frame: &[u8]) -> &'static str {
    if carrier.link_type != ETHERNET {
        return "no such link there";
    }
    let mut types = &frame[12..];
    while let [0x81, 0, _, _, rest @ ..] | [0x88, 0xa8, _, _, rest @ ..] = types {
        types = rest;
    }
    match types {
        [0x08, 0x00, ..] | [0x86, 0xdd, ..] if carrier.tunnel => "the outer packet",
        [0x08, 0x00, ..] | [0x86, 0xdd, ..] => "the packet",
        _ => "nothing, and counts it",
    }
}
