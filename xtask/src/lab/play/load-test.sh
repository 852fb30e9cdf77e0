# A load test the owner asked for: kept connections, many requests each, with wrk at a rate the service should bear.
echo "function delay() return math.random(5, ${DELAY:-120}) end" > pace.lua
while running; do
    timeout 15 wrk -t 1 -c "${CONNECTIONS:-4}" -d "${LAST:-4}s" -s pace.lua "http://$HOST/api" > out 2>&1
    pause "${THINK:-10}"
done
exit 0
