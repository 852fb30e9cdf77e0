# A user of ftp: lists, fetches, stores; now and then mistypes the password first.
mkdir -p up; for i in {1..6}; do head -c $(( RANDOM % 9000 + 100 )) /dev/urandom > "up/f$i"; done
while running; do
    between 1 4
    [ "$REPLY" = 1 ] && timeout 10 lftp -u dave,wrong -e 'set net:max-retries 1; set ftp:ssl-allow no; ls; bye' "ftp://$HOST" > out 2>&1
    timeout 40 lftp -u dave,dave-long-password -e 'set net:max-retries 1; set ftp:ssl-allow no; ls; mirror -R up; ls; mirror up back; bye' "ftp://$HOST" > out 2>&1
    rm -rf back
    pause "${THINK:-8}"
done
exit 0
