# Says back what it hears over UDP: a controller that is polled, the other end of a call.
socat -T 60 UDP6-LISTEN:47808,fork,reuseaddr,ipv6only=0 PIPE &
exec socat -T 60 UDP6-LISTEN:4000,fork,reuseaddr,ipv6only=0 PIPE
