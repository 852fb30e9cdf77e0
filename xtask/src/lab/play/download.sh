# Package updates and big files: an index, then many objects in parallel, resumed in ranges.
while running; do
    resolve deb.example.net
    curl -s --max-time 5 -o /dev/null "http://$HOST/"
    pick updates updates ranges one
    case $REPLY in
        updates) curl -s --max-time 30 --parallel --parallel-max "${CONNECTIONS:-8}" --limit-rate "${RATE:-150k}" -o /dev/null "http://$HOST/pool/package[1-30].deb" 2> out ;;
        ranges) rm -f big.bin; timeout 30 aria2c -q -x "${CONNECTIONS:-8}" -s "${CONNECTIONS:-8}" -k 1M --max-overall-download-limit="${RATE:-150k}" -o big.bin "http://$HOST/${FILE:-video.bin}" > out 2>&1 ;;
        one) curl -s --max-time 30 --limit-rate "${RATE:-150k}" -o /dev/null "http://$HOST/${FILE:-video.bin}" ;;
    esac
    pause "${THINK:-10}"
done
exit 0
