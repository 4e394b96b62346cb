#!/bin/sh
# Runs the browser tests; arguments go to pytest. Ends with a line of counts.
#
# E2E_GATEWAY and E2E_SIMULATOR name the binaries of the gateway and the simulator; when they are not set, the release
# build of the repository is used if there is one, else a small stand-in written for these tests.
set -eu
cd "$(dirname "$0")/.."
release=$(cd .. && pwd)/.build/release
if [ -z "${E2E_GATEWAY:-}" ] && [ -x "$release/millrace" ] && [ -x "$release/millrace-sim" ]; then
    export E2E_GATEWAY="$release/millrace" E2E_SIMULATOR="$release/millrace-sim"
fi
exec .venv/bin/python ../.ci/pytest -q e2e "$@"
