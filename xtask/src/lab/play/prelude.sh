# Before every play: seeded chance, the scenario's own clock, and a delayed entrance.
# Helpers answer in REPLY, not on stdout: a subshell would not advance RANDOM.
set -u
RANDOM=$SEED
running() { (( EPOCHSECONDS < UNTIL )); }
left() { REPLY=$(( UNTIL - EPOCHSECONDS )); }
between() { REPLY=$(( $1 + RANDOM % ($2 - $1 + 1) )); }
pick() { shift $(( RANDOM % $# )); REPLY=$1; }
# About so many seconds, divided by HASTE.
pause() { between $(( $1 * 500 )) $(( $1 * 1500 )); sleep "$(( REPLY / ${HASTE:-1} / 1000 )).$(printf %03d $(( REPLY / ${HASTE:-1} % 1000 )))"; }
resolve() { dig +tries=1 +time=2 @"$DNS" "$1" "${2:-A}" > /dev/null; }
SSH_OPTIONS=(-F none -i "$LAB/ssh/user" -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR -o ConnectTimeout=10)
trap 'exit 0' TERM
sleep "${START:-0}"
