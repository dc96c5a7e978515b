#!/bin/bash
# Runs inside a booted, throw-away copy of this machine, as a service of its systemd: installs, upgrades, removes, and says what it saw.
# Each line that begins with "ok" or "FAIL" is a verdict; the test outside reads them. /try holds the packages.
set -u
export LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive
ok() { echo "ok   $1"; }
bad() { echo "FAIL $1"; shift; printf '     %s\n' "$@"; }
try() { local what=$1; shift; if out=$("$@" 2>&1); then ok "$what"; else bad "$what" "$out"; fi; }
deny() { local what=$1; shift; if out=$("$@" 2>&1); then bad "$what" "$out"; else ok "$what"; fi; }
# Waits for a line of a unit that runs now, for at most 20 s.
log() { journalctl -q -o cat _SYSTEMD_INVOCATION_ID="$(systemctl show -P InvocationID "$1")"; }
says() { for _ in $(seq 100); do log "$1" | grep -q "$2" && return; sleep 0.2; done; log "$1" | tail -n 20; return 1; }
pid() { systemctl show -P MainPID "$1"; }

old() { dpkg -i /try/old/*.deb; }
new() { dpkg -i /try/new/*.deb; }

echo "# install the version before"
try "both packages install" old
try "the command runs" tidegate --version
try "the hub has a user of its own" getent passwd tidegate-hub
try "the outlet has another" getent passwd tidegate-outlet
try "the relay has a third" getent passwd tidegate-relay
deny "no server is enabled by itself" systemctl is-enabled tidegate-hub tidegate-relay tidegate-outlet
deny "a hub without settings does not start" systemctl start tidegate-hub
deny "and does not pretend" systemctl is-active tidegate-hub

echo "# an org, its hub and an outlet, as the administrator's page says"
org=/root/org
install -d -m 700 $org
printf 'correct horse battery staple\n' > /root/passphrase; chmod 600 /root/passphrase
hub=$(runuser -u tidegate-hub -- tidegate hub keys --data /var/lib/tidegate-hub 2>/dev/null) || {
  install -d -m 700 -o tidegate-hub /var/lib/tidegate-hub; hub=$(runuser -u tidegate-hub -- tidegate hub keys --data /var/lib/tidegate-hub); }
install -d -m 700 -o tidegate-relay /var/lib/tidegate-relay
relay=$(runuser -u tidegate-relay -- tidegate relay keys --data /var/lib/tidegate-relay)
install -d -m 700 -o tidegate-outlet /var/lib/tidegate-outlet
outlet=$(runuser -u tidegate-outlet -- tidegate outlet keys --data /var/lib/tidegate-outlet)
at() { printf '%s' "$1" | python3 -c "import json,sys; v=json.load(sys.stdin)
for k in '$2'.split('.'): v=v[k]
print(v)"; }
fingerprint=$(tidegate org init --dir $org/acme --org acme --passphrase-file /root/passphrase | grep -oE '[A-Za-z0-9_-]{43}' | head -n 1)
python3 - "$org/acme/org.toml" "$(at "$hub" authority.key)" "$(at "$hub" authority.noise)" "$(at "$hub" relay.noise)" "$(at "$outlet" identity)" "$(at "$outlet" noise)" "$(at "$relay" relay.noise)" <<'PY'
import re, sys
path, key, noise, relay, identity, outlet_noise, own_relay = sys.argv[1:]
text = open(path).read()
text = re.sub(r'(?m)^address = .*', 'address = "localhost:7443"', text)
for name, value in (("authority_key", key), ("authority_noise", noise), ("relay_noise", relay), ("client_id", "0oaclient")):
    text = re.sub(rf'(?m)^{name} = .*', f'{name} = "{value}"', text)
text += f'\n[[relay]]\naddress = "localhost:7444"\nnoise = "{own_relay}"\n'
text += f'\n[[service]]\nname = "web"\nkind = "tcp"\ntitle = "A page"\nport = 15080\noutlet_identity = "{identity}"\noutlet_noise = "{outlet_noise}"\n'
open(path, "w").write(text)
PY
try "the administrator signs the org" tidegate org sign --dir $org/acme --out /etc/tidegate/bundle.json --passphrase-file /root/passphrase
chmod 644 /etc/tidegate/bundle.json
cat > /etc/tidegate/hub.toml <<TOML
listen = "127.0.0.1:7443"
data = "/var/lib/tidegate-hub"
bundle = "/etc/tidegate/bundle.json"
org = "acme"
root = "$fingerprint"
TOML
cat > /etc/tidegate/relay.toml <<TOML
listen = "127.0.0.1:7444"
data = "/var/lib/tidegate-relay"
org = "acme"
root = "$fingerprint"
hub = "localhost:7443"
TOML
cat > /etc/tidegate/policy.cedar <<'CEDAR'
permit (principal, action, resource);
CEDAR
cat > /etc/tidegate/outlet.toml <<TOML
org = "acme"
root = "$fingerprint"
hub = "localhost:7443"
data = "/var/lib/tidegate-outlet"
policy = "/etc/tidegate/policy.cedar"
owner = "this-computer"
[[service]]
name = "web"
kind = "tcp"
target = "127.0.0.1:5080"
TOML
try "the relay starts without its hub" systemctl enable --now tidegate-relay
try "and admits nobody yet" says tidegate-relay 'relay admits nobody until its authority has answered'
deny "its port does not answer" bash -c '</dev/tcp/127.0.0.1/7444'
try "the hub starts" systemctl enable --now tidegate-hub
try "the hub listens, with all its locks on" says tidegate-hub 'hub is listening'
try "the relay has heard of its authority, with all its locks on" says tidegate-relay 'relay is listening'
try "the outlet starts" systemctl enable --now tidegate-outlet
try "the outlet reaches the hub, with all its locks on" says tidegate-outlet "outlet was registered at a relay relay=localhost:7443"
try "and the relay" says tidegate-outlet "outlet was registered at a relay relay=localhost:7444"
try "a reload keeps the hub" systemctl reload tidegate-hub
try "the bundle was read again" says tidegate-hub 'bundle was read again'
for unit in tidegate-hub tidegate-relay tidegate-outlet; do
  score=$(systemd-analyze security --no-pager $unit | sed -n 's/.*Overall exposure level.*: \([0-9.]*\).*/\1/p')
  echo "     $unit: exposure $score of 10"
  try "$unit is exposed to its machine by at most 2 of 10" python3 -c "import sys; sys.exit(not float('$score') <= 2)"
  try "$unit runs as its own user" test "$(stat -c %U /proc/$(pid $unit))" = $unit
  deny "$unit's state is nobody else's" runuser -u nobody -- ls /var/lib/$unit
done

echo "# upgrade"
before=$(pid tidegate-hub); sums=$(sha256sum /etc/tidegate/*); keys=$(find /var/lib/tidegate-* -name '*.key' -exec sha256sum {} +)
try "both packages are upgraded" new
try "settings are untouched" test "$sums" = "$(sha256sum /etc/tidegate/*)"
try "keys are untouched" test "$keys" = "$(find /var/lib/tidegate-* -name '*.key' -exec sha256sum {} +)"
try "the hub runs" systemctl is-active tidegate-hub
deny "and it is the new one" test "$before" = "$(pid tidegate-hub)"
try "the relay goes by what it knew" says tidegate-relay 'relay goes by what its authority said last'
try "the outlet came back by itself" says tidegate-outlet "outlet was registered at a relay"

echo "# the app"
try "a join link opens the app" test "$(HOME=/root xdg-mime query default x-scheme-handler/tidegate)" = dev.tidegate.app.desktop
try "every library of the app is there" bash -c '! ldd /usr/bin/tidegate-desktop | grep "not found"'
for page in tidegate tidegate-connect tidegate-outlet tidegate-relay tidegate-desktop; do try "there is a manual page for $page" test -e /usr/share/man/man1/$page.1.gz; done
try "bash completes the verbs" bash -c 'source /usr/share/bash-completion/completions/tidegate && complete -p tidegate'

echo "# remove"
try "both packages are removed" dpkg -r tidegate tidegate-desktop
deny "the hub has ended" systemctl is-active tidegate-hub
deny "the relay has ended" systemctl is-active tidegate-relay
deny "the outlet has ended" systemctl is-active tidegate-outlet
deny "the command is gone" command -v tidegate
try "settings, keys and audit are still there" test -e /etc/tidegate/hub.toml -a -e /var/lib/tidegate-hub -a -e /var/lib/tidegate-outlet
mkdir /root/kept && cp -r /etc/tidegate /var/lib/tidegate-hub /root/kept/
purged=$(dpkg -P tidegate tidegate-desktop 2>&1)
try "a purge says what it keeps" grep -q '/var/lib/tidegate-outlet is kept' <<< "$purged"
left=$(find /usr /etc/systemd /lib/systemd -path '*tidegate*' -not -path '*/__pycache__/*' 2>/dev/null | grep -v -e '^/etc/systemd/system/tidegate-try')
try "nothing else is left" test -z "$left" || echo "     $left"

echo "# rpm, with its scripts, where the debs were: their settings and the hub's state are put back, their users are not"
for user in tidegate-hub tidegate-relay tidegate-outlet; do userdel $user 2>/dev/null; done
deny "no user of theirs is left" getent passwd tidegate-hub tidegate-relay tidegate-outlet
rpms() { rpm --force-debian --nodeps "$@"; }
try "the rpm packages install" rpms -i /try/old/*.rpm
for user in tidegate-hub tidegate-relay tidegate-outlet; do try "and make the user $user" getent passwd $user; done
deny "no server is enabled by itself" systemctl is-enabled tidegate-hub tidegate-relay tidegate-outlet
mkdir -p /etc/tidegate /var/lib/tidegate-hub
cp /root/kept/tidegate/* /etc/tidegate/ && cp -r /root/kept/tidegate-hub/. /var/lib/tidegate-hub/
chown -R tidegate-hub: /var/lib/tidegate-hub && chmod 700 /var/lib/tidegate-hub
try "the hub starts" systemctl enable --now tidegate-hub
try "the hub listens, with all its locks on" says tidegate-hub 'hub is listening'
before=$(pid tidegate-hub)
try "they are upgraded" rpms -U /try/new/*.rpm
try "the hub runs" systemctl is-active tidegate-hub
deny "and it is the new one" test "$before" = "$(pid tidegate-hub)"
try "the command runs" tidegate --version
try "they are removed" rpms -e tidegate tidegate-desktop
deny "the hub has ended" systemctl is-active tidegate-hub
deny "and does not come back at the next start" test -e /etc/systemd/system/multi-user.target.wants/tidegate-hub.service
try "settings and keys are still there" test -e /etc/tidegate/hub.toml -a -e /var/lib/tidegate-hub
left=$(find /usr /lib/systemd -path '*tidegate*' -not -type d -not -path '*/__pycache__/*' 2>/dev/null)
try "nothing else is left" test -z "$left" || echo "     $left"
echo "# end"
