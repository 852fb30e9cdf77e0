# An MQTT device: stays connected, publishes a reading every few seconds, sometimes reconnects.
while running; do
    left
    { for (( i = 0; i < 15; i++ )); do echo "{\"temperature\":$RANDOM}"; sleep "${EVERY:-2}"; done; } |
        timeout "$(( REPLY > 0 ? REPLY : 1 ))" mosquitto_pub -h "$TARGET" -t "lab/$SELF" -k 10 -l > out 2>&1
done
exit 0
