//! What a fresh machine lacks, and how to get it. Everything installed is named with its reason first; what is already
//! there is left alone, without a word.

mod openid;

use anyhow::{Context, Result, bail, ensure};
use xshell::{Shell, cmd};

use crate::{target, web};

/// A Debian package and the reason to have it.
#[derive(Clone, Copy)]
pub(crate) struct Package {
    pub(crate) name: &'static str,
    why: &'static str,
}

/// A package and why.
pub(crate) const fn package(name: &'static str, why: &'static str) -> Package {
    Package { name, why }
}

/// Building the sensor.
pub(crate) const BUILD: &[Package] = &[
    package("gcc", "links every program and compiles SQLite"),
    package("libc6-dev", "the C library's headers, for SQLite"),
    package("pkg-config", "finds the C libraries below"),
    package("libpcap-dev", "reads captures and live interfaces"),
    package("libnftnl-dev", "builds the firewall's netlink messages"),
    package("libmnl-dev", "sends the firewall's netlink messages"),
];

/// Running every test. A service that Debian starts with its package is marked, because it opens a port.
const TESTS: &[Package] = &[
    package("iproute2", "network namespaces and virtual links"),
    package("nftables", "reads the kernel's rules back, as an oracle"),
    package("tshark", "counts conversations, as an oracle"),
    package("socat", "an interface without a link header"),
    package("nmap", "port scans"),
    package("hydra", "password searches"),
    package(
        "openssh-server",
        "the server under attack (Debian starts one: port 22)",
    ),
    package("openssh-client", "ordinary logins beside the attack"),
    package(
        "mosquitto",
        "the MQTT broker (Debian starts one: port 1883)",
    ),
    package("mosquitto-clients", "an MQTT subscriber"),
    package(
        "postgresql",
        "the coordinator's other database (Debian starts a cluster: port 5432)",
    ),
    package("chromium", "looks at the console"),
    package("chromium-driver", "drives it"),
    package("tcpdump", "records the lab's traffic"),
    package("curl", "ordinary web traffic beside the attack"),
    package("python3", "the lab's web server"),
    package(
        "syslog-ng-core",
        "feeds a SIEM, as the page for subscribers says",
    ),
    package(
        "crowdsec-firewall-bouncer",
        "enforces what the coordinator decides (Debian starts one)",
    ),
    package(
        "prometheus",
        "tries the shipped alert rules (Debian starts one: port 9090)",
    ),
    package("libfaketime", "steps the clock of one program"),
    package("systemd", "judges the unit (it is started nowhere)"),
    package("man-db", "judges the man pages"),
];

/// Showing and measuring the coordinator.
pub(crate) const FLEET: &[Package] = &[
    package(
        "mosquitto",
        "the MQTT broker (Debian starts one: port 1883)",
    ),
    package("mosquitto-clients", "the subscriber it is measured against"),
    package(
        "postgresql",
        "the coordinator's other database (Debian starts a cluster: port 5432)",
    ),
];

/// The linker that turns LLVM bitcode into a kernel program.
const LINKER_VERSION: &str = "0.13.0";

/// The LLVM the linker is built with: the newest that Debian 12 packages. A compiler with a newer LLVM writes bitcode
/// that the linker cannot read.
const LLVM: u32 = 22;

const LINKER: &[Package] = &[
    package("llvm-22-dev", "the LLVM inside the kernel program's linker"),
    package("g++", "the C++ library that LLVM needs"),
    package("zlib1g-dev", "LLVM links it"),
    package("libzstd-dev", "LLVM links it"),
];

/// The compiler for the kernel where rustup has no usable nightly.
const DEBIAN_RUST: &[Package] = &[
    package(
        "rustc-web",
        "a compiler for the kernel program, in place of rustup's nightly",
    ),
    package(
        "rust-web-src",
        "the sources of `core`, built for the kernel",
    ),
    package("cargo-web", "the cargo of that compiler"),
];

/// The last nightly tried here whose LLVM the linker can read. Plain `nightly` moves on to newer ones.
const NIGHTLY: &str = "nightly-2026-05-20";

