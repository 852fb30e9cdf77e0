# Sends the frames written by hand from here to the router, at their own pace.
router=198.51.100.1
ping -n -c 1 -W 1 "$router" > out 2>&1
there=$(ip neigh show "$router" dev eth0 | awk '{ print $3 }')
tcprewrite --enet-dmac="$there" --enet-smac="$(cat /sys/class/net/eth0/address)" --infile="$LAB/forged.pcap" --outfile=frames.pcap
exec tcpreplay -q -i eth0 --multiplier=1 frames.pcap
