#!/bin/sh
# Builds the images with docker or podman, whichever works; all of them, or those named.
#   ENGINE=podman     picks one         BASE=image        another base with python3 (BUILDER=image: one with pip too)
#   BUILD_ARGS=…      more arguments for the engine's build
#   OFFLINE=1         no registry of images is asked: the base is made from Debian's own packages, wheels come from pip here
set -eu
cd "$(dirname "$0")/../.."

images=${*:-logshipper logformat dbproxy demo-app demo-database logserver}
version=$(sed -n 's/^__version__ = "\(.*\)"/\1/p' chassis/__init__.py)
python=${PYTHON:-python3}

if [ -z "${ENGINE:-}" ]; then
    for candidate in docker podman; do
        if command -v "$candidate" >/dev/null && "$candidate" info >/dev/null 2>&1; then ENGINE=$candidate; break; fi
    done
fi
[ -n "${ENGINE:-}" ] || { echo "make images: neither docker nor podman works here; install one, or start its service" >&2; exit 1; }

set --
if [ -n "${OFFLINE:-}" ]; then
    . k8s/images/debian_base.sh
    BASE=localhost/podmates/debian-python:bookworm
    BUILDER=localhost/podmates/debian-python-builder:bookworm
    locks=
    for image in $images; do locks="$locks -r locks/$image.txt"; done
    wheels() {
        # shellcheck disable=SC2086 (a list of arguments)
        "$python" -m pip download --quiet --disable-pip-version-check --require-hashes --only-binary=:all: \
            --python-version 3.11 --dest build/wheels $locks "$@"
    }
    mkdir -p build/wheels
    # Where they are all there already, no index of packages is asked.
    wheels --no-index --find-links build/wheels 2>/dev/null || wheels
    set -- --build-arg "WHEELS=build/wheels"
fi
[ -z "${BASE:-}" ] || set -- "$@" --build-arg "BASE=$BASE"
[ -z "${BUILDER:-}" ] || set -- "$@" --build-arg "BUILDER=$BUILDER"

# The time of the commit, not of the build: two builds of one commit are the same to the byte.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 0)}
export SOURCE_DATE_EPOCH
created=$("$python" -c 'import sys, time; print(time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(int(sys.argv[1]))))' \
    "$SOURCE_DATE_EPOCH")
# Without podman's cache of layers, which takes a layer that bears another commit's time for the same one.
case $ENGINE in *podman*) set -- "$@" --timestamp "$SOURCE_DATE_EPOCH" --layers=false ;; esac

for image in $images; do
    echo "podmates/$image:$version"
    # shellcheck disable=SC2086 (a list of arguments)
    "$ENGINE" build --quiet ${BUILD_ARGS:-} "$@" --target "$image" \
        --label "org.opencontainers.image.version=$version" --label "org.opencontainers.image.created=$created" \
        --tag "podmates/$image:$version" .
done
