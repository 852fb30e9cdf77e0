# masscan answers with its own stack; a source port of its own keeps the kernel from resetting.
ping -c 1 -W 1 198.51.100.1 > out 2>&1
router=$(ip neigh show 198.51.100.1 dev eth0 | awk '{ print $3 }')
exec masscan --interface eth0 --adapter-ip "$SELF" --router-mac "$router" --rate "$RATE" -p "$PORTS" --wait 3 --seed "$SEED" "${VICTIM:-$TARGET}"
