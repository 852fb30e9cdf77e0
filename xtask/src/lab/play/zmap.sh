# zmap probes one port of every inside address at RATE a second; it wants to be told the router's link address.
ping -c 1 -W 1 198.51.100.1 > out 2>&1
router=$(ip neigh show 198.51.100.1 dev eth0 | awk '{ print $3 }')
for port in $PORTS; do
    zmap -q -i eth0 -G "$router" -S "$SELF" -p "$port" -r "$RATE" -c 2 --blacklist-file=/dev/null -o found "$VICTIM" || exit 1
done
exit 0
