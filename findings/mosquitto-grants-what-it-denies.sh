#!/usr/bin/env bash
# Guess: what the broker's access list denies is answered with "not authorized" (MQTT 5: reason 0x87, 135).
# Seen: mosquitto 2.0.11 of Debian 12 answers a denied publish so, but grants a denied subscription, with the QoS that was
# asked for, and never delivers anything.
# Source: MQTT 5.0, 3.9.3 and 3.4.2.1; mosquitto.conf(5), acl_file.
# For Garita: a granted subscription proves nothing, so the coordinator waits for a retained status before it is ready.
set -euo pipefail
cd "$(mktemp -d)"
broker=
trap '[ -z "$broker" ] || kill "$broker"; rm -rf "$PWD"' EXIT
version=2.0.11-1.2+deb12u2
apt-get --quiet --quiet download "mosquitto=$version" "mosquitto-clients=$version" "libmosquitto1=$version" >/dev/null 2>&1 ||
    { echo "mosquitto $version is not in this machine's package lists"; exit 1; }
for package in *.deb; do dpkg-deb --extract "$package" root; done
export LD_LIBRARY_PATH=$(dirname "$(find "$PWD/root" -name 'libmosquitto.so.1')")
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
echo "topic read open/#" > acl
printf 'listener %s 127.0.0.1\nallow_anonymous true\nacl_file %s/acl\nuser root\n' "$port" "$PWD" > conf
root/usr/sbin/mosquitto -c conf >log 2>&1 &
broker=$!
timeout 10 bash -c "until (exec 3<>/dev/tcp/127.0.0.1/$port) 2>/dev/null; do :; done"
timeout 5 root/usr/bin/mosquitto_sub -V 5 -d -q 1 -p "$port" -t closed/a -W 1 >sub 2>&1 || true
timeout 5 root/usr/bin/mosquitto_pub -V 5 -d -q 1 -p "$port" -t open/a -m x >pub 2>&1 || true
grep -E 'Subscribed|SUBACK' sub
grep PUBACK pub
grep -q 'RC:135' pub || { echo "the publish is not refused: this has changed"; exit 1; }
grep -q 'Subscribed (mid: 1): 1' sub || { echo "the subscription is not granted: this has changed"; exit 1; }
