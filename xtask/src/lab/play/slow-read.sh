# slowhttptest reads big answers a few bytes at a time.
left
exec slowhttptest -X -c "$CONNECTIONS" -r "${RATE:-20}" -w 512 -y 1024 -n "${EVERY:-5}" -z 32 -k 3 -l "$REPLY" -u "http://$HOST/big.bin"
