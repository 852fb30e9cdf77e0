//! The kernel program and user space meter alike: the same frames leave the same tables, snapshots and counters.
//! Needs a built program (`GARITA_METER_OBJECT`) and the right to load it; without the first it says that it skipped.

mod attached;
mod captures;
mod cases;
pub(crate) mod frames;
mod live;
mod mixes;
mod object;
mod oracle;
mod program;
mod testbed;

use std::time::Instant;

use ebpf::account::Limits;
use ebpf::program::Count;

use crate::skip::skip;
use oracle::State;
use program::Program;

/// More verified instructions are a program that grows out of hand: the kernel's own limit is a million.
const VERIFIED_LIMIT: u32 = 200_000;

/// A guard low enough for a test to trip.
const LIMITS: Limits = Limits {
    seed: 0x5eed,
    flood_guard: 100,
    separate_tags: 1,
};

/// The built program, or `None` after saying that `test` is skipped.
fn built(test: &str) -> Option<Vec<u8>> {
    if let Some(path) = std::env::var_os("GARITA_METER_OBJECT") {
        return Some(
            std::fs::read(&path).expect("the object GARITA_METER_OBJECT names is readable"),
        );
    }
    skip(test, "GARITA_METER_OBJECT names no kernel program");
    None
}

/// Demands that both meters end in the same state.
fn assert_alike(found: &State, expected: &State) {
    for (count, (kernel, user)) in Count::ALL
        .iter()
        .zip(found.counters.iter().zip(&expected.counters))
    {
        assert_eq!(kernel, user, "counter {}", count.name());
    }
    for (place, (kernel, user)) in found.snapshots.iter().zip(&expected.snapshots).enumerate() {
        assert_eq!(kernel, user, "snapshot {place}");
    }
    assert_eq!(found.snapshots.len(), expected.snapshots.len(), "snapshots");
    assert_eq!(found.flows, expected.flows, "flows");
    assert_eq!(found.hosts, expected.hosts, "hosts");
    assert_eq!(found.pairs, expected.pairs, "pairs");
}

#[test]
fn the_program_is_small_and_calls_no_memset() {
    let Some(object) = built("the_program_is_small_and_calls_no_memset") else {
        return;
    };
    let calls = object::calls(&object).expect("the object can be read");
    assert!(calls.iter().any(|name| name.contains("parse")), "{calls:?}");
    for loops in ["memset", "memcpy", "memmove", "memcmp", "bcmp"] {
        assert!(
            !calls.contains(loops),
            "a call to {loops} is left: {calls:?}"
        );
    }
    let begun = Instant::now();
    let mut program = Program::load(&object, LIMITS, 0).expect("the program loads");
    let elapsed = begun.elapsed();
    let info = program.info().expect("the kernel describes the program");
    let verified = info
        .verified_instruction_count()
        .expect("the kernel counts verified instructions");
    println!(
        "kernel program: {verified} instructions verified, {} translated, {} bytes of machine code, loaded in {elapsed:?}",
        info.size_translated().unwrap_or(0) / 8,
        info.size_jitted(),
    );
    assert!(
        verified < VERIFIED_LIMIT,
        "{verified} instructions verified"
    );
}
