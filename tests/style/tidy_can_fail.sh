#!/usr/bin/env bash
# clang-tidy must fail on planted violations: a configuration that it cannot read checks nothing and
# says so to nobody. usage: tidy_can_fail.sh CLANG_TIDY ROOT
set -euo pipefail
tidy=$1
root=$2
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mkdir -p "$folder/src"
cp "$root/.clang-tidy" "$folder/"

# expect NAME CODE: clang-tidy refuses this code for this check.
expect() {
  printf '%s\n' "$2" > "$folder/src/planted.cc"
  if report=$("$tidy" --quiet "$folder/src/planted.cc" -- -std=c++20 2>&1); then
    printf 'clang-tidy passed a planted %s\n' "$1"
    exit 1
  fi
  if [[ $report != *"$1"* ]]; then
    printf 'clang-tidy failed, but not for %s:\n%s\n' "$1" "$report"
    exit 1
  fi
  printf 'finds %s\n' "$1"
}

expect readability-identifier-naming 'int BadName(int x) { return x; }'
expect readability-braces-around-statements 'int f(int x) { if (x > 0) return 1; return 0; }'
expect bugprone-use-after-move '#include <string>
#include <utility>
std::string f(std::string s) { std::string t = std::move(s); return s + t; }'
expect google-explicit-constructor 'struct S { S(int); };'
printf 'int good_name(int x) { return x; }\n' > "$folder/src/planted.cc"
"$tidy" --quiet "$folder/src/planted.cc" -- -std=c++20
echo 'passes clean code'
