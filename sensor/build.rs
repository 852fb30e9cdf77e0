//! Puts the kernel program that `cargo xtask` built where the sensor embeds it. It builds no kernel program itself: without
//! one named in the environment it leaves an empty file, and the binary says that it has no kernel meter.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

/// Names the object; every task of `cargo xtask` that builds the sensor for use sets it.
const OBJECT: &str = "GARITA_METER_OBJECT";

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-env-changed={OBJECT}");
    let folder = env::var_os("OUT_DIR").ok_or(io::ErrorKind::NotFound)?;
    let embedded = PathBuf::from(folder).join("garita-meter.o");
    let program = match env::var_os(OBJECT).filter(|path| !path.is_empty()) {
        None => Vec::new(),
        Some(path) => {
            // A relative path means the checkout, where its user stands, and not this package.
            let checkout = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
            let path = checkout.unwrap_or(Path::new(".")).join(path);
            println!("cargo::rerun-if-changed={}", path.display());
            fs::read(&path).map_err(|error| {
                let path = path.display();
                io::Error::new(error.kind(), format!("{OBJECT} names {path}: {error}"))
            })?
        }
    };
    // Written only when it differs, so that the sensor is compiled again only then.
    if fs::read(&embedded).ok().as_ref() != Some(&program) {
        fs::write(&embedded, program)?;
    }
    Ok(())
}
