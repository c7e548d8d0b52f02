#!/usr/bin/env python3
"""The round trip: client -> controller -> consumer (no-op engine) -> controller -> client.

Juggler beside the floor (the same four hops by a minimal program) and Celery, interleaved point by
point on one private, real RabbitMQ. Rules and reading: bench/README.md. Standard library only;
Celery gets a virtual environment.
"""

import argparse
import contextlib
import datetime
import json
import os
import shlex
import signal
import statistics
import subprocess
import sys

import legs
import machine
from broker import PrivateBroker

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
PAYLOADS = (1024, 150_000)
OUTSTANDING = (1, 4, 16)
BATCH = 1000
QUIET = 0.05  # Above this share of the CPU for others, a series is called preliminary.
WINDOW = 2  # A device's slot and one dispatch waiting for it: the price of binding late.


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true",
                        help="one short round: does everything run?")
    parser.add_argument("--node", choices=("stock", "up"), default="stock",
                        help="RabbitMQ's own bounds, or those of the node that juggler up starts")
    parser.add_argument("--legs", default="floor,floor-window,celery,celery-confirm,juggler")
    parser.add_argument("--floor", help="juggler-bench-floor, if already built")
    parser.add_argument("--juggler", default=os.path.join(ROOT, "build", "release"),
                        help="folder of juggler and juggler-consumer (default: build/release)")
    parser.add_argument("--min-s", type=float, default=2.0, help="least seconds per point")
    parser.add_argument("--min-count", type=int, default=500, help="least tasks per point")
    parser.add_argument("--celery-multiplier", type=int, help="default: the best of 1, 4, 16")
    parser.add_argument("--celery-serializer", choices=("pickle", "json"),
                        help="default: the better")
    parser.add_argument("--output", help="JSON file (default: bench/results/roundtrip-<time>.json)")
    options = parser.parse_args()
    if options.quick:
        options.rounds, options.min_s, options.min_count = 1, 0.3, 50
        options.celery_multiplier = options.celery_multiplier or 16
        options.celery_serializer = options.celery_serializer or "pickle"
    return options


def say(text):
    print(text, file=sys.stderr, flush=True)


def build_floor():
    """The floor, from the tree's own benchmark build where there is one, else built alone."""
    folder = os.path.join(ROOT, "build", "bench")
    if not os.path.exists(os.path.join(folder, "CMakeCache.txt")):
        folder = os.path.join(ROOT, "var", "bench-build")
        subprocess.run(["cmake", "-S", HERE, "-B", folder, "-DCMAKE_BUILD_TYPE=Release"],
                       check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["cmake", "--build", folder, "--target", "juggler-bench-floor"], check=True,
                   stdout=subprocess.DEVNULL)
    for path in (os.path.join(folder, "bench"), folder):
        binary = os.path.join(path, "juggler-bench-floor")
        if os.access(binary, os.X_OK):
            return binary
    raise SystemExit("juggler-bench-floor was not built")


def points(options):
    common = {"warmup_s": min(0.5, options.min_s), "warmup_count": 50, "min_s": options.min_s,
              "min_count": options.min_count}
    for payload_bytes in PAYLOADS:
        for outstanding in OUTSTANDING:
            yield {"payload_bytes": payload_bytes, "outstanding": outstanding, **common}
    yield {"payload_bytes": PAYLOADS[0], "outstanding": BATCH, "batch": BATCH}


def label(point):
    size = "1 KB" if point["payload_bytes"] == 1024 else f"{point['payload_bytes'] // 1000} KB"
    return f"{size} x batch of {point['batch']}" if "batch" in point else \
        f"{size} x {point['outstanding']}"


def tune_celery(python, broker, options):
    """Celery's best settings on this machine, so that it is not beaten for a bad choice of ours."""
    serializers = [options.celery_serializer] if options.celery_serializer else ["pickle", "json"]
    multipliers = [options.celery_multiplier] if options.celery_multiplier else [1, 4, 16]
    candidates = [{"serializer": serializer, "multiplier": multiplier}
                  for serializer in serializers for multiplier in multipliers]
    if len(candidates) == 1:
        return candidates[0], []
    say("Choosing Celery's settings (about a minute) ...")
    with contextlib.ExitStack() as stack:
        for number, candidate in enumerate(candidates):
            leg = legs.Celery(python, f"celery-{number}", False, candidate["multiplier"],
                              candidate["serializer"])
            stack.callback(leg.stop)
            leg.start(broker)
            candidate["rates"] = [[], []]
            candidate["leg"] = leg
        for _ in range(3):  # Interleaved, as the series itself.
            for candidate in candidates:
                for size, rates in zip(PAYLOADS, candidate["rates"]):
                    point = {"payload_bytes": size, "outstanding": 16, "warmup_s": 0.2,
                             "min_s": 0.8, "min_count": 100}
                    rates.append(candidate["leg"].measure(point)["tasks_per_s"])
    for candidate in candidates:
        del candidate["leg"]
        candidate["tasks_per_s"] = [statistics.median(rates) for rates in candidate.pop("rates")]
        say(f"  {candidate['serializer']}, multiplier {candidate['multiplier']}: "
            + ", ".join(f"{rate:.0f}/s" for rate in candidate["tasks_per_s"]))
    best = max(candidates, key=lambda one: statistics.geometric_mean(one["tasks_per_s"]))
    return best, candidates


