#!/bin/sh
# Runs the unit tests and ends with a line `N passed, N failed`.
set -u
cd "$(dirname "$0")/.."
log=$(mktemp)
trap 'rm -f "$log"' EXIT
DENO_NO_UPDATE_CHECK=1 NO_COLOR=1 .venv/bin/deno test --allow-net=127.0.0.1 --allow-read=.,../docs,/usr/share/doc/cmark-gfm \
    --allow-run=cmark-gfm --allow-env unit >"$log" 2>&1
status=$?
cat "$log"
tail -n 8 "$log" | sed -n 's/^.*| \([0-9]*\) passed.*| \([0-9]*\) failed.*$/\1 passed, \2 failed/p' | grep . || {
    echo "0 passed, 1 failed"
    exit 1
}
exit "$status"
