#!/bin/bash
# Runs inside a throw-away machine whose PID 1 is systemd, as its only work: install the units as an operator would, let
# the programs do their job, and leave what was seen in /report, a file a fact. test_sandbox.py judges the facts.
set -u
exec 2>> /report/log
cd /

fact() {
  local name=$1 code=0
  shift
  echo "+ $*" >> /report/log
  "$@" > "/report/$name" || code=$?
  echo $code > "/report/$name.rc"
  # What follows rests on what came before.
  if [ $code != 0 ]; then exit 1; fi
}

trap 'journalctl --no-pager -o short-monotonic -u zeus -u artemis -u hermes > /report/journal' EXIT

# Wait until a command succeeds, 20 s at most.
until_true() {
  local end=$((SECONDS + 20))
  until "$@"; do
    if [ $SECONDS -ge $end ]; then
      echo "gave up waiting for: $*" >> /report/log
      return 1
    fi
    sleep 0.2
  done
}

zeus() { runuser -u zeus -- /opt/socme/bin/zeus "$@"; }
alerts() { zeus alert list --json; }
node_says() { zeus node show acme/acme-1 --json | grep -q "$1"; }
stored() { [ "$(alerts | grep -c '"id"')" -ge "$1" ]; }
state() { systemctl show -p ActiveState,SubState,StatusText,NRestarts,Result "$1"; }
privileges() { grep -E '^(NoNewPrivs|Seccomp|CapEff|CapBnd|Uid):' "/proc/$(systemctl show -P MainPID "$1")/status"; }
restarted() { [ "$(systemctl show -P NRestarts "$1")" -ge "$2" ] && systemctl -q is-active "$1"; }
eve() {
  printf '{"timestamp":"2026-01-02T03:04:05.000000+0000","event_type":"alert","src_ip":"192.0.2.1","dest_ip":"192.0.2.2","proto":"TCP","alert":{"action":"allowed","gid":1,"signature_id":%d,"rev":1,"signature":"%s","category":"","severity":1}}\n' "$1" "$2" \
    >> /var/log/suricata/eve.json
}
wazuh() {
  printf '{"timestamp":"2026-01-02T03:04:05.000+0000","rule":{"level":12,"description":"%s","id":"100001"},"agent":{"id":"000","name":"site"},"manager":{"name":"site"},"id":"1767323045.1","decoder":{"name":"json"},"location":"test"}\n' "$1" \
    >> /var/ossec/logs/alerts/alerts.json
}
page() { /opt/socme/bin/python -c 'import urllib.request as r; print(r.urlopen("http://127.0.0.1:8080/", timeout=5).read().decode())'; }

