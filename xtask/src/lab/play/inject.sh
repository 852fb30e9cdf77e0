# Sends the frames written by hand to the router, at their own pace.
exec tcpreplay -q -i eth0 --multiplier=1 "$LAB/forged.pcap"
