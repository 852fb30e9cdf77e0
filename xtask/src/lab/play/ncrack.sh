# ncrack guesses the passwords of one user, several a connection.
for (( i = 0; i < WORDS; i++ )); do echo "crack$RANDOM"; done > words
[ "$FAMILY" = 6 ] && set -- -6
left
# shellcheck disable=SC2086
timeout "$(( REPLY + 1 ))" ncrack "$@" --user "${USERS:-alice}" -P words ${OPTIONS:-} "$SERVICE://$HOST" > log 2>&1
grep -q 'Starting Ncrack' log
