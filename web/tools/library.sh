#!/bin/sh
# Builds the library that package.json exports: ES modules into lib, declarations into types/.
set -eu
cd "$(dirname "$0")/.."
rm -rf types lib
for name in core vue markdown ai-sdk; do
    esbuild "src/$name/mod.ts" --bundle --format=esm --target=es2022 --external:vue --log-level=warning \
        --outfile="lib/$name.js"
done
DENO_NO_UPDATE_CHECK=1 .venv/bin/deno transpile --quiet --declaration --outdir types \
    src/core/*.ts src/browser/*.ts src/vue/*.ts src/markdown/*.ts src/ai-sdk/*.ts
[ ! -d types/src ] || { mv types/src/* types/ && rmdir types/src; }
find types -name '*.js' -delete
# The compiler writes a line that names this machine, and keeps the sources' file names in imports.
find types -name '*.d.ts' -exec sed -i -e '/^\/\/\/ <amd-module /d' -e 's/\(from "[^"]*\)\.ts"/\1.js"/' -e 's/\(import("[^"]*\)\.ts")/\1.js")/' {} +
ls lib types
