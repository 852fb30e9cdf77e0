# A mail program that looks for mail every few seconds on a new connection; now and then its password is out of date.
while running; do
    between 1 15; password=alice-long-password; [ "$REPLY" = 1 ] && password=last-years-password
    curl -s --max-time 10 -o /dev/null --user "alice:$password" "imap://$HOST/INBOX" -X 'STATUS INBOX (MESSAGES UNSEEN)'
    pause "${THINK:-6}"
done
exit 0
