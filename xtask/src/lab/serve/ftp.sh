# vsftpd with local users.
mkdir -p "$HOME/empty"
cat > "$HOME/vsftpd.conf" <<EOF
listen=NO
listen_ipv6=YES
background=NO
local_enable=YES
anonymous_enable=NO
write_enable=YES
seccomp_sandbox=NO
secure_chroot_dir=$HOME/empty
pam_service_name=vsftpd
vsftpd_log_file=$HOME/vsftpd.log
max_per_ip=50
EOF
exec vsftpd "$HOME/vsftpd.conf"
