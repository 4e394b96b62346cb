#!/bin/sh
# Official clients against the gateway and the simulator; arguments go to pytest. Ends with a line of counts.
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
exec "$VENV/bin/python" "$root/.ci/pytest" -q "$@"