def make_legs(options, floor_binary, broker, notes):
    chosen = options.legs.split(",")
    made = []
    if "floor" in chosen:
        made.append(legs.Floor(floor_binary))
    if "floor-window" in chosen:
        made.append(legs.Floor(floor_binary, "floor-window", WINDOW))
    if "celery" in chosen or "celery-confirm" in chosen:
        python = legs.celery_python(ROOT)
        best, tried = tune_celery(python, broker, options)
        multiplier, serializer = best["multiplier"], best["serializer"]
        notes["celery"] = {"multiplier": multiplier, "serializer": serializer, "tried": tried,
                           "version": machine.first_line(
                               [python, "-c", "import celery; print(celery.__version__)"])}
        for name in ("celery", "celery-confirm"):
            if name in chosen:
                made.append(legs.Celery(python, name, name == "celery-confirm", multiplier,
                                        serializer))
    if "juggler" in chosen:
        juggler = legs.Juggler(floor_binary, options.juggler)
        missing = juggler.missing()
        if missing:
            notes["juggler"] = "not measured: no " + " and no ".join(missing)
            say(f"Juggler is {notes['juggler']} (build it, or point --juggler at the folder)")
        else:
            made.append(juggler)
    return made


def run_series(options, floor_binary, notes):
    """Returns {point label: {leg: [figures of each round]}}."""
    vhosts = ["floor", "floor-window", "celery", "celery-confirm", "juggler",
              *(f"celery-{number}" for number in range(6))]
    results = {}
    say("Starting a private RabbitMQ (3 to 10 s) ...")
    with PrivateBroker(vhosts, ["submitter", "controller", legs.DEVICE],
                       like_up=options.node == "up") as broker, \
            contextlib.ExitStack() as stack:
        notes["machine"] = machine.describe(ROOT, broker.folder)
        notes["rabbitmq"] = broker.version()
        series = make_legs(options, floor_binary, broker, notes)
        for leg in series:
            stack.callback(leg.stop)
            leg.start(broker)
        for leg in series:
            stack.callback(leg.terminate)  # Runs before any stop(): all end at the same time.
        for round_number in range(options.rounds):
            others = machine.OtherLoad(lambda: our_cpu_seconds(broker, series))
            notes.setdefault("fdatasync_us_per_round", []).append(
                machine.fdatasync_us(broker.folder))
            say(f"Round {round_number + 1} of {options.rounds}")
            for index, point in enumerate(points(options)):
                # Each round and point begins with another leg: none always follows the same one.
                turn = (round_number + index) % len(series)
                rates = []
                for leg in series[turn:] + series[:turn]:
                    before = legs.cpu_seconds(broker.process.pid)
                    figures = leg.measure(point)
                    spent = legs.cpu_seconds(broker.process.pid) - before
                    figures["broker_cpu_us_per_task"] = round(1e6 * spent / figures["tasks"])
                    by_leg = results.setdefault(label(point), {one.name: [] for one in series})
                    by_leg[leg.name].append(figures)
                    rates.append(f"{leg.name} {figures['tasks_per_s']:.0f}/s")
                say(f"  {label(point)}: {', '.join(sorted(rates))}")
            notes.setdefault("other_cpu_share_per_round", []).append(others.share())
    notes["load_after"] = os.getloadavg()[0]
    return results


def our_cpu_seconds(broker, series):
    """Broker, systems under test, finished load clients and this program."""
    times = os.times()
    pids = [broker.process.pid] + [process.pid for leg in series for process in leg.processes]
    return sum(times[:4]) + sum(legs.cpu_seconds(pid) for pid in pids)


def spread(values, digits=0):
    """Median [min-max]; a single value alone."""
    middle, least, most = (f"{value:.{digits}f}" for value in
                           (statistics.median(values), min(values), max(values)))
    return middle if len(values) == 1 else f"{middle} [{least}-{most}]"


