#!/usr/bin/env bash
# Guess: two crates of one workspace may use different SQLite libraries, as they may use two versions of anything.
# Seen: rusqlite 0.41 with sqlx 0.9 does not resolve, in one package or in two of a workspace: both link the native
# library `sqlite3` by versions of libsqlite3-sys that exclude each other, and cargo allows one. rusqlite 0.39 does.
# Source: The Cargo Book, The `links` field of a manifest.
# For Garita: sensor (rusqlite) and coordinator (sqlx) stay on versions that share libsqlite3-sys.
set -euo pipefail
cd "$(mktemp -d)"
trap 'rm -rf "$PWD"' EXIT
package() {
    mkdir -p "$1/src"
    : >"$1/src/lib.rs"
    printf '[package]\nname = "%s"\nversion = "0.1.0"\nedition = "2021"\n[dependencies]\n%s\n' "$1" "$2" >"$1/Cargo.toml"
}
printf '[workspace]\nresolver = "2"\nmembers = ["one", "two"]\n' >Cargo.toml
package two 'sqlx = { version = "=0.9.0", default-features = false, features = ["sqlite"] }'
package one 'rusqlite = "=0.41.0"'
if cargo generate-lockfile >out 2>&1; then
    echo "rusqlite 0.41 and sqlx 0.9 resolve: this has changed"
    exit 1
fi
grep -E 'links to the native library|sqlite3' out | head -3
package one 'rusqlite = "=0.39.0"'
cargo generate-lockfile >out 2>&1 || { cat out; exit 1; }
echo "rusqlite 0.39 with sqlx 0.9: $(grep -A1 'name = "libsqlite3-sys"' Cargo.lock | tail -1)"
