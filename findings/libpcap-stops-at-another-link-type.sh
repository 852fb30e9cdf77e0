#!/usr/bin/env bash
# Guess: tcpdump reads whatever pcapng Wireshark writes, one with interfaces of several link types included.
# Seen: tcpdump of Debian 12 (libpcap 1.10.3) fails at the description of an interface of another link type, before the
# first packet where both are described at the beginning, in the middle where a second section describes it; tshark 4.0
# reads all of them. `mergecap` writes such files.
# Source: pcapng(5) of libpcap; its sf-pcapng.c says why.
# For Garita: captures are read by a reader of our own, which gives each packet its interface's link type.
set -euo pipefail
cd "$(mktemp -d)"
trap 'rm -rf "$PWD"' EXIT
apt-get --quiet --quiet download tcpdump libpcap0.8 >/dev/null 2>&1
for package in *.deb; do dpkg-deb --extract "$package" root; done
cat > make.py <<'PY'
import struct
def block(kind, body):
    body += b"\0" * (-len(body) % 4)
    size = len(body) + 12
    return struct.pack("<II", kind, size) + body + struct.pack("<I", size)
def packet(interface, at, data):
    time = 1_700_000_000_000_000 + at
    return block(6, struct.pack("<IIIII", interface, time >> 32, time & 0xFFFFFFFF, len(data), len(data)) + data)
ip = bytes.fromhex("450000140000000040fd0000c0000201c0000202")
ethernet = b"\2" * 6 + b"\4" * 6 + b"\x08\0" + ip
section = block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1))
link = lambda number: block(1, struct.pack("<HHI", number, 0, 0))
open("mixed.pcapng", "wb").write(section + link(1) + link(101) + packet(0, 0, ethernet) + packet(1, 1, ip))
open("sections.pcapng", "wb").write(section + link(101) + packet(0, 0, ip) + section + link(1) + packet(0, 1, ethernet))
PY
python3 make.py
library=$(dirname "$(find root -name 'libpcap.so.0.8')")
for case in mixed:0 sections:1; do
    file=${case%:*}
    if LD_LIBRARY_PATH=$library root/usr/bin/tcpdump -n -r "$file.pcapng" >out 2>err; then
        echo "tcpdump reads $file.pcapng: this has changed"
        exit 1
    fi
    echo "$file.pcapng: $(wc -l <out) of 2 packets, then: $(tail -n 1 err)"
    [ "$(wc -l <out)" = "${case#*:}" ]
    grep -q 'different from the type of the first interface' err
done
