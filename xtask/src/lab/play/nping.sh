# nping floods the target from one address for LAST seconds, RATE packets a second, with a new source port now and then.
[ "$FAMILY" = 6 ] && set -- -6
(( end = EPOCHSECONDS + LAST ))
while (( EPOCHSECONDS < end )) && running; do
    # shellcheck disable=SC2086
    timeout 4 nping "$@" -q -N $OPTIONS --rate "$RATE" -c "$(( RATE * 3 ))" "$TARGET" > log 2>&1
done
exit 0