/// The name under which rustup knows Debian's compiler.
const DEBIAN_TOOLCHAIN: &str = "debian-web";

/// What builds the kernel program.
pub(crate) struct KernelTools {
    /// A rustup toolchain that has the sources of `core`.
    pub(crate) toolchain: &'static str,
    /// The `bpf-linker` to call.
    pub(crate) linker: String,
}

/// Installs whatever any task needs.
pub(crate) fn everything(shell: &Shell) -> Result<KernelTools> {
    packages(shell, BUILD)?;
    packages(shell, TESTS)?;
    web::packages(shell)?;
    openid::provider(shell)?;
    components(shell)?;
    kernel_tools(shell)
}

/// Installs those of `wanted` that this machine lacks.
pub(crate) fn packages(shell: &Shell, wanted: &[Package]) -> Result<()> {
    let missing = missing(shell, wanted);
    if missing.is_empty() {
        return Ok(());
    }
    println!("Missing on this machine:");
    for package in &missing {
        println!("  {:<18} {}", package.name, package.why);
    }
    let names: Vec<_> = missing.iter().map(|package| package.name).collect();
    ensure!(
        has_program(shell, "apt-get"),
        "no apt-get here: install what this system calls {}, then run this again",
        names.join(", ")
    );
    // sudo drops the environment, so the setting that keeps Debian from asking queries travels as an argument.
    let (program, first): (_, &[_]) = match has_root(shell)? {
        true => ("env", &[]),
        false => ("sudo", &["env"]),
    };
    println!("Installing them with apt-get.");
    let update = vec!["update"];
    let install = [&["install", "--yes", "--no-install-recommends"], &names[..]].concat();
    for action in [update, install] {
        cmd!(
            shell,
            "{program} {first...} DEBIAN_FRONTEND=noninteractive apt-get --quiet {action...}"
        )
        .run()
        .with_context(|| {
            format!(
                "run `apt-get install {}` as root, then this again",
                names.join(" ")
            )
        })?;
    }
    Ok(())
}

fn missing<'a>(shell: &Shell, wanted: &'a [Package]) -> Vec<&'a Package> {
    wanted
        .iter()
        .filter(|package| !is_installed(shell, package.name))
        .collect()
}

/// A package that was removed but not purged is still known to dpkg, so its status is what counts.
fn is_installed(shell: &Shell, name: &str) -> bool {
    let status = "--showformat=${db:Status-Status}";
    cmd!(shell, "dpkg-query --show {status} {name}")
        .quiet()
        .ignore_stderr()
        .read()
        .is_ok_and(|status| status == "installed")
}

fn has_program(shell: &Shell, program: &str) -> bool {
    cmd!(shell, "which {program}")
        .quiet()
        .ignore_stderr()
        .read()
        .is_ok()
}

fn has_root(shell: &Shell) -> Result<bool> {
    let user = cmd!(shell, "id -u").quiet().read()?;
    Ok(user == "0")
}

/// rustup's minimal profile comes without the formatter and the linter.
fn components(shell: &Shell) -> Result<()> {
    for (program, component) in [("cargo-fmt", "rustfmt"), ("cargo-clippy", "clippy")] {
        let works = cmd!(shell, "{program} --version")
            .quiet()
            .ignore_stderr()
            .read();
        if works.is_err() {
            println!("Installing {component}, which checks the code.");
            cmd!(shell, "rustup component add {component}").run()?;
        }
    }
    Ok(())
}

/// Finds or installs a compiler and a linker for the kernel.
pub(crate) fn kernel_tools(shell: &Shell) -> Result<KernelTools> {
    let toolchain = kernel_toolchain(shell)?;
    let linker = linker(shell)?;
    Ok(KernelTools { toolchain, linker })
}

