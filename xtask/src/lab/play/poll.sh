# Industrial polling: the same short question to a controller several times a second, for ever; a second one is switched off.
exec 9<> <(:)
exec {alive}<>"/dev/udp/$TARGET/47808"
while running; do
    for (( i = 0; i < 40; i++ )); do
        printf '\001\003%04d\000\012' "$i" >&"$alive"
        read -rt "0.${EVERY:-25}" -u 9
    done
    [ -z "${GONE:-}" ] || { printf '\001\003\000\000\000\012' > "/dev/udp/$GONE/47808"; } 2> out
    between 1 6
    [ "$REPLY" = 1 ] && exec {alive}<>"/dev/udp/$TARGET/47808"
done 2> errors
exit 0
