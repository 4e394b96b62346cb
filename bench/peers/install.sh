#!/usr/bin/env bash
# Installs what the peers need, from Debian's and Python's packages only, and builds the compiled ones.
#   bench/peers/install.sh DIRECTORY
set -eu
here=$(cd "$(dirname "$0")" && pwd)
target=$1
mkdir -p "$target"
missing=
for package in gcc nginx-light node-ws golang-go golang-github-gorilla-websocket-dev; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing="$missing $package"
done
command -v node >/dev/null || missing="$missing nodejs"
if [ -n "$missing" ]; then
    # shellcheck disable=SC2086
    apt-get update -qq && apt-get install -y -qq --no-install-recommends $missing >/dev/null
fi
[ -x "$target/python/bin/python" ] || python3 -m venv "$target/python"
"$target/python/bin/pip" install -q -r "$here/requirements.txt"
# Debian's Go packages are sources under a GOPATH.
GO111MODULE=off GOPATH=/usr/share/gocode go build -o "$target/go-relay" "$here/relay.go"
