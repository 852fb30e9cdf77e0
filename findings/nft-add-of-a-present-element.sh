#!/usr/bin/env bash
# Guess: adding an element that is already in a set with a timeout either fails or restarts its time.
# Seen: on Linux 6.18 an element that is added with another timeout takes it and begins anew; added without a timeout it
# becomes permanent. `nft` (1.0.6 of Debian 12) reports success each time. Kernels before 6.12 cannot update an element
# and leave it as it was, says their source; this script expects that of them.
# Source: nft(8), ADD ELEMENT; net/netfilter/nf_tables_api.c. Needs root, for a network namespace of its own.
# For Garita: a block is renewed by delete and add in one transaction, which means the same on every kernel.
set -euo pipefail
cd "$(mktemp -d)"
space=finding-$$
trap 'ip netns delete "$space" 2>/dev/null || true; rm -rf "$PWD"' EXIT
apt-get --quiet --quiet download nftables libnftables1 >/dev/null 2>&1
for package in *.deb; do dpkg-deb --extract "$package" root; done
export LD_LIBRARY_PATH=$(dirname "$(find "$PWD/root" -name 'libnftables.so.1')")
ip netns add "$space"
nft() { ip netns exec "$space" "$PWD/root/usr/sbin/nft" "$@"; }
nft add table inet t
nft 'add set inet t s { type ipv4_addr; flags timeout; }'
element() { nft list set inet t s | grep -o '192.0.2.1[^,}]*' | sed 's/ *$//'; }
nft 'add element inet t s { 192.0.2.1 timeout 1h }'
nft 'add element inet t s { 192.0.2.1 timeout 2h }'
other=$(element)
nft 'add element inet t s { 192.0.2.1 }'
none=$(element)
echo "Linux $(uname -r), nft $(nft --version | cut -d' ' -f2)"
echo "another timeout: $other"
echo "no timeout:      $none"
if printf '%s\n' 6.12 "$(uname -r)" | sort --version-sort --check=quiet; then
    [[ $other == *"timeout 2h"* && $none == 192.0.2.1 ]] || { echo "this has changed"; exit 1; }
else
    [[ $other == *"timeout 1h"* && $none == *"timeout 1h"* ]] || { echo "this has changed"; exit 1; }
fi
