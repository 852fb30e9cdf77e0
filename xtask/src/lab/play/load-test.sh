# A load test the owner asked for: few kept connections, many requests, with wrk.
while running; do
    timeout 15 wrk -t 1 -c "${CONNECTIONS:-4}" -d "${LAST:-3}s" "http://$HOST/api" > out 2>&1
    pause "${THINK:-10}"
done
exit 0
