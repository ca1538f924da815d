# Sourced by build.sh: makes a base and a builder from Debian's packages with mmdebstrap, unless $ENGINE has them.
# A release's packages do not change under one snapshot; without one, the newest of the release are taken.
debian_image() {
    tag=$1
    shift
    "$ENGINE" image inspect "$tag" >/dev/null 2>&1 && return
    command -v mmdebstrap >/dev/null || { echo "OFFLINE=1 needs mmdebstrap: apt-get install mmdebstrap" >&2; exit 1; }
    tar=$(mktemp)
    mmdebstrap --quiet --variant=minbase --include="$(echo "$@" | tr ' ' ',')" \
        --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
        --dpkgopt='path-exclude=/usr/share/locale/*' bookworm - >"$tar"
    "$ENGINE" import - "$tag" <"$tar" >/dev/null 2>&1
    rm -f "$tar"
}
debian_image localhost/podmates/debian-python:bookworm python3 ca-certificates tzdata
debian_image localhost/podmates/debian-python-builder:bookworm python3 ca-certificates tzdata python3-pip binutils