def paired(rounds, others, name):
    return [one[name] / other[name] for one, other in zip(rounds, others)]


def summary_rows(results):
    for point, by_leg in results.items():
        for leg, rounds in by_leg.items():
            row = [point, leg] + [spread([one[name] for one in rounds])
                                  for name in ("tasks_per_s", "p50_us", "p99_us")]
            for base in ("floor", "celery-confirm"):
                if base in by_leg:
                    row.append(spread(paired(rounds, by_leg[base], "tasks_per_s"), 2))
            row += [str(round(statistics.median([one[name] for one in rounds])))
                    for name in ("fleet_cpu_us_per_task", "broker_cpu_us_per_task")]
            yield row


def print_table(results):
    some = next(iter(results.values()))
    titles = ["payload x outstanding", "system", "tasks/s", "p50 us", "p99 us"]
    titles += [f"/ {base}" for base in ("floor", "celery-confirm") if base in some]
    titles += ["fleet CPU us", "broker CPU us"]
    rows = [titles, *summary_rows(results)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(titles))]
    print("Round trip, real broker and processes, no-op engine: median [min-max] of the rounds")
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())


def check_targets(results):
    """The targets for Juggler; empty while it is not measured."""
    verdicts = []
    for point, by_leg in results.items():
        if "juggler" not in by_leg:
            continue
        ours = by_leg["juggler"]
        if "floor" in by_leg:
            floor = by_leg["floor"]
            share = statistics.median(paired(ours, floor, "tasks_per_s"))
            verdicts.append((point, "tasks/s / floor >= 0.75", round(share, 3), share >= 0.75))
            if point.endswith(" x 1"):
                excess = statistics.median(
                    [mine["p50_us"] - 1.25 * least["p50_us"] for mine, least in zip(ours, floor)])
                verdicts.append((point, "p50 - 1.25 x floor's <= 200 us", round(excess),
                                 excess <= 200))
        if "celery-confirm" in by_leg and point.endswith(" x 16"):
            gain = statistics.median(paired(ours, by_leg["celery-confirm"], "tasks_per_s"))
            verdicts.append((point, "tasks/s / celery-confirm > 1", round(gain, 2), gain > 1))
    return verdicts


def print_notes(notes, verdicts):
    here = notes["machine"]
    print(f"\n{here['cpu']}, {here['cores']} cores, {here['memory_gib']} GiB, "
          f"kernel {here['kernel']}; {here['file_system']}, fdatasync of 4 KiB p50 "
          f"{spread(notes['fdatasync_us_per_round'])} us; "
          f"load {here['load_before']:.1f} before, {notes['load_after']:.1f} after")
    print(f"commit {here['commit']}; {notes['build']['compiler']}; {notes['build']['flags']}; "
          f"RabbitMQ {notes['rabbitmq']}; Python {here['python']}")
    if "celery" in notes:
        chosen = notes["celery"]
        print(f"Celery {chosen['version']}: prefork -c 1, acks late, rpc results, "
              f"prefetch multiplier {chosen['multiplier']}, {chosen['serializer']}")
    print(f"command: {notes['command']}")
    others = max(notes["other_cpu_share_per_round"])
    if others > QUIET:
        print(f"PRELIMINARY: other programs used up to {100 * others:.0f} % of the CPU in a round")
    for point, target, value, met in verdicts:
        print(f"{'met   ' if met else 'MISSED'}  {point}: {target}: {value}")


def main():
    options = parse_arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    now = datetime.datetime.now(datetime.timezone.utc)
    floor_binary = os.path.abspath(options.floor or build_floor())
    notes = {"command": shlex.join(["bench/roundtrip.py", *sys.argv[1:]]),
             "date": now.isoformat(timespec="seconds"), "quick": options.quick,
             "rounds": options.rounds, "build": machine.cmake_cache(floor_binary)}
    try:
        results = run_series(options, floor_binary, notes)
    except legs.LegFailed as failure:
        say(f"No figures: {failure}")
        return 1
    except KeyboardInterrupt:
        say("Interrupted; the broker and all processes are stopped.")
        return 130
    verdicts = check_targets(results)
    output = options.output or os.path.join(HERE, "results", f"roundtrip-{now:%Y%m%d-%H%M%S}.json")
    os.makedirs(os.path.dirname(os.path.abspath(output)), exist_ok=True)
    with open(output, "w", encoding="utf-8") as out:
        json.dump({**notes, "targets": verdicts, "results": results}, out, indent=1)
    print_table(results)
    print_notes(notes, verdicts)
    print(f"written to {os.path.relpath(output)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
