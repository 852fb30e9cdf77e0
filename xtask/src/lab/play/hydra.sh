# hydra guesses the passwords of USERS from lists of WORDS, in so many ROUNDS.
# It ends unhappy when a server hangs up on it, which servers do; what counts is that it attacked.
[ "$FAMILY" = 6 ] && set -- -6
[ -n "${NAMELESS:-}" ] || set -- "$@" -L users
for user in ${USERS:-alice}; do echo "$user"; done > users
for (( round = 0; round < ${ROUNDS:-1}; round++ )); do
    running || break
    for (( i = 0; i < WORDS; i++ )); do echo "secret$RANDOM"; done > words
    rm -f hydra.restore
    # shellcheck disable=SC2086
    hydra "$@" -I -P words -t "$TASKS" ${OPTIONS:-} "$SERVICE://$HOST${FORM:-}" 2>&1 | tee log
    grep -q '^\[DATA\] attacking' log || exit 1
    pause "${THINK:-1}"
done
exit 0
