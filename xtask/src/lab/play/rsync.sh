# Copies a tree of small files over ssh, now with rsync, now with scp.
mkdir -p tree
for (( i = 0; i < ${FILES:-40}; i++ )); do head -c $(( RANDOM % 4000 + 10 )) /dev/urandom > "tree/file$i"; done
while running; do
    pick rsync rsync scp
    if [ "$REPLY" = rsync ]; then
        head -c 2000 /dev/urandom > "tree/file$(( RANDOM % 10 ))"
        rsync -a -e "ssh ${SSH_OPTIONS[*]}" tree carol@"$HOST":"$(basename "$PWD")" > out 2>&1
    else
        scp -q "${SSH_OPTIONS[@]}" tree/file1* carol@"$HOST": > out 2>&1
    fi
    pause "${THINK:-10}"
done
exit 0
