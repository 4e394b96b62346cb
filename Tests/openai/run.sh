#!/bin/sh
# Official clients against the gateway and the simulator. Ends with "N passed, N failed".
#   MILLRACE_BIN=DIRECTORY  where millrace and millrace-sim are (.build/release)
#   VENV=DIRECTORY          the Python environment, made when it is missing (.build/openai-venv)
set -eu
cd "$(dirname "$0")"
root=$(cd ../.. && pwd)
VENV=${VENV:-$root/.build/openai-venv}
export MILLRACE_BIN="${MILLRACE_BIN:-$root/.build/release}"
if ! cmp -s requirements.txt "$VENV/requirements.txt"; then
    python3 -m venv "$VENV"
    "$VENV/bin/pip" install --quiet --disable-pip-version-check -r requirements.txt
    cp requirements.txt "$VENV/requirements.txt"
fi
report=$(mktemp)
trap 'rm -f "$report"' EXIT
status=0
"$VENV/bin/python" -B -m pytest -q -p no:cacheprovider --junit-xml="$report" "$@" || status=$?
"$VENV/bin/python" - "$report" <<'PYTHON'
import sys, xml.etree.ElementTree as tree
suite = tree.parse(sys.argv[1]).getroot().find("testsuite")
count = {name: int(suite.get(name)) for name in ("tests", "failures", "errors", "skipped")}
failed = count["failures"] + count["errors"]
print(f"{count['tests'] - failed - count['skipped']} passed, {failed} failed")
PYTHON
exit $status
