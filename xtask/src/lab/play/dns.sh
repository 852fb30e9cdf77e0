# A machine looking up names of all types, some twice, some that do not exist.
while running; do
    between 1 6
    for (( i = REPLY; i > 0; i-- )); do
        pick www mail cdn "host$(( RANDOM % 300 ))" _sip._tcp; name=$REPLY
        pick A A AAAA MX TXT SRV; type=$REPLY
        pick example.net example.net example.org example.invalid; resolve "$name.$REPLY" "$type"
    done
    pause "${THINK:-2}"
done
exit 0
