#!/bin/sh
# Runs every fuzz target of a build for some seconds each, two at a time, from its corpus; new inputs
# go to the build folder. A crash stops it, and the file that caused it is named.
#   tests/fuzz/run.sh build/fuzz 60
set -eu
build=$1
seconds=$2
corpus=$(dirname "$0")/corpus
found=$(find "$build" -name '*_fuzz' -type f -perm -u+x | sort)
[ -n "$found" ] || { echo "no fuzz targets in $build: make fuzz builds them" >&2; exit 1; }
export build seconds corpus
# shellcheck disable=SC2016  # expanded by the inner shell
printf '%s\n' "$found" | xargs -P 2 -I{} sh -c '
  name=$(basename {} _fuzz)
  mkdir -p "$build/found/$name"
  log="$build/found/$name.log"
  if {} -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
      -artifact_prefix="$build/found/$name-" "$build/found/$name" "$corpus/$name" >"$log" 2>&1; then
    printf "%-16s %s\n" "$name" "$(grep number_of_executed_units "$log")"
  else
    echo "$name FAILED: see $log" >&2
    tail -n 30 "$log" >&2
    exit 255
  fi'
# Over all targets, so that "at least ten million" is a number that was read.
cat "$build"/found/*.log | awk '/number_of_executed_units/ { sum += $2; n += 1 }
  END { printf "%d targets, %.1f million runs in all\n", n, sum / 1e6 }'
