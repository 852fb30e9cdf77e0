# A DNS tunnel with dns2tcp: ssh through names.
dns2tcpc -z t.example.net -k lab -r ssh -l 2222 ${OPTIONS:-} "$TARGET" > log 2>&1 &
for (( i = 0; i < 100; i++ )); do ss -Hltn 'sport = :2222' | grep -q . && break; sleep 0.1; done
while running; do
    timeout 30 ssh "${SSH_OPTIONS[@]}" -p 2222 alice@127.0.0.1 'ls -lR /etc/ssh; head -c 3000 /dev/zero | base64' > out 2>&1
    pause "${THINK:-2}"
done
kill %1
exit 0
