#!/bin/sh
# Builds the fuzzer of a module that stands on others, and runs it.
#   Fuzz/run-module.sh TokenFuzz|ConfigurationFuzz [seconds]
# The fuzzer is compiled into its module, so it sees what the module's tests see. Findings are
# kept in .build/fuzz/NAME-*; the exit status is that of the fuzzer.
set -eu
cd "$(dirname "$0")/.."
name=$1
seconds=${2:-60}
case $name in
TokenFuzz) module=TokenSigning needs=GatewayCore c=COpenSSL seeds=Fuzz/seeds-token ;;
ConfigurationFuzz)
    module=Configuration needs="GatewayCore CommandLineOptions" c=CLibyaml
    seeds=Fuzz/seeds-configuration
    ;;
*) echo "unknown fuzzer $name" >&2 && exit 2 ;;
esac
out=.build/fuzz
mkdir -p "$out/$name-corpus" "$out/$name-modules"
flags="-O -parse-as-library -sanitize=fuzzer,address -swift-version 6 -package-name millrace"
flags="$flags -enable-upcoming-feature ExistentialAny -enable-upcoming-feature InternalImportsByDefault -I $out/$name-modules"
libraries=
for need in $needs; do
    swiftc $flags -module-name "$need" -emit-module -emit-library -static \
        -emit-module-path "$out/$name-modules/$need.swiftmodule" \
        $(find "Sources/$need" -name '*.swift') -o "$out/$name-modules/lib$need.a"
    libraries="$libraries $out/$name-modules/lib$need.a"
done
swiftc $flags -module-name "$module" -I "Sources/$c" $(find "Sources/$module" -name '*.swift') \
    "Fuzz/$name.swift" $libraries -o "$out/$name"
# The crash printer of Swift can hang under a sanitizer.
SWIFT_BACKTRACE=enable=no exec "$out/$name" -max_total_time="$seconds" -max_len=4096 \
    -rss_limit_mb=2048 -print_final_stats=0 -artifact_prefix="$out/$name-" \
    "$out/$name-corpus" "$seeds"
