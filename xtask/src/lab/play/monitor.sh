# A monitoring station: pings, port checks and pages, every few seconds, of services that are up and some that are not.
while running; do
    ping -n -c 2 -i 0.3 -W 1 "$TARGET" > out 2>&1
    for port in ${PORTS:-22 80 443 21 25 8080}; do nc -z -w 2 "$TARGET" "$port"; done 2> out
    curl -sk --max-time 5 -o /dev/null "http://$HOST/api"; curl -sk --max-time 5 -o /dev/null "https://$HOST/api"
    resolve monitor.example.net
    timeout 5 nc -w 1 "$TARGET" 22 < /dev/null > out 2>&1
    pause "${THINK:-10}"
done
exit 0
