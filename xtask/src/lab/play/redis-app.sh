# An application that opens a connection to its database for every piece of work.
while running; do
    between 1 12
    { for (( i = REPLY; i > 0; i-- )); do echo "SET key$RANDOM $RANDOM"; echo "GET key$RANDOM"; done; } |
        REDISCLI_AUTH=app-long-password timeout 5 redis-cli --no-auth-warning -h "$TARGET" > out 2>&1
    pause "${THINK:-1}"
done
exit 0
