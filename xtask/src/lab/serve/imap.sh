# dovecot: mailboxes over IMAP with passwords in the clear, as old devices still use it.
set -eu
mkdir -p "$HOME/run" "$HOME/mail"
chmod 777 "$HOME/mail"
for user in alice bob; do echo "$user:{PLAIN}$user-long-password:41000:41000::$HOME/mail/$user"; done > "$HOME/users"
cat > "$HOME/dovecot.conf" <<EOF
protocols = imap
listen = *, ::
base_dir = $HOME/run
log_path = /dev/stderr
ssl = no
disable_plaintext_auth = no
mail_location = maildir:~/Maildir
auth_mechanisms = plain login
passdb {
  driver = passwd-file
  args = $HOME/users
}
userdb {
  driver = passwd-file
  args = $HOME/users
}
service imap-login {
  inet_listener imaps {
    port = 0
  }
}
EOF
chmod a+rX "$HOME" "$LAB/hosts"
exec dovecot -F -c "$HOME/dovecot.conf"