systemd-sysusers /units/socme.sysusers.conf
cp /units/*.service /units/*.timer /etc/systemd/system/
install -d -m 0750 -g suricata /var/log/suricata
install -d -m 0750 -g wazuh /var/ossec /var/ossec/logs /var/ossec/logs/alerts
install -m 0640 -g suricata /dev/null /var/log/suricata/eve.json
install -m 0640 -g wazuh /dev/null /var/ossec/logs/alerts/alerts.json
install -d -m 0755 /etc/socme
cat > /etc/socme/zeus.toml << 'TOML'
listen = "127.0.0.1:8443"
public_address = "127.0.0.1:8443"
TOML
cat > /etc/socme/artemis.toml << 'TOML'
[[source]]
kind = "suricata"
path = "/var/log/suricata/eve.json"
[[source]]
kind = "wazuh"
path = "/var/ossec/logs/alerts/alerts.json"
TOML
touch /etc/socme/hermes.toml
# A program that hangs is noticed in seconds here, not in half a minute.
mkdir /etc/systemd/system/artemis.service.d
printf '[Service]\nWatchdogSec=3\nRestartSec=1\n' > /etc/systemd/system/artemis.service.d/quick.conf
systemctl daemon-reload

# What a node's neighbours are: of Wazuh a manager whose daemons run, an indexer that failed, and no dashboard.
install -d -m 0770 -g wazuh /var/ossec/var /var/ossec/var/run /var/ossec/queue /var/ossec/queue/db
install -d /run/tailscale
unit() { printf '[Service]\n%s\n' "$2" > "/etc/systemd/system/$1.service"; }
unit wazuh-manager "ExecStart=/bin/sleep infinity"
unit wazuh-indexer "ExecStart=/bin/false"
unit neighbours "Type=notify
ExecStart=/opt/socme/bin/python /inside/neighbours.py"
systemctl daemon-reload
fact neighbours systemctl start neighbours wazuh-manager
systemctl start wazuh-indexer
for daemon in analysisd apid db execd logcollector modulesd monitord remoted syscheckd; do
  touch "/var/ossec/var/run/wazuh-$daemon-$(systemctl show -P MainPID wazuh-manager).pid"
done
chmod 0640 /var/ossec/var/run/*.pid
chgrp wazuh /var/ossec/var/run/*.pid

fact zeus-start systemctl start zeus
fact client zeus client add acme
fact token zeus token create --client acme --node acme-1
install -d -m 0700 -o artemis -g artemis /var/lib/artemis
fact enroll runuser -u artemis -- /opt/socme/bin/artemis enroll "$(tail -n 1 /report/token | grep -o '[^ ]*$')"
fact artemis-start systemctl start artemis
eve 1 "seen by the sandboxed agent"
wazuh "seen by the sandboxed agent, too"
fact arrived until_true stored 2
fact node zeus node show acme/acme-1 --json
systemctl stop wazuh-manager
fact manager-stopped until_true node_says '"stopped"'

fact display zeus token create --display wall
install -d -m 0700 -o hermes -g hermes /var/lib/hermes
fact display-enroll runuser -u hermes -- /opt/socme/bin/hermes enroll "$(tail -n 1 /report/display | grep -o '[^ ]*$')"
fact hermes-start systemctl start hermes
fact page until_true page

# The kiosk's browser, without a screen: in its unit's sandbox, and in its own within that.
if [ -x /usr/bin/chromium ]; then
  mkdir /etc/systemd/system/hermes-kiosk.service.d
  browse="ExecStart=/usr/bin/chromium --headless=new --user-data-dir=/run/hermes-kiosk/chromium --no-first-run --dump-dom"
  printf '[Unit]\nConditionPathExists=\n[Service]\nType=oneshot\nRestart=no\nStandardOutput=append:/report/kiosk-seen\nExecStart=\n%s\n' \
    "$browse http://127.0.0.1:8080/" \
    > /etc/systemd/system/hermes-kiosk.service.d/headless.conf
  systemctl daemon-reload
  fact kiosk timeout 90 systemctl start hermes-kiosk
  fact kiosk-profile-gone until_true test ! -e /run/hermes-kiosk
fi
mkdir /etc/systemd/system/hermes-kiosk-reload.service.d
printf '[Service]\nStandardOutput=append:/report/reloads\nExecStart=/bin/echo done\n' \
  > /etc/systemd/system/hermes-kiosk-reload.service.d/told.conf
systemctl daemon-reload
fact reload systemctl start hermes-kiosk-reload

for unit in zeus artemis hermes; do
  fact "$unit-state" state "$unit"
  fact "$unit-privileges" privileges "$unit"
done

systemctl kill -s KILL --kill-who=main artemis
fact artemis-killed until_true restarted artemis 1
eve 2 "after a kill"
fact arrived-after-kill until_true stored 3

systemctl kill -s STOP --kill-who=main artemis
fact artemis-hung until_true restarted artemis 2
eve 3 "after a hang"
fact arrived-after-hang until_true stored 4
fact alerts alerts

systemctl stop hermes
fact reload-without-wall systemctl start hermes-kiosk-reload
systemctl start hermes

for unit in hermes artemis zeus; do
  fact "$unit-stop" timeout 5 systemctl stop "$unit"
  fact "$unit-stopped" state "$unit"
done
