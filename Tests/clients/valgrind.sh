#!/bin/sh
# Runs the release gateway under valgrind memcheck: stream, cancel, resume, two shards, slow reader, drain.
# Fails on any error and on any byte that is definitely lost.
#
#   MILLRACE_BIN  directory of the binaries (default: .build/release)
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT
export MILLRACE_PATIENCE=60
export MILLRACE_WRAPPER="valgrind --quiet --error-exitcode=99 --leak-check=full --show-leak-kinds=definite --errors-for-leak-kinds=definite --suppressions=$here/valgrind.supp --log-file=$logs/%p.log"
status=0
"$here/run.sh" --timeout 300 test_valgrind.py || status=$?
for log in "$logs"/*.log; do
    [ -s "$log" ] && cat "$log" && status=1
done
[ "$status" -eq 0 ] && echo "valgrind: no errors, nothing definitely lost"
exit "$status"
