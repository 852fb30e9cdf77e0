# An MQTT subscriber that stays.
left
timeout "$(( REPLY > 0 ? REPLY : 1 ))" mosquitto_sub -h "$TARGET" -t 'lab/#' -k 10 > out 2>&1
exit 0
