# An implant calls home every EVERY seconds, give or take JITTER per cent, and now and then does as it is told.
while running; do
    between $(( -JITTER )) "$JITTER"; between $(( EVERY * (1000 + 10 * REPLY) )) $(( EVERY * (1000 + 10 * REPLY) ))
    sleep "$(( REPLY / 1000 )).$(printf %03d $(( REPLY % 1000 )))"
    pick 1 2 3 4 5 6
    if [ "$REPLY" = 1 ]; then
        head -c $(( RANDOM / 8 + 500 )) /dev/urandom | curl -sk --max-time 5 -o /dev/null --data-binary @- "$SCHEME://$HOST/upload"
    else
        curl -sk --max-time 5 -o /dev/null "$SCHEME://$HOST/api?id=$SEED"
    fi
done
exit 0
