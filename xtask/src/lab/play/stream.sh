# Streaming: a segment every few seconds over one kept connection, a little ahead of the clock.
while running; do
    for (( i = 0; i < 10; i++ )); do echo "url = \"http://$HOST/pool/package$(( RANDOM % 30 + 1 )).deb\""; echo 'output = /dev/null'; done > list
    left
    timeout "$(( REPLY > 0 ? REPLY : 1 ))" curl -s --rate "${RATE:-30}/m" --limit-rate 300k --config list > out 2>&1
done
exit 0
