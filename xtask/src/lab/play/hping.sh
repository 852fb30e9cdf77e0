# hping3 floods the target from one address: COUNT packets, INTERVAL apart.
timeout -s INT "${LAST:-600}" hping3 -n -q $OPTIONS -i "u$INTERVAL" -c "$COUNT" "$TARGET" || true
exit 0
