# slowhttptest: headers (-H), bodies (-B) or answers (-X, -R) taken at a crawl, over CONNECTIONS connections.
left
# shellcheck disable=SC2086
exec slowhttptest $OPTIONS -c "$CONNECTIONS" -r "${RATE:-20}" -l "$REPLY" -u "http://$HOST${URLPATH:-/}"
