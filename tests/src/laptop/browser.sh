#!/bin/sh
# Ana's browser, as $BROWSER names it: Chromium without a screen, open to a driver.
# Without --password-store=basic it waits for the keyring before it loads anything.
exec /usr/bin/chromium --headless --no-sandbox --disable-gpu --disable-quic --disable-dev-shm-usage --no-first-run \
  --disable-background-networking --disable-component-update --disable-sync --disable-default-apps \
  --password-store=basic --window-size=1100,850 --user-data-dir="$HOME/.config/chromium" \
  --remote-debugging-port="$BROWSER_DRIVER_PORT" "$@" >>"$XDG_RUNTIME_DIR/browser.log" 2>&1
