#!/bin/sh
# Runs the whole-gateway tests with clients written by others; arguments go to pytest. Ends with a line of counts.
#
#   MILLRACE_BIN  directory of the binaries (default: .build/release)
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
venv="$root/.venv"
[ -x "$venv/bin/python" ] || python3 -m venv "$venv"
if ! cmp -s "$here/requirements.txt" "$venv/requirements.installed"; then
    "$venv/bin/pip" --quiet --disable-pip-version-check install -r "$here/requirements.txt"
    cp "$here/requirements.txt" "$venv/requirements.installed"
fi
export MILLRACE_BIN="${MILLRACE_BIN:-$root/.build/release}"
cd "$here"
exec "$venv/bin/python" "$root/.ci/pytest" "$@"
