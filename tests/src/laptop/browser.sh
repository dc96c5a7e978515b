#!/bin/sh
# Ana's browser, as $BROWSER names it: Chromium, open to a driver; without a screen unless a person wants to see it.
# Without --password-store=basic it waits for the keyring before it loads anything.
if [ -z "${BROWSER_SEEN:-}" ]; then
  # One without a screen takes no page over from a second start, as a seen one does: its driver's door opens the tab.
  if curl -sfG -X PUT --data-urlencode "=$1" "http://127.0.0.1:$BROWSER_DRIVER_PORT/json/new" >/dev/null; then exit 0; fi
  rm -f "$HOME/.config/chromium/Singleton"*
  set -- --headless "$@"
fi
# What it would ask a person about covers what she shall see: whether to keep a password, and what it thinks of these words.
settings="$HOME/.config/chromium/Default/Preferences"
if [ ! -e "$settings" ]; then
  mkdir -p "${settings%/*}"
  echo '{"credentials_enable_service":false,"profile":{"password_manager_enabled":false}}' >"$settings"
fi
exec /usr/bin/chromium --test-type --no-sandbox --disable-gpu --disable-quic --disable-dev-shm-usage --no-first-run \
  --disable-background-networking --disable-component-update --disable-sync --disable-default-apps \
  --password-store=basic --window-size=1100,850 --user-data-dir="$HOME/.config/chromium" \
  --remote-debugging-port="$BROWSER_DRIVER_PORT" "$@" >>"$XDG_RUNTIME_DIR/browser.log" 2>&1
