# The far end of a DNS tunnel; it swallows what is sent through.
iodined -f -c -P lab -d dns0 203.0.113.129/25 t.example.net > tunnel.log 2>&1 &
exec socat -u TCP-LISTEN:9,fork,reuseaddr OPEN:/dev/null
