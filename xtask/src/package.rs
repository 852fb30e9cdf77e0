//! Makes the Debian packages. What is in them stands in `sensor/Cargo.toml` and `coordinator/Cargo.toml`, and what their
//! scripts do in `packaging/`; here is only the order in which their parts are made.

mod cross;
mod notices;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use xshell::{Shell, cmd};

use crate::ebpf::{self, OBJECT};
use crate::provision::{self, Package, package};
use crate::target;
use crate::tool::{self, Tool};
use crate::web;

/// Makes the Debian packages and checks them.
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// Debian's revision, after the program's version: a higher one is an upgrade
    #[arg(long, default_value_t = 1)]
    revision: u32,
    /// The machine it is for
    #[arg(long, value_enum, default_value_t = Architecture::Amd64)]
    architecture: Architecture,
    /// Make nothing: only check that the program compiles for that machine
    #[arg(long)]
    check: bool,
}

/// A program that is packaged.
#[derive(Debug)]
pub(crate) struct Program {
    /// The package that cargo builds.
    pub(crate) source: &'static str,
    /// The program, and Debian's package.
    pub(crate) name: &'static str,
    /// The folder of its manual, beside the program.
    manual: &'static str,
}

pub(crate) const SENSOR: Program = Program {
    source: "sensor",
    name: "garita",
    manual: "manual",
};

pub(crate) const COORDINATOR: Program = Program {
    source: "coordinator",
    name: "garita-coordinator",
    manual: "manual-coordinator",
};

/// What Debian calls the machines that Garita is packaged for.
#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Architecture {
    Amd64,
    Arm64,
}

const DEB: Tool = Tool {
    name: "cargo-deb",
    version: "3.8.0",
    why: "puts the package together",
};

const NEEDED: &[Package] = &[
    package(
        "dpkg-dev",
        "finds the libraries that the package depends on",
    ),
    package("lintian", "checks the package against Debian's policy"),
];

/// Makes what `arguments` ask for and says where it is.
pub(crate) fn run(shell: &Shell, arguments: &Args) -> Result<()> {
    if arguments.check {
        return match arguments.architecture {
            Architecture::Amd64 => provision::packages(shell, provision::BUILD)
                .and_then(|()| Ok(cmd!(shell, "cargo check --package sensor --bin garita").run()?)),
            Architecture::Arm64 => cross::check(shell),
        };
    }
    for program in [SENSOR, COORDINATOR] {
        // What links no C library of the system is packaged for the machine at hand alone, until somebody asks for more.
        if program.name == COORDINATOR.name && arguments.architecture != Architecture::Amd64 {
            continue;
        }
        let about = (arguments.architecture, arguments.revision);
        let package = build(shell, &program, about)?;
        let size = package
            .metadata()
            .with_context(|| format!("{} was not made", package.display()))?
            .len();
        println!("Package: {} ({size} bytes)", package.display());
    }
    Ok(())
}

/// Makes a package and returns where it is.
pub(crate) fn build(
    shell: &Shell,
    program: &Program,
    (architecture, revision): (Architecture, u32),
) -> Result<PathBuf> {
    provision::packages(shell, provision::BUILD)?;
    provision::packages(shell, NEEDED)?;
    web::packages(shell)?;
    let deb = DEB.get(shell)?;
    let object = ebpf::build(shell)?;
    let host = compile(shell, program, &object)?;
    let (triple, folder) = match architecture {
        Architecture::Amd64 => (None, target().join("release")),
        Architecture::Arm64 => {
            let folder = cross::compile(shell, &object)?;
            (Some(cross::TRIPLE), folder)
        }
    };
    describe(shell, program, (&host, &folder.join(program.manual)))?;

    let made = target().join("package");
    shell.create_dir(&made)?;
    let revision = revision.to_string();
    let cross: Vec<&str> = triple
        .iter()
        .flat_map(|triple| ["--target", triple])
        .collect();
    let (source, package) = (program.source, program.name);
    cmd!(
        shell,
        "{deb} --package {source} --no-build {cross...} --deb-revision {revision} --output {made}"
    )
    .envs(triple.map(|_| cross::environment()).unwrap_or_default())
    .run()
    .context("the package cannot be put together")?;
    let version = env!("CARGO_PKG_VERSION");
    let name = match architecture {
        Architecture::Amd64 => "amd64",
        Architecture::Arm64 => "arm64",
    };
    let package = made.join(format!("{package}_{version}-{revision}_{name}.deb"));
    ensure!(
        package.is_file(),
        "{} is not what cargo-deb has made",
        package.display()
    );
    // Whoever runs this in a container is root, which lintian dislikes and here does no harm.
    cmd!(shell, "lintian --allow-root --fail-on error {package}")
        .run()
        .context("lintian found errors in the package")?;
    Ok(package)
}

/// Builds a program; the sensor's has the kernel program inside.
fn compile(shell: &Shell, program: &Program, object: &Path) -> Result<PathBuf> {
    let (source, name) = (program.source, program.name);
    tool::by_hand(cmd!(
        shell,
        "cargo build --release --package {source} --bin {name}"
    ))
    .env(OBJECT, object)
    .run()
    .with_context(|| format!("{name} does not build"))?;
    Ok(target().join("release").join(name))
}

/// Writes what a program says about itself: manual, completions, and the notices of what it contains.
fn describe(shell: &Shell, program: &Program, (host, manual): (&Path, &Path)) -> Result<()> {
    shell.remove_path(manual)?;
    cmd!(shell, "{host} manual {manual}")
        .run()
        .context("the manual cannot be written")?;
    let notices = manual.join("third-party.txt");
    shell.write_file(&notices, notices::read(shell, program.source)?)?;
    for folder in ["man1", "man5"] {
        let pages = shell.read_dir(manual.join(folder))?;
        cmd!(shell, "gzip --best --no-name {pages...}").run()?;
    }
    cmd!(shell, "gzip --best --no-name {notices}").run()?;
    Ok(())
}
