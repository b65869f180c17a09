#!/bin/sh
# Install what only apt has: RabbitMQ for `make test-rabbitmq`, Chromium for `make test-browser`.
set -eu
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "make system needs root and apt-get (Debian or Ubuntu); elsewhere install rabbitmq-server and chromium yourself."
    exit 1
fi
# The tests start a server of their own on a free loopback port: runlevel 1 keeps the package from starting another.
export DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 ERL_EPMD_ADDRESS=127.0.0.1
missing=""
for package in rabbitmq-server chromium; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q "install ok installed" || missing="$missing $package"
done
[ -z "$missing" ] && exit 0
apt-get -qq update
# shellcheck disable=SC2086  # a list of words on purpose
apt-get -qq -y install --no-install-recommends $missing >/dev/null
