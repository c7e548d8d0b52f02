#!/usr/bin/env bash
# clang-tidy, two files at a time: tests/style/tidy.sh BUILD PATH…
#
# BUILD holds compile_commands.json; each PATH is a source file or a folder of them. Ends with 1 if
# anything was found.
set -euo pipefail
cd "$(dirname "$0")/../.."
(($# > 1)) || { echo "usage: tests/style/tidy.sh BUILD PATH…" >&2; exit 2; }
build=$1
shift
[[ -e $build/compile_commands.json ]] || { echo "no $build/compile_commands.json" >&2; exit 2; }
tidy=$(command -v clang-tidy-14 || command -v clang-tidy || true)
[[ -n $tidy ]] || { echo "clang-tidy is not installed" >&2; exit 2; }

# Warnings that only g++ knows, in the recorded commands, are no findings.
find "$@" -name '*.cc' -print0 | sort -z |
  xargs -0 -r -P 2 -n 1 "$tidy" -p "$build" --quiet \
    --extra-arg=-Wno-unknown-warning-option --extra-arg=-Wno-unused-command-line-argument
