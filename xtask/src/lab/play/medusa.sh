# medusa guesses the passwords of one user.
for (( i = 0; i < WORDS; i++ )); do echo "guess$RANDOM"; done > words
medusa -h "$TARGET" -u "${USERS:-alice}" -P words -M "$SERVICE" -t "$TASKS" ${OPTIONS:-} > log 2>&1
grep -q 'ACCOUNT CHECK' log
