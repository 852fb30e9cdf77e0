# A call: 160 bytes each way fifty times a second for some seconds, then silence.
exec 9<> <(:)
printf -v sound '%160s' ''
while running; do
    exec {call}<>"/dev/udp/$TARGET/4000"
    between 200 900
    for (( i = REPLY; i > 0; i-- )); do printf '%s' "$sound" >&"$call"; read -rt 0.02 -u 9; done
    exec {call}>&-
    pause "${THINK:-5}"
done 2> errors
exit 0
