# A busy resolver asking upstream: many different names a second over many source ports.
for (( i = 0; i < 400; i++ )); do
    pick A A A AAAA MX TXT; echo "host$((RANDOM % 5000)).example.net $REPLY"
done > queries
[ "$FAMILY" = 6 ] && set -- -f inet6
while running; do
    left
    dnsperf "$@" -s "$TARGET" -d queries -l "$REPLY" -Q "${RATE:-10}" -c "${SOCKETS:-4}" -q 20 > out 2>&1
done
exit 0
