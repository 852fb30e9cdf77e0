# A DNS tunnel with iodine: a tunnel device on both ends, then copies and pings through it.
iodine -f -P lab -d dns0 -r ${OPTIONS:-} "$TARGET" t.example.net > log 2>&1 &
for (( i = 0; i < 200; i++ )); do ip address show dev dns0 2> out | grep -q 'inet ' && break; sleep 0.1; done
ip address show dev dns0 | grep -q 'inet ' || { cat log; exit 1; }
while running; do
    ping -c 3 -i 0.5 -W 2 203.0.113.129 > out 2>&1
    head -c "${BYTES:-20000}" /dev/urandom | timeout 20 nc -w 3 203.0.113.129 9 > out 2>&1
    pause "${THINK:-2}"
done
kill %1
exit 0
