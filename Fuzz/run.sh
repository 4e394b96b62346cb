#!/bin/sh
# Builds one fuzzer and runs it.
#   Fuzz/run.sh SSEFuzz|JSONFuzz|ReducerFuzz|DialectFuzz|ClientFrameFuzz|IncomingFuzz|TokenFuzz|ConfigurationFuzz [seconds] [folder with more seeds]
# A fuzzer is compiled into the module that it tries, so it sees what the module's tests see. Findings
# are kept in .build/fuzz/NAME-*; the exit status is that of the fuzzer.
set -eu
cd "$(dirname "$0")/.."
name=${1:?which fuzzer?}
seconds=${2:-60}
seeds=Fuzz/seeds
dictionary=-dict=Fuzz/responses.dict
needs= include= sources=
case $name in
SSEFuzz | JSONFuzz | ReducerFuzz | DialectFuzz) module=GatewayCore ;;
ClientFrameFuzz) module=GatewayCore seeds=Fuzz/seeds-client ;;
IncomingFuzz)
    # Without the library's part: what is tried performs no I/O.
    module=WebSocketServer needs=GatewayCore seeds=Fuzz/seeds-incoming dictionary=
    sources="Sources/WebSocketServer/Requests Sources/WebSocketServer/HTTPResponse.swift
        Sources/WebSocketServer/OpeningHandshake.swift Sources/WebSocketServer/IncomingFrames.swift"
    ;;
TokenFuzz)
    module=TokenSigning needs=GatewayCore include=Sources/COpenSSL
    seeds=Fuzz/seeds-token dictionary=
    ;;
ConfigurationFuzz)
    module=Configuration needs="GatewayCore CommandLineOptions" include=Sources/CLibyaml
    seeds=Fuzz/seeds-configuration dictionary=
    ;;
*) echo "unknown fuzzer $name" >&2 && exit 2 ;;
esac

out=.build/fuzz
mkdir -p "$out/$name-corpus" "$out/$name-modules"
flags="-O -parse-as-library -sanitize=fuzzer,address -swift-version 6 -package-name millrace
    -enable-upcoming-feature ExistentialAny -enable-upcoming-feature InternalImportsByDefault
    -I $out/$name-modules"
libraries=
for need in $needs; do
    swiftc $flags -module-name "$need" -emit-module -emit-library -static \
        -emit-module-path "$out/$name-modules/$need.swiftmodule" \
        $(find "Sources/$need" -name '*.swift') -o "$out/$name-modules/lib$need.a"
    libraries="$libraries $out/$name-modules/lib$need.a"
done
swiftc $flags -module-name "$module" ${include:+-I "$include"} \
    $(find ${sources:-"Sources/$module"} -name '*.swift') "Fuzz/$name.swift" $libraries -o "$out/$name"
# The crash printer of Swift can hang under a sanitizer.
SWIFT_BACKTRACE=enable=no exec "$out/$name" -max_total_time="$seconds" -max_len=4096 \
    -rss_limit_mb=2048 -print_final_stats=0 $dictionary -artifact_prefix="$out/$name-" \
    "$out/$name-corpus" "$seeds" ${3:+"$3"}
