#!/bin/sh
# Installs what one make target needs, once: `setup.sh build`, `setup.sh deno` or `setup.sh e2e`.
set -eu
cd "$(dirname "$0")/.."

apt_install() {
    if [ "$(id -u)" != 0 ]; then
        echo "web: needs $*; install it with: apt-get install $*" >&2
        exit 1
    fi
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null 2>&1 || {
        apt-get update -qq >/dev/null
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
    }
}

need_command() { # command, package
    command -v "$1" >/dev/null 2>&1 || apt_install "$2"
}

need_python() { # requirements file
    stamp=".venv/.$(basename "$1").$(sha256sum "$1" | cut -c1-16)"
    [ -f "$stamp" ] && return
    [ -x .venv/bin/pip ] || python3 -m venv .venv 2>/dev/null || { apt_install python3-venv && python3 -m venv .venv; }
    .venv/bin/pip install --quiet --disable-pip-version-check -r "$1"
    touch "$stamp"
}

case "${1:-}" in
build) need_command esbuild esbuild ;;
deno) need_python tools/requirements-check.txt ;;
unit) need_python tools/requirements-check.txt && need_command cmark-gfm cmark-gfm ;;
e2e)
    need_python tools/requirements-e2e.txt
    need_command chromium chromium
    [ -e /usr/share/fonts/truetype/noto/NotoColorEmoji.ttf ] || apt_install fonts-noto-color-emoji
    [ -d /usr/share/fonts/truetype/dejavu ] || apt_install fonts-dejavu-core
    ;;
*) echo "usage: setup.sh build|deno|unit|e2e" >&2 && exit 2 ;;
esac
