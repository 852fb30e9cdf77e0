# A user with a key: short commands, and sessions typed at human speed.
while running; do
    pick 1 2 3
    if [ "$REPLY" = 1 ]; then
        for (( i = 0; i < 8; i++ )); do echo 'ls -l /etc | head -20'; pause 1; done | ssh "${SSH_OPTIONS[@]}" -T alice@"$TARGET" > out 2>&1
    else
        ssh "${SSH_OPTIONS[@]}" alice@"$TARGET" 'uptime; ls -l /usr/bin | head -50' > out 2>&1
    fi
    pause "${THINK:-6}"
done
exit 0
