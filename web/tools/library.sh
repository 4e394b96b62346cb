#!/bin/sh
# Builds the library that package.json exports, ES modules into lib and declarations into types/, and uses both as an
# application would: tools/consumer.ts has to pass the type-checker and to run.
set -eu
cd "$(dirname "$0")/.."
export DENO_NO_UPDATE_CHECK=1
rm -rf types lib
# What the modules share stands in one place, so an application that uses two of them has it once.
esbuild src/core/mod.ts src/browser/mod.ts src/vue/mod.ts src/markdown/mod.ts src/ai-sdk/mod.ts --bundle --splitting --format=esm \
    --target=es2022 --external:vue --log-level=warning --outbase=src --outdir=lib --chunk-names=shared/[hash]
.venv/bin/deno transpile --quiet --declaration --outdir types \
    src/core/*.ts src/browser/*.ts src/vue/*.ts src/markdown/*.ts src/ai-sdk/*.ts
[ ! -d types/src ] || { mv types/src/* types/ && rmdir types/src; }
find types -name '*.js' -delete
# The compiler writes a line that names this machine, and keeps the sources' file names in imports.
find types -name '*.d.ts' -exec sed -i -e '/^\/\/\/ <amd-module /d' -e 's/\(from "[^"]*\)\.ts"/\1.js"/' -e 's/\(import("[^"]*\)\.ts")/\1.js")/' {} +

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp tools/consumer.ts "$work/"
# The examples of the README, as they stand there.
sed -n '/^<script setup/,/^<\/script>/p' README.md | sed '1d;$d' >"$work/readme-vue.ts"
sed -n '/^### With the Vercel AI SDK/,/^## /{/^```ts/,/^```$/p}' README.md | sed '1d;$d' >"$work/readme-ai-sdk.ts"
grep -q useChatStream "$work/readme-vue.ts" && grep -q MillraceChatTransport "$work/readme-ai-sdk.ts"
map() { # directory, file name extension
    for entry in core browser vue markdown ai-sdk; do
        name="@millrace/client/$entry"
        [ "$entry" != core ] || name="@millrace/client"
        printf '"%s": "%s/%s/%s/mod.%s", ' "$name" "$PWD" "$1" "$entry" "$2"
    done
    printf '"vue": "%s/vendor/vue.js"' "$PWD"
}
options='"compilerOptions": { "strict": true, "exactOptionalPropertyTypes": true, "lib": ["dom", "dom.iterable", "esnext"] }'
echo "{ \"imports\": { $(map types d.ts), \"@ai-sdk/vue\": \"$PWD/tools/ai-sdk-vue.d.ts\" }, \"unstable\": [\"sloppy-imports\"], $options }" >"$work/check.json"
echo "{ \"imports\": { $(map lib js) }, $options }" >"$work/run.json"
.venv/bin/deno check --quiet --config "$work/check.json" "$work/consumer.ts" "$work/readme-vue.ts" "$work/readme-ai-sdk.ts"
.venv/bin/deno run --quiet --no-check --config "$work/run.json" "$work/consumer.ts"
for entry in core browser vue markdown ai-sdk; do
    grep -q "./types/$entry/mod.d.ts" package.json && grep -q "./lib/$entry/mod.js" package.json
done
# Who has no Vue uses everything else: nothing that these lead to may ask for it.
echo "{ \"imports\": { $(map lib js | sed 's|, "vue": .*||') } }" >"$work/plain.json"
for entry in core browser markdown ai-sdk; do
    echo "import \"$PWD/lib/$entry/mod.js\";"
done >"$work/plain.ts"
.venv/bin/deno run --quiet --no-check --config "$work/plain.json" "$work/plain.ts"
if grep -rl -e "$PWD" lib types; then
    echo "web: the library names this machine" >&2
    exit 1
fi
echo "web: the library is in lib/ and types/"
