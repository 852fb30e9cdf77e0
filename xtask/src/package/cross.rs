//! Builds the sensor for arm64 on another machine. The C libraries it links are unpacked below `target/`; the only thing
//! installed is a cross compiler, so the machine itself stays of one architecture.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use xshell::{Shell, cmd};

use crate::ebpf::OBJECT;
use crate::provision::{self, Package, package};
use crate::{target, tool};

/// What rustc calls it.
pub(super) const TRIPLE: &str = "aarch64-unknown-linux-gnu";

const NEEDED: &[Package] = &[
    package(
        "gcc-aarch64-linux-gnu",
        "links programs for arm64 and compiles SQLite for it",
    ),
    package("libc6-dev-arm64-cross", "the C library's headers for arm64"),
];

/// What the sensor links, with the headers.
const LIBRARIES: &[&str] = &[
    "libpcap0.8",
    "libpcap0.8-dev",
    "libnftnl11",
    "libnftnl-dev",
    "libmnl0",
    "libmnl-dev",
];

/// Checks that the program compiles for arm64. Where what that takes cannot be fetched, this says so aloud, and no more.
pub(super) fn check(shell: &Shell) -> Result<()> {
    if let Err(error) = prepare(shell) {
        println!("NOT CHECKED arm64: {error:#}");
        return Ok(());
    }
    // Nothing of this runs but build scripts, so it is not worth optimising, SQLite's C least of all.
    let quick = r#"profile.dev.package."*".opt-level=0"#;
    tool::by_hand(
        cmd!(
            shell,
            "cargo check --package sensor --bin garita --target {TRIPLE} --config {quick}"
        )
        .envs(environment()),
    )
    .run()
    .context("the sensor does not compile for arm64")
}

/// Builds the program for arm64 and returns the folder it is in.
pub(super) fn compile(shell: &Shell, object: &Path) -> Result<PathBuf> {
    prepare(shell)?;
    tool::by_hand(
        cmd!(
            shell,
            "cargo build --release --package sensor --bin garita --target {TRIPLE}"
        )
        .envs(environment()),
    )
    .env(OBJECT, object)
    .run()
    .context("the sensor does not build for arm64")?;
    Ok(target().join(TRIPLE).join("release"))
}

/// Gets compiler, standard library and C libraries.
fn prepare(shell: &Shell) -> Result<()> {
    provision::packages(shell, NEEDED)?;
    cmd!(shell, "rustup target add {TRIPLE}")
        .run()
        .with_context(|| format!("rustup cannot fetch the standard library for {TRIPLE}"))?;
    libraries(shell)
}

/// What compilers and `dpkg-shlibdeps` need to find those libraries.
pub(super) fn environment() -> Vec<(String, String)> {
    let tree = tree();
    let at = |path: &str| tree.join(path).display().to_string();
    let folder = at("usr/lib/aarch64-linux-gnu");
    // libpcap's own libraries are not unpacked; the target's loader finds them.
    let flags = format!("-L\x1fnative={folder}\x1f-C\x1flink-arg=-Wl,--allow-shlib-undefined");
    [
        (
            "CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER",
            "aarch64-linux-gnu-gcc".to_owned(),
        ),
        (
            "CC_aarch64_unknown_linux_gnu",
            "aarch64-linux-gnu-gcc".to_owned(),
        ),
        ("CARGO_ENCODED_RUSTFLAGS", flags),
        ("PKG_CONFIG_ALLOW_CROSS", "1".to_owned()),
        ("PKG_CONFIG_LIBDIR", format!("{folder}/pkgconfig")),
        ("PKG_CONFIG_SYSROOT_DIR", tree.display().to_string()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .to_vec()
}

fn tree() -> PathBuf {
    target().join("cross/arm64")
}

/// Fetches the libraries with an apt of their own, whose lists and architecture are not the machine's.
fn libraries(shell: &Shell) -> Result<()> {
    let tree = tree();
    if tree.join("usr/lib/aarch64-linux-gnu/libmnl.so").exists() {
        return Ok(());
    }
    println!(
        "Fetching {} for arm64 below {}.",
        LIBRARIES.join(", "),
        tree.display()
    );
    let folder = target().join("cross");
    for part in ["state/lists/partial", "cache/archives/partial", "packages"] {
        shell.create_dir(folder.join(part))?;
    }
    shell.write_file(folder.join("state/status"), "")?;
    let state = folder.join("state").display().to_string();
    let options = [
        "APT::Architecture=arm64".to_owned(),
        "APT::Architectures=arm64".to_owned(),
        // Its own user may not write here.
        "APT::Sandbox::User=root".to_owned(),
        format!("Dir::State={state}"),
        format!("Dir::State::status={state}/status"),
        format!("Dir::Cache={}", folder.join("cache").display()),
    ];
    let options: &[&str] = &options
        .iter()
        .flat_map(|option| ["--option", option])
        .collect::<Vec<_>>();
    cmd!(shell, "apt-get --quiet {options...} update")
        .run()
        .context("apt cannot fetch the lists of arm64")?;
    let packages = folder.join("packages");
    {
        let _inside = shell.push_dir(&packages);
        cmd!(
            shell,
            "apt-get --quiet {options...} download {LIBRARIES...}"
        )
        .run()
        .context("apt cannot fetch the libraries for arm64")?;
    }
    for package in shell.read_dir(&packages)? {
        cmd!(shell, "dpkg-deb --extract {package} {tree}").run()?;
    }
    Ok(())
}
