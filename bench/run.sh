#!/bin/sh
# Runs the benchmarks one after another; `make bench` calls this. Each prints its table, writes its
# JSON to bench/results/, and fails if a run lost or mixed up anything: then it has no figure.
#
#   bench/run.sh           the full series (about 12 minutes)
#   bench/run.sh --quick   does everything run? (about a minute; no figures to keep)
set -eu
cd "$(dirname "$0")/.."
# Set-up installs the packages of the system's own Python.
python=${PYTHON:-/usr/bin/python3}
mkdir -p build
if ! { cmake --preset bench && cmake --build build/bench; } >build/bench.log 2>&1; then
  echo "the benchmarks do not build: see build/bench.log" >&2
  exit 1
fi

status=0
run() {
  echo "== $1"
  shift
  "$@" || status=1
}

run "Round trip: floor, Celery, Juggler" "$python" bench/roundtrip.py \
  --juggler build/bench --floor build/bench/bench/juggler-bench-floor "$@"

# Each benchmark is a script or target of its own with one line here.
run "Idle cost" "$python" bench/idle.py --juggler build/bench "$@"
run "Decode, preprocess, and the engine against a bare ONNX Runtime loop" \
  build/bench/bench/juggler-bench-inference --home var --photos var/photos
run "One task's path, without a broker" build/bench/bench/juggler-bench-task-path \
  --json bench/results/task-path.json
run "End to end over the broker, ResNet50, against a bare ONNX Runtime loop" \
  "$python" bench/end_to_end.py --juggler build/bench "$@"
run "A twin of this machine beside it" "$python" bench/own_twin.py --juggler build/bench "$@"
run "Telemetry: the sampler's cost, and inference beside it" build/bench/bench/juggler-bench-telemetry \
  --home var --json bench/results/telemetry.json
run "plan() for one task" build/bench/bench/juggler-bench-plan --json bench/results/plan.json

exit "$status"
