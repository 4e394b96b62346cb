#!/bin/sh
# Runs the browser tests and ends with a line `N passed, N failed` (and `, N skipped` when some were).
#
# E2E_GATEWAY and E2E_SIMULATOR name the binaries of the gateway and the simulator; when they are not set, the release
# build of the repository is used if there is one, else a small stand-in written for these tests.
set -u
cd "$(dirname "$0")/.."
release=$(cd .. && pwd)/.build/release
if [ -z "${E2E_GATEWAY:-}" ] && [ -x "$release/millrace" ] && [ -x "$release/millrace-sim" ]; then
    export E2E_GATEWAY="$release/millrace" E2E_SIMULATOR="$release/millrace-sim"
fi
log=$(mktemp)
trap 'rm -f "$log"' EXIT
{ .venv/bin/python -m pytest -q -p no:cacheprovider e2e "$@"; echo "status=$?"; } 2>&1 | tee "$log" | grep -v '^status='
summary=$(grep -E '(passed|failed|error|skipped).* in [0-9.]+s' "$log" | tail -n 1)
count() { echo "$summary" | sed -n "s/.*[^0-9]\{0,1\}\b\([0-9][0-9]*\) $1.*/\1/p" | grep . || echo 0; }
failed=$(($(count failed) + $(count error)))
skipped=$(count skipped)
line="$(count passed) passed, $failed failed"
[ "$skipped" = 0 ] || line="$line, $skipped skipped"
echo "$line"
[ -n "$summary" ] && exit "$(sed -n 's/^status=//p' "$log" | tail -n 1)"
exit 1
