#!/bin/sh
# Builds a fuzzer with the sources of GatewayCore and runs it.
#   Fuzz/run.sh SSEFuzz|JSONFuzz|ReducerFuzz|ClientFrameFuzz [seconds] [folder with seeds]
# Findings are kept in .build/fuzz/NAME-*; the exit status is that of the fuzzer.
set -eu
cd "$(dirname "$0")/.."
name=$1
seconds=${2:-60}
out=.build/fuzz
mkdir -p "$out/$name-corpus"
swiftc -O -parse-as-library -sanitize=fuzzer,address -swift-version 6 -package-name millrace \
    -enable-upcoming-feature ExistentialAny -module-name "$name" \
    $(find Sources/GatewayCore -name '*.swift') "Fuzz/$name.swift" -o "$out/$name"
# The crash printer of Swift can hang under a sanitizer.
SWIFT_BACKTRACE=enable=no exec "$out/$name" -max_total_time="$seconds" -max_len=4096 \
    -rss_limit_mb=2048 -print_final_stats=0 -dict=Fuzz/responses.dict \
    -artifact_prefix="$out/$name-" "$out/$name-corpus" Fuzz/seeds ${3:+"$3"}
