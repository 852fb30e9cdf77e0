# A device whose services are gone: refused, silent and unresolvable, retried with a back-off that starts over.
wait=1
while running; do
    for port in ${PORTS:-8443 5222 1883}; do nc -z -w 2 "$TARGET" "$port"; done 2> out
    for gone in ${GONE:-}; do nc -z -w 2 "$gone" "${GONE_PORT:-443}" 2> out & done
    wait
    resolve "cloud$RANDOM.example.invalid"
    sleep "$wait"; (( wait = wait >= 16 ? 1 : wait * 2 ))
done
exit 0
