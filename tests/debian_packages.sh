#!/bin/sh
# Installs the Debian packages whose programs the tests start: those named, else all. Where it may not, it says what
# is missing and ends well: the tests that need them are then skipped by name.
set -eu

containers="podman buildah runc catatonit netavark aardvark-dns iptables mmdebstrap busybox-static"
wanted=${*:-mariadb-client mariadb-server-core openssl nginx apache2-bin haproxy libnginx-mod-stream openssh-server pgbouncer postgresql prometheus redis-server redis-tools rsyslog rsyslog-gnutls $containers}
missing=
for package in $wanted; do
    case $(dpkg-query --show --showformat='${Status}' "$package" 2>/dev/null || true) in
        *" ok installed") ;;
        *) missing="$missing $package" ;;
    esac
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
    echo "Missing:$missing. Tests that need them are skipped; as root on Debian: apt-get install$missing" >&2
    exit 0
fi
echo "Installing$missing"
export DEBIAN_FRONTEND=noninteractive
# The tests start servers of their own; the packages shall make and start none.
if [ ! -e /etc/postgresql-common/createcluster.conf ]; then
    mkdir -p /etc/postgresql-common
    echo "create_main_cluster = false" >/etc/postgresql-common/createcluster.conf
fi
if [ ! -e /usr/sbin/policy-rc.d ]; then
    trap 'rm -f /usr/sbin/policy-rc.d' EXIT
    printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
    chmod 755 /usr/sbin/policy-rc.d
fi
# shellcheck disable=SC2086 (a list of words)
{ apt-get update -qq && apt-get install -y -qq --no-install-recommends \
    -o DPkg::Lock::Timeout=120 -o Dpkg::Options::=--force-confold $missing >/dev/null; } ||
    echo "Not installed:$missing. Tests that need them are skipped by name" >&2
