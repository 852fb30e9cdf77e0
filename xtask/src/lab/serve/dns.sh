# A resolver that knows every name: a few by hand, everything else under example.net by wildcard.
exec dnsmasq --keep-in-foreground --conf-file=/dev/null --no-resolv --no-hosts --log-facility=- --user=root --pid-file= \
    --address=/example.net/192.0.2.11 --address=/example.net/2001:db8:1::b --address=/example.org/198.51.100.201 \
    --txt-record=example.net,"v=spf1 -all" --mx-host=example.net,mail.example.net,10 --cache-size=1000 --local-ttl=60