fn kernel_toolchain(shell: &Shell) -> Result<&'static str> {
    ensure!(
        has_program(shell, "rustup"),
        "rustup is not on the PATH: the kernel program needs a compiler that rustup manages"
    );
    if let Some(ready) = [NIGHTLY, "nightly", DEBIAN_TOOLCHAIN]
        .into_iter()
        .find(|toolchain| can_build_core(shell, toolchain))
    {
        return Ok(ready);
    }
    println!("Installing {NIGHTLY} with the sources of `core`, to build the kernel program.");
    let fetched = cmd!(
        shell,
        "rustup toolchain install {NIGHTLY} --profile minimal --component rust-src"
    )
    .run();
    if fetched.is_ok() && can_build_core(shell, NIGHTLY) {
        return Ok(NIGHTLY);
    }
    println!("rustup could not fetch it: taking Debian's compiler instead.");
    packages(shell, DEBIAN_RUST)?;
    cmd!(shell, "rustup toolchain link {DEBIAN_TOOLCHAIN} /usr").run()?;
    ensure!(
        can_build_core(shell, DEBIAN_TOOLCHAIN),
        "no compiler for the kernel program: install {NIGHTLY} with its rust-src component"
    );
    Ok(DEBIAN_TOOLCHAIN)
}

/// Whether the toolchain is there, has the sources of `core`, and its LLVM is not newer than the linker's.
fn can_build_core(shell: &Shell, toolchain: &str) -> bool {
    let ask = |question: &[&str]| {
        cmd!(shell, "rustup run {toolchain} rustc {question...}")
            .quiet()
            .ignore_stderr()
            .read()
    };
    let (Ok(sysroot), Ok(version)) = (ask(&["--print", "sysroot"]), ask(&["-vV"])) else {
        return false;
    };
    let core = format!("{sysroot}/lib/rustlib/src/rust/library/core/src/lib.rs");
    shell.path_exists(core) && llvm_major(&version).is_some_and(|major| major <= LLVM)
}

/// Reads the major version out of the line `LLVM version: 22.1.4` of `rustc -vV`.
fn llvm_major(version: &str) -> Option<u32> {
    let line = version
        .lines()
        .find_map(|line| line.strip_prefix("LLVM version: "))?;
    line.split('.').next()?.parse().ok()
}

fn linker(shell: &Shell) -> Result<String> {
    let tools = target().join("tools");
    let own = tools.join("bin/bpf-linker").display().to_string();
    for candidate in ["bpf-linker", &own] {
        if is_wanted_linker(shell, candidate) {
            return Ok(candidate.to_owned());
        }
    }
    println!(
        "Installing bpf-linker {LINKER_VERSION}, which links the kernel program, below {}.",
        tools.display()
    );
    packages(shell, LINKER)?;
    let llvm = format!("llvm-{LLVM}");
    cmd!(
        shell,
        "cargo install bpf-linker --version {LINKER_VERSION} --locked --no-default-features --features {llvm} --root {tools}"
    )
    .env("LLVM_PREFIX", format!("/usr/lib/{llvm}"))
    .run()
    .with_context(|| format!("install bpf-linker {LINKER_VERSION} with {llvm}, then run this again"))?;
    if !is_wanted_linker(shell, &own) {
        bail!("{own} was just built but does not run");
    }
    Ok(own)
}

/// `bpf-linker --version` does not name its LLVM, so the version we build stands for it.
fn is_wanted_linker(shell: &Shell, program: &str) -> bool {
    cmd!(shell, "{program} --version")
        .quiet()
        .ignore_stderr()
        .read()
        .is_ok_and(|version| version == format!("bpf-linker {LINKER_VERSION}"))
}

#[cfg(test)]
mod tests {
    use super::{is_installed, llvm_major, missing, package};
    use xshell::Shell;

    #[test]
    fn an_absent_package_is_reported_missing() {
        let shell = Shell::new().unwrap();
        let wanted = [
            package("garita-no-such-package", "nobody has it"),
            package("dpkg", "it answers the question"),
        ];
        let names: Vec<_> = missing(&shell, &wanted).iter().map(|p| p.name).collect();
        assert_eq!(names[0], "garita-no-such-package");
        assert_eq!(names.len() == 1, is_installed(&shell, "dpkg"));
    }

    #[test]
    fn the_llvm_of_a_compiler_is_its_major_version() {
        assert_eq!(llvm_major("rustc 1.97.0\nLLVM version: 22.1.4\n"), Some(22));
        assert_eq!(llvm_major("rustc 1.97.0\n"), None);
    }
}
