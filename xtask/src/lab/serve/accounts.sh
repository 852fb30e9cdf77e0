# Users, resolver and login rules of the lab; bound over /etc inside its mount namespaces only.
set -eu
mkdir -p "$LAB"/{etc,pam,home,hosts,logs,scripts,ssh}
chmod 755 "$LAB"
cp /etc/passwd /etc/shadow /etc/group "$LAB/etc/"
n=41000
for user in alice bob carol dave; do
    hash=$(openssl passwd -6 "$user-long-password")
    echo "$user:x:$n:$n::$LAB/home/$user:/bin/bash" >> "$LAB/etc/passwd"
    echo "$user:x:$n:" >> "$LAB/etc/group"
    echo "$user:$hash:19000:0:99999:7:::" >> "$LAB/etc/shadow"
    mkdir -p "$LAB/home/$user/.ssh"
    [ -e "$LAB/ssh/user" ] || ssh-keygen -q -t ed25519 -N '' -f "$LAB/ssh/user"
    cp "$LAB/ssh/user.pub" "$LAB/home/$user/.ssh/authorized_keys"
    chown -R "$n:$n" "$LAB/home/$user"
    n=$((n + 1))
done
for service in sshd vsftpd login; do
    printf 'auth required pam_unix.so\naccount required pam_unix.so\nsession required pam_permit.so\n' > "$LAB/pam/$service"
done
: > "$LAB/etc/resolv.conf"
