#!/bin/sh
# Runs the benchmarks one after another; `make bench` calls this. Each prints its table, writes its
# JSON to bench/results/, and fails if a run lost or mixed up anything: then it has no figure.
#
#   bench/run.sh           the full series (about 12 minutes)
#   bench/run.sh --quick   does everything run? (about a minute; no figures to keep)
set -eu
cd "$(dirname "$0")/.."

status=0
run() {
  echo "== $1"
  shift
  "$@" || status=1
}

run "Round trip: floor, Celery, Juggler" python3 bench/roundtrip.py "$@"

# Each further benchmark is a script or target of its own with one line here:
# run "Consumer against a bare ONNX Runtime loop" python3 bench/consumer.py "$@"
# run "Decode and preprocess"                     build/release/bench/juggler-bench-decode
# run "Idle cost"                                 python3 bench/idle.py "$@"
run "plan() for one task" build/bench/bench/juggler-bench-plan --json bench/results/plan.json

exit "$status"
