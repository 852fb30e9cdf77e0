# One long transfer, each way in turn, at a limited rate.
while running; do
    left
    iperf3 -c "$TARGET" -b "${RATE:-2M}" -t "$(( REPLY > 8 ? 8 : REPLY + 1 ))" ${UDP:+-u -l 1200} > out 2>&1
    iperf3 -c "$TARGET" -R -b "${RATE:-2M}" -t "$(( REPLY > 8 ? 8 : REPLY + 1 ))" > out 2>&1
    pause "${THINK:-5}"
done
exit 0
