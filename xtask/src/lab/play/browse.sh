# Page loads: a name lookup, the page, then its resources over a few connections at once.
while running; do
    pick www shop news mail; resolve "$REPLY.example.net"; resolve "$REPLY.example.net" AAAA
    pick http https; scheme=${SCHEME:-$REPLY}
    between 3 "${ASSETS:-40}"
    curl -sk --max-time 20 -o /dev/null "$scheme://$HOST/" 
    curl -sk --max-time 30 --parallel --parallel-max "${CONNECTIONS:-6}" -o /dev/null "$scheme://$HOST/assets/[1-$REPLY].bin" 2> errors
    pause "${THINK:-5}"
done
exit 0
