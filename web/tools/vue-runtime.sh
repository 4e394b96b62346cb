#!/bin/sh
# Writes the vendored Vue without its compiler to standard output: the page has no templates.
#
# Upstream's module registers the compiler in its last statement. Without that nothing refers to it, and esbuild leaves
# it out. Whoever vendors another version names that statement here; where it is not the last one the build fails.
set -eu
cd "$(dirname "$0")/.."
registers='lP(us);export{'
[ "$(grep -oF "$registers" vendor/vue-3.5.22.js | wc -l)" -eq 1 ] || {
    echo "web: vendor/vue-3.5.22.js does not register its compiler as expected" >&2
    exit 1
}
sed "s/$registers/export{/" vendor/vue-3.5.22.js
