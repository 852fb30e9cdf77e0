# patator guesses one password a connection.
for (( i = 0; i < WORDS; i++ )); do echo "word$RANDOM"; done > words
case $SERVICE in
    ssh) set -- ssh_login host="$TARGET" user=alice password=FILE0 0=words -x ignore:mesg='Authentication failed.' ;;
    ftp) set -- ftp_login host="$TARGET" user=dave password=FILE0 0=words -x ignore:code=530 ;;
    http) set -- http_fuzz url="http://$HOST/secret/" user_pass=admin:FILE0 0=words -x ignore:code=401 ;;
esac
left
timeout "$(( REPLY + 1 ))" patator "$@" -t "$TASKS" --rate-limit="${GAP:-0}" > log 2>&1
grep -q 'Starting Patator' log
