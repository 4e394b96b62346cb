#!/usr/bin/env bash
# Installs what the peers need, from Debian's and Python's packages only, and builds the compiled ones.
#   bench/peers/install.sh DIRECTORY
set -eu
here=$(cd "$(dirname "$0")" && pwd)
target=$1
mkdir -p "$target"
"$here/../../.ci/deps" peers
[ -x "$target/python/bin/python" ] || python3 -m venv "$target/python"
"$target/python/bin/pip" install -q -r "$here/requirements.txt"
# Debian's Go packages are sources under a GOPATH.
GO111MODULE=off GOPATH=/usr/share/gocode go build -o "$target/go-relay" "$here/relay.go"
