# The other end of long transfers.
exec iperf3 -s
