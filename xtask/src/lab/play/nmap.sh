# nmap with the options given; on the target, or on VICTIM where that is set.
[ "$FAMILY" = 6 ] && set -- -6
# shellcheck disable=SC2086
exec nmap -n "$@" $OPTIONS "${VICTIM:-$TARGET}"
