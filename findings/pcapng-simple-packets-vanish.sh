#!/usr/bin/env bash
# Guess: a pcapng Simple Packet Block of an interface without a snap length holds the whole packet, and has no time.
# Seen: dpkt 1.9.8 skips the packet without a word; scapy 2.6.1 returns it with no bytes (it takes snap length 0 for the
# length, though 0 means no limit); python-pcapng 2.1.1 reads all of it.
# Source: draft-ietf-opsawg-pcapng, Simple Packet Block and Interface Description Block (SnapLen).
# For Garita: such packets are read whole, and it is said once that they have no time.
set -euo pipefail
cd "$(mktemp -d)"
trap 'rm -rf "$PWD"' EXIT
python3 -m venv venv
venv/bin/pip --quiet install scapy==2.6.1 dpkt==1.9.8 python-pcapng==2.1.1
cat > show.py <<'PY'
import struct
from pcapng import FileScanner
from scapy.utils import RawPcapNgReader
import dpkt
def block(kind, body):
    body += b"\0" * (-len(body) % 4)
    size = len(body) + 12
    return struct.pack("<II", kind, size) + body + struct.pack("<I", size)
ip = bytes.fromhex("450000140000000040fd0000c0000201c0000202")
with open("simple.pcapng", "wb") as file:
    file.write(block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1)))
    file.write(block(1, struct.pack("<HHI", 101, 0, 0)))
    file.write(block(3, struct.pack("<I", len(ip)) + ip))
seen = {}
with open("simple.pcapng", "rb") as file:
    seen["dpkt"] = [len(data) for _, data in dpkt.pcapng.Reader(file)]
with open("simple.pcapng", "rb") as file:
    seen["python-pcapng"] = [len(b.packet_data) for b in FileScanner(file) if hasattr(b, "packet_data")]
seen["scapy"] = [len(data) for data, _ in RawPcapNgReader("simple.pcapng")]
print("bytes of each packet:", seen)
assert seen == {"dpkt": [], "python-pcapng": [20], "scapy": [0]}, "this has changed"
PY
venv/bin/python show.py
