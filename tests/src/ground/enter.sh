#!/bin/sh
# The first program in the namespaces of one process of the stage: binds what it may see, drops to its user, becomes it.
# Runs as root in a mount namespace of its own, so nothing here touches the machine.
set -eu
bind() { if [ -e "$1" ]; then mount --bind "$1" "$2"; fi; }
# Called `join`, it comes into namespaces where all that was already done.
if [ "$0" = enter ]; then
  bind "$STAGE_RUN/hosts" /etc/hosts
  bind "$STAGE_RUN/passwd" /etc/passwd
  bind "$STAGE_RUN/group" /etc/group
  bind "$STAGE_CHECKOUT/tests/.venv" "$STAGE_RUN/venv"
  bind "$STAGE_CHECKOUT/tests/provider" "$STAGE_RUN/provider"
  # A clock that is turned by hand keeps notes by process id, which is not unique among namespaces.
  if [ -e "$STAGE_RUN/clock" ]; then mount -t tmpfs -o mode=1777 shm /dev/shm; fi
fi
uid=$1
folder=$2
shift 2
unset STAGE_CHECKOUT
ulimit -n "$(ulimit -Hn)"
cd "$folder"
# Changing the user clears the wish to die with the parent, so it is said again.
exec setpriv --pdeathsig KILL --reuid="$uid" --regid="$uid" --clear-groups --no-new-privs --inh-caps=-all --bounding-set=-all -- "$@"
