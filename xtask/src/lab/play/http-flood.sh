# Requests as fast as the tool can, for LAST seconds, with TOOL: siege or goldeneye.
case $TOOL in
    siege) timeout "$LAST" siege -b -q -c "$CONNECTIONS" -r $(( 6000 / CONNECTIONS )) -R /dev/null "http://$HOST/api" ;;
    goldeneye) timeout "$LAST" goldeneye "http://$HOST/" -w "${WORKERS:-2}" -s "$CONNECTIONS" -m random ;;
esac > log 2>&1
exit 0
