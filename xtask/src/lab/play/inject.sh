# Sends frames written by hand, as they stand but for the link addresses: to the router, from here.
router=$(ip neigh show "${ROUTER}" dev eth0 | awk '{ print $3 }')
[ -n "$router" ] || { ping -c 1 -W 1 "$ROUTER" > out 2>&1; router=$(ip neigh show "$ROUTER" dev eth0 | awk '{ print $3 }'); }
here=$(cat /sys/class/net/eth0/address)
tcprewrite --enet-dmac="$router" --enet-smac="$here" --infile="$FRAMES" --outfile=frames.pcap
exec tcpreplay -q -i eth0 "${SPEED:---multiplier=1}" frames.pcap
