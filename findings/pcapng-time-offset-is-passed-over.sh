#!/usr/bin/env bash
# Guess: whoever reads pcapng adds an interface's if_tsoffset to its timestamps, as the format says.
# Seen: dpkt 1.9.8, tcpdump and tshark do; scapy 2.6.1 and python-pcapng 2.1.1 pass it over, so a capture of 2023 is
# read as of 1970. None says a word.
# Source: draft-ietf-opsawg-pcapng, Interface Description Block, option 14 (if_tsoffset).
# For Garita: capture times are compared with tshark, never with the Python readers alone.
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
def option(code, value):
    return struct.pack("<HH", code, len(value)) + value + b"\0" * (-len(value) % 4)
OFFSET, LATER = 1_700_000_000, 5_000_000
ip = bytes.fromhex("450000140000000040fd0000c0000201c0000202")
with open("offset.pcapng", "wb") as file:
    file.write(block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1)))
    file.write(block(1, struct.pack("<HHI", 101, 0, 0) + option(14, struct.pack("<q", OFFSET)) + option(0, b"")))
    file.write(block(6, struct.pack("<IIIII", 0, 0, LATER, len(ip), len(ip)) + ip))
seen = {}
with open("offset.pcapng", "rb") as file:
    seen["dpkt"] = int(next(iter(dpkt.pcapng.Reader(file)))[0])
with open("offset.pcapng", "rb") as file:
    seen["python-pcapng"] = int(next(b.timestamp for b in FileScanner(file) if hasattr(b, "packet_data")))
_, meta = next(RawPcapNgReader("offset.pcapng"))
seen["scapy"] = ((meta.tshigh << 32) + meta.tslow) // meta.tsresol
print("seconds of the one packet:", seen)
assert seen == {"dpkt": OFFSET + 5, "python-pcapng": 5, "scapy": 5}, "this has changed"
PY
venv/bin/python show.py
