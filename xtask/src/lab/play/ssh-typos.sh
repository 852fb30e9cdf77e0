# A user without a key who mistypes the password once or twice, then gets in and works for a while.
login() {
    timeout 15 sshpass -p "$1" ssh -F none -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR \
        -o PubkeyAuthentication=no -o NumberOfPasswordPrompts=1 bob@"$TARGET" 'ls -lR /etc 2> /dev/null | head -100; sleep 2' > out 2>&1
}
while running; do
    between 0 2
    for (( i = REPLY; i > 0; i-- )); do login "bob-lnog-password$i"; pause 2; done
    login bob-long-password
    pause "${THINK:-10}"
done
exit 0
