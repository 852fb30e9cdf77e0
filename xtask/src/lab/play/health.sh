# A load balancer's health check: one small request each time, on a new connection, for ever.
while running; do
    curl -s --max-time 2 -o /dev/null "http://$HOST/api"
    [ -z "${DEEP:-}" ] || nc -z -w 1 "$TARGET" 22
    pause "${THINK:-2}"
done
exit 0
