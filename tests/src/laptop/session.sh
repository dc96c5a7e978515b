#!/bin/sh
# Ana's desktop session and the first process of her laptop: X server, session bus, keyring, window manager, panel.
# Arguments: size of the screen. Everything else comes from the environment that the stage sets.
set -eu
umask 077
cd "$HOME"
mkdir -p .cache .config .local/share .pki
# As at every login: sockets and notes of an earlier session would be taken for this one's before this one has its own.
find "$XDG_RUNTIME_DIR" -mindepth 1 -delete
# The browser's lock names a process by its number, and each machine of the stage counts from one.
rm -f .config/chromium/Singleton*
display="$XDG_RUNTIME_DIR/display"

if [ -z "${DISPLAY:-}" ]; then
  Xvfb -displayfd 3 -screen 0 "$1x24" -nolisten tcp -noreset 3>"$display" &
  until [ -s "$display" ]; do sleep 0.05; done
  DISPLAY=":$(cat "$display")"
  export DISPLAY
else
  echo "${DISPLAY#:}" >"$display"
fi

# Each step is told: a session that does not come up says in its log how far it came.
echo "display $DISPLAY"
dbus-daemon --session --nofork --nopidfile --address="$DBUS_SESSION_BUS_ADDRESS" &
until [ -S "$XDG_RUNTIME_DIR/bus" ]; do sleep 0.05; done

echo "bus"
# The keyring is opened with her login password, as at a desktop's greeter.
gnome-keyring-daemon --unlock --components=secrets <"$HOME/.login" >/dev/null
rm "$HOME/.login"
echo "keyring"

openbox &
xsetroot -solid '#31566a'
dunst &
xfce4-panel --disable-wm-check &
until dbus-send --session --print-reply --dest=org.freedesktop.DBus / org.freedesktop.DBus.NameHasOwner \
  string:org.kde.StatusNotifierWatcher | grep -q true; do sleep 0.1; done

echo "the session is up"
wait
