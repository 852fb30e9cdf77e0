//! Takes the console's style and scripts into the program: ours, and what npm has locked. Each is packed once, and named
//! after its content. It fetches what is missing below its own output folder, and touches nothing else.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use sha2::{Digest, Sha256};

/// What is served: its name, where it is, and its type.
const FILES: &[(&str, &str, &str)] = &[
    ("console.css", "console.css", "text/css; charset=utf-8"),
    ("console.js", "console.js", "text/javascript; charset=utf-8"),
    ("mark.svg", "mark.svg", "image/svg+xml"),
    (
        "htmx.js",
        "node_modules/htmx.org/dist/htmx.min.js",
        "text/javascript; charset=utf-8",
    ),
    (
        "uplot.js",
        "node_modules/uplot/dist/uPlot.iife.min.js",
        "text/javascript; charset=utf-8",
    ),
    (
        "uplot.css",
        "node_modules/uplot/dist/uPlot.min.css",
        "text/css; charset=utf-8",
    ),
    (
        "htmx-licence.txt",
        "node_modules/htmx.org/LICENSE",
        "text/plain; charset=utf-8",
    ),
    (
        "uplot-licence.txt",
        "node_modules/uplot/LICENSE",
        "text/plain; charset=utf-8",
    ),
];
/// What says which versions.
const LOCKED: [&str; 3] = ["package.json", "package-lock.json", ".npmrc"];
/// The window of brotli, as a power of two: all files are smaller.
const WINDOW: u32 = 20;

fn main() -> ExitCode {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=src/web/templates");
    for name in LOCKED {
        println!("cargo::rerun-if-changed=web/{name}");
    }
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            println!("cargo::error={why}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), String> {
    let out = PathBuf::from(std::env::var_os("OUT_DIR").ok_or("cargo sets no OUT_DIR")?);
    let packages = packages(&out)?;
    let mut list = String::from("&[\n");
    for (name, path, kind) in FILES {
        let source = match path.starts_with("node_modules/") {
            true => packages.join(path),
            false => {
                println!("cargo::rerun-if-changed=web/{path}");
                Path::new("web").join(path)
            }
        };
        let bytes = fs::read(&source).map_err(|error| format!("{}: {error}", source.display()))?;
        let hash = Sha256::digest(&bytes);
        let hash: String = hash
            .iter()
            .take(6)
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let (stem, ending) = name.rsplit_once('.').ok_or("a file without an ending")?;
        let served = format!("{stem}-{hash}.{ending}");
        for (packed, suffix) in [
            (bytes.clone(), ""),
            (gzip(&bytes)?, ".gz"),
            (brotli(&bytes)?, ".br"),
        ] {
            let path = out.join(format!("{served}{suffix}"));
            fs::write(&path, packed).map_err(|error| format!("{}: {error}", path.display()))?;
        }
        let include = |suffix: &str| {
            format!("include_bytes!(concat!(env!(\"OUT_DIR\"), \"/{served}{suffix}\"))")
        };
        list.push_str(&format!(
            "Asset {{ name: {name:?}, served: {served:?}, kind: {kind:?}, plain: {}, gzip: {}, brotli: {} }},\n",
            include(""),
            include(".gz"),
            include(".br")
        ));
    }
    list.push(']');
    let path = out.join("assets.rs");
    fs::write(&path, list).map_err(|error| format!("{}: {error}", path.display()))
}

/// The folder that holds `node_modules`: the one in the tree where it fits the lock file, else one of our own.
fn packages(out: &Path) -> Result<PathBuf, String> {
    let tree = PathBuf::from("web");
    println!("cargo::rerun-if-changed=web/node_modules/.package-lock.json");
    if is_complete(&tree) {
        return Ok(tree);
    }
    let own = out.join("web");
    if is_complete(&own) {
        return Ok(own);
    }
    let wrong = |error: std::io::Error| format!("{}: {error}", own.display());
    fs::create_dir_all(&own).map_err(wrong)?;
    for name in LOCKED {
        fs::copy(tree.join(name), own.join(name)).map_err(wrong)?;
    }
    let fetched = Command::new("npm")
        .args(["ci", "--omit=dev"])
        .current_dir(&own)
        .stdout(Stdio::null())
        .output();
    match fetched {
        Ok(done) if done.status.success() && is_complete(&own) => Ok(own),
        _ => Err(
            "the console needs htmx and uPlot, and `npm ci` did not bring them: run `npm ci` in coordinator/web, then build again"
                .to_owned(),
        ),
    }
}

/// Whether what npm has put there is of the versions that are locked.
fn is_complete(folder: &Path) -> bool {
    let version = |path: PathBuf, of: &str| -> Option<String> {
        let text = fs::read_to_string(path).ok()?;
        let from = text.find(&format!("\"node_modules/{of}\""))?;
        let rest = text.get(from..)?;
        let rest = rest.split_once("\"version\": \"")?.1;
        Some(rest.split_once('"')?.0.to_owned())
    };
    ["htmx.org", "uplot"].into_iter().all(|name| {
        let wanted = version(PathBuf::from("web/package-lock.json"), name);
        let found = version(folder.join("node_modules/.package-lock.json"), name);
        wanted.is_some() && wanted == found
    })
}

fn gzip(bytes: &[u8]) -> Result<Vec<u8>, String> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    packer
        .write_all(bytes)
        .and_then(|()| packer.finish())
        .map_err(|error| error.to_string())
}

fn brotli(bytes: &[u8]) -> Result<Vec<u8>, String> {
    let mut packed = Vec::new();
    let mut packer = brotli::CompressorWriter::new(&mut packed, 4096, 11, WINDOW);
    packer.write_all(bytes).map_err(|error| error.to_string())?;
    drop(packer);
    Ok(packed)
}
