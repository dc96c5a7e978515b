#!/bin/sh
# The processes of this login that are called so (an extended pattern of the whole name), and of no other login:
# where the stage stands on loopback, logins share the machine, perhaps with somebody who works at it.
found=1
for pid in $(pgrep -u "$(id -u)" -x "$1"); do
    if tr '\0' '\n' <"/proc/$pid/environ" 2>/dev/null | grep -qxF "HOME=$HOME"; then
        echo "$pid"
        found=0
    fi
done
exit $found
