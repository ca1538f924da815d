#!/bin/sh
# Brings the peers that Debian has, and the servers behind the proxies. syslog-ng-core excludes rsyslog as a package, so
# it is only unpacked, where benchmarks/peers.py looks for it. Where nothing may be installed it says what is missing.
set -eu

cd "$(dirname "$0")/.."
sh tests/debian_packages.sh haproxy nginx libnginx-mod-stream pgbouncer rsyslog postgresql \
    mariadb-server-core mariadb-client redis-server redis-tools openssl libivykis0 libnet1 libwrap0

into=/var/cache/podmates-benchmarks/peers
if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null && [ ! -x /usr/sbin/syslog-ng ] && [ ! -d "$into" ]; then
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    chmod 755 "$work"
    if (cd "$work" && apt-get download -qq syslog-ng-core >/dev/null 2>&1 && dpkg-deb -x syslog-ng-core_*.deb root); then
        mkdir -p "$(dirname "$into")"
        mv "$work/root" "$into"
    else
        echo "Not unpacked: syslog-ng-core; it is reported as not run" >&2
    fi
fi
