# Clones, fetches and pushes over ssh.
repository=$PWD/repository-$SEED
export GIT_SSH_COMMAND="ssh ${SSH_OPTIONS[*]}" GIT_CONFIG_NOSYSTEM=1 GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@example.net GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@example.net
bare="repository-$SEED-$(basename "$PWD").git"
ssh "${SSH_OPTIONS[@]}" alice@"$TARGET" "git init -q --bare $bare" > out 2>&1
git clone -q "ssh://alice@$HOST/$LAB/home/alice/$bare" "$repository" > out 2>&1
while running; do
    between 1 20
    for (( i = REPLY; i > 0; i-- )); do head -c $(( RANDOM / 3 )) /dev/urandom | base64 > "$repository/f$i"; done
    git -C "$repository" add -A > out 2>&1; git -C "$repository" commit -qm change > out 2>&1
    git -C "$repository" push -q origin HEAD > out 2>&1
    pick fetch clone
    if [ "$REPLY" = clone ]; then rm -rf again; git clone -q "ssh://alice@$HOST/$LAB/home/alice/$bare" again > out 2>&1; else git -C "$repository" fetch -q > out 2>&1; fi
    pause "${THINK:-8}"
done
exit 0
