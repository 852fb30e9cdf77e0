# A real sshd: keys and passwords, PAM's delay after a wrong one.
mkdir -p /run/sshd
[ -e "$LAB/ssh/host" ] || ssh-keygen -q -t ed25519 -N '' -f "$LAB/ssh/host"
exec /usr/sbin/sshd -D -e -f /dev/null -h "$LAB/ssh/host" -o UsePAM=yes -o UseDNS=no -o PermitRootLogin=no \
    -o StrictModes=no -o PidFile=none -o MaxAuthTries=6 -o PrintLastLog=no -o Subsystem='sftp internal-sftp'
