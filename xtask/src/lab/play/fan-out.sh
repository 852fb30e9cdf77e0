# P2P-like: datagrams and connections to many peers and ports, few of which answer.
while running; do
    between 3 20
    for (( i = REPLY; i > 0; i-- )); do
        between 1 60; peer=${SUBNET%0/*}$REPLY; [ "$FAMILY" = 6 ] && printf -v peer '%s%x' "${SUBNET%/*}" "$REPLY"
        between 6881 6999; port=$REPLY
        pick u u u t
        if [ "$REPLY" = u ]; then (head -c $(( RANDOM % 200 + 60 )) /dev/zero > "/dev/udp/$peer/$port") 2> out; else nc -z -w 1 "$peer" "$port" 2> out; fi
    done
    head -c 300 /dev/zero | timeout 3 nc -u -w 1 "$TARGET" 6881 > out 2>&1
    pause "${THINK:-2}"
done
exit 0
