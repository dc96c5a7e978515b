#!/bin/sh
# Ana's browser, as $BROWSER names it: Chromium, open to a driver; without a screen unless a person wants to see it.
# Without --password-store=basic it waits for the keyring before it loads anything.
if [ -z "${BROWSER_SEEN:-}" ]; then
  # One without a screen takes no page over from a second start, as a seen one does: its driver's door opens the tab.
  if curl -sfG -X PUT --data-urlencode "=$1" "http://127.0.0.1:$BROWSER_DRIVER_PORT/json/new" >/dev/null; then exit 0; fi
  rm -f "$HOME/.config/chromium/Singleton"*
  set -- --headless "$@"
fi
exec /usr/bin/chromium --no-sandbox --disable-gpu --disable-quic --disable-dev-shm-usage --no-first-run \
  --disable-background-networking --disable-component-update --disable-sync --disable-default-apps --disable-save-password-bubble \
  --password-store=basic --window-size=1100,850 --user-data-dir="$HOME/.config/chromium" \
  --remote-debugging-port="$BROWSER_DRIVER_PORT" "$@" >>"$XDG_RUNTIME_DIR/browser.log" 2>&1
