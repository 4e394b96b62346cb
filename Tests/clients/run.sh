#!/bin/sh
# Runs the whole-gateway tests with clients written by others; arguments go to pytest.
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
status=0
"$venv/bin/python" -B -m pytest "$@" >"$venv/report" 2>&1 || status=$?
cat "$venv/report"
# The last line again, whatever pytest adds after it.
grep -E '^[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped$' "$venv/report" | tail -1
exit "$status"
