#!/bin/sh
# The first program in the namespaces of one process of the stage: binds what it may see, drops to its user, becomes it.
# Runs as root in a mount namespace of its own, so nothing here touches the machine.
set -eu
bind() { if [ -e "$1" ]; then mount --bind "$1" "$2"; fi; }
# A machine with a /tmp of its own numbers its displays by itself: the X servers of other runs, dead or alive, are none of its business.
if [ -n "${STAGE_OWN_TMP:-}" ]; then
  mount --rbind "$STAGE_RUN" /mnt
  mount -t tmpfs -o mode=1777 tmpfs /tmp
  mkdir -p "$STAGE_RUN"
  mount --rbind /mnt "$STAGE_RUN"
  umount --lazy /mnt
fi
# Called `join`, it comes into namespaces where all that was already done.
if [ "$0" = enter ]; then
  # Semaphores are named by process ids, and those repeat from namespace to namespace.
  mount -t tmpfs -o mode=1777 tmpfs /dev/shm
  bind "$STAGE_RUN/hosts" /etc/hosts
  bind "$STAGE_RUN/passwd" /etc/passwd
  bind "$STAGE_RUN/group" /etc/group
  bind "$STAGE_CHECKOUT/tests/.venv" "$STAGE_RUN/venv"
  bind "$STAGE_CHECKOUT/tests/provider" "$STAGE_RUN/provider"
  # A clock that is turned by hand keeps notes by process id, which is not unique among namespaces.
  if [ -e "$STAGE_RUN/clocks" ]; then mount -t tmpfs -o mode=1777 shm /dev/shm; fi
fi
uid=$1
folder=$2
shift 2
unset STAGE_CHECKOUT STAGE_OWN_TMP
ulimit -n "$(ulimit -Hn)"
cd "$folder"
# Changing the user clears the wish to die with the parent, so it is said again.
exec setpriv --pdeathsig KILL --reuid="$uid" --regid="$uid" --clear-groups --no-new-privs --inh-caps=-all --bounding-set=-all -- "$@"
