# Requests as fast as the tool can, for at most LAST seconds, with TOOL: siege (a connection each) or h2load (kept ones).
case $TOOL in
    siege) timeout "$LAST" siege -b -q -c "$CONNECTIONS" -r "$(( 6000 / CONNECTIONS ))" -R /dev/null "http://$HOST/api" ;;
    h2load) timeout "$LAST" h2load --h1 -c "$CONNECTIONS" -n 20000 "http://$HOST/api" ;;
esac > log 2>&1
exit 0
