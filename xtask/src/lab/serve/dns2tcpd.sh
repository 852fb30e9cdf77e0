# The far end of a dns2tcp tunnel: ssh behind names.
cat > "$HOME/dns2tcpd.conf" <<EOF
listen = 0.0.0.0
port = 53
user = root
chroot = $HOME/empty
domain = t.example.net
key = lab
resources = ssh:127.0.0.1:22
EOF
mkdir -p "$HOME/empty"
exec dns2tcpd -F -d 1 -f "$HOME/dns2tcpd.conf"
