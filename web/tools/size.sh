#!/bin/sh
# Prints the size of each shipped file and fails when the page's own JavaScript exceeds its budget.
set -eu
cd "$(dirname "$0")/../dist"
budget_bytes=112000 # of JavaScript, gzip -9, without KaTeX
for file in *; do
    [ -f "$file" ] || continue
    printf '%10d bytes %8d gzip  %s\n' "$(wc -c <"$file")" "$(gzip -9nc "$file" | wc -c)" "dist/$file"
done
app_bytes=$(gzip -9nc app.js | wc -c)
if [ "$app_bytes" -gt "$budget_bytes" ]; then
    echo "web: app.js is $app_bytes bytes compressed, above the budget of $budget_bytes" >&2
    exit 1
fi
