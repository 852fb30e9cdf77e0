# ab opens a new connection for every request, as fast as it can, for at most LAST seconds.
timeout "$LAST" ab -q -s 5 -n 8000 -c "$CONNECTIONS" "http://$HOST/api" > log 2>&1
exit 0
