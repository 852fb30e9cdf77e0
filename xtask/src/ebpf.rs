//! Builds the kernel program. Its compiler flags are here and in no cargo configuration, so that they never reach a
//! program for the host. It does not load the program: a test does, and prints the verifier's count.

use std::path::PathBuf;

use anyhow::{Context, Result};
use xshell::{Shell, cmd};

use crate::provision::{self, KernelTools};
use crate::target;

/// Names the built program to the sensor's build, which embeds it, and to the tests that load it.
pub(crate) const OBJECT: &str = "GARITA_METER_OBJECT";

/// The binary of the `ebpf` package.
const PROGRAM: &str = "meter";

/// Little-endian BPF; what x86, ARM and RISC-V machines run.
const TARGET: &str = "bpfel-unknown-none";

/// Inline memset and memcpy: bpf-linker turns them off by default, every zeroed structure becomes a byte loop, and the
/// verifier gives up. Instruction set v3 has the 32-bit operations the meter's counters use. `--btf` keeps the types of
/// the maps for `bpftool`, and is made out of the debug information.
const FLAGS: &[&str] = &[
    "target-cpu=v3",
    "link-arg=--disable-expand-memcpy-in-order",
    "link-arg=--btf",
];

/// A kernel program cannot unwind and has no panic to run, and the verifier wants it in one piece.
const PROFILE: &[(&str, &str)] = &[
    ("OPT_LEVEL", "3"),
    ("LTO", "fat"),
    ("CODEGEN_UNITS", "1"),
    ("OVERFLOW_CHECKS", "false"),
    ("DEBUG_ASSERTIONS", "false"),
    ("PANIC", "abort"),
    ("DEBUG", "2"),
];

/// Builds the kernel program and returns where it is; installs what that takes.
pub(crate) fn build(shell: &Shell) -> Result<PathBuf> {
    let tools = provision::kernel_tools(shell)?;
    let folder = target().join("ebpf");
    compile(shell, &tools, &folder)?;
    let object = folder.join("garita-meter.o");
    let built = folder.join(TARGET).join("release").join(PROGRAM);
    shell.copy_file(&built, &object)?;
    let size = object
        .metadata()
        .context("the kernel program was not built")?
        .len();
    println!("Kernel program: {} ({size} bytes)", object.display());
    println!("A sensor built with {OBJECT} set to that path has it inside.");
    Ok(object)
}

fn compile(shell: &Shell, tools: &KernelTools, folder: &std::path::Path) -> Result<()> {
    let KernelTools { toolchain, linker } = tools;
    let mut flags = vec!["-C".to_owned(), format!("linker={linker}")];
    for flag in FLAGS {
        flags.extend(["-C".to_owned(), (*flag).to_owned()]);
    }
    let profile = PROFILE
        .iter()
        .map(|(setting, value)| (format!("CARGO_PROFILE_RELEASE_{setting}"), value));
    cmd!(
        shell,
        "rustup run {toolchain} cargo build --package ebpf --bin {PROGRAM} --release --target {TARGET} -Z build-std=core --target-dir {folder}"
    )
    .envs(profile)
    // The separator lets a path with spaces through.
    .env("CARGO_ENCODED_RUSTFLAGS", flags.join("\x1f"))
    // Debian's compiler is a stable one; a nightly ignores this.
    .env("RUSTC_BOOTSTRAP", "1")
    .env_remove("RUSTFLAGS")
    .run()
    .context("the kernel program does not build")
}
