#!/usr/bin/env python3
"""A twin of this machine, made from its own profile, beside the real consumer: does it behave like it?

  bench/own_twin.py [--variants resnet18-fp32,...] [--rounds 7] [--turn-s 6] [--juggler build/bench]

`juggler profile` measures the variants in a home of its own; then two fleets of one device each are up over one
broker, the real consumer with that profile and the twin that stands for it, and take turns: one photograph after
the other (latency), and as many as a batch and a half outstanding (throughput). Targets, checked at the end: p50
of the latency and throughput of the twin within 10 % of the real one's, for each variant, median over the rounds.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

import machine
from broker import PrivateBroker
from end_to_end import read_photos, rate
import end_to_end

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
WITHIN = 0.10
PROFILE = "own-twin"


def profile(options, home):
    """Measures the variants into `home`; the real consumer finds its figures there too."""
    for part in ("models", "onnxruntime", "photos"):
        os.symlink(os.path.join(os.path.abspath(options.home), part), os.path.join(home, part))
    done = subprocess.run(
        [os.path.join(options.juggler, "juggler"), "profile", "--home", home, "--name", PROFILE, "--device", "real",
         "--variants", ",".join(options.variants), "--threads", str(options.threads), "--batches", "1,2,4",
         "--precision", "5" if options.quick else "1", "--meter", "none"],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"juggler profile: {done.stdout}{done.stderr}")
    print(done.stdout, file=sys.stderr)


class Side(end_to_end.Fleet):
    """A controller, one device, and a client; `latencies` of what came back."""

    def __init__(self, broker, options, log, home, name, consumer):
        self.latencies = []
        end_to_end.VHOST, end_to_end.DEVICE = name, name
        options = argparse.Namespace(**vars(options), client_url=broker.url("submitter", name))
        options.home = home
        self.consumer = consumer
        super().__init__(broker, options, log)

    def _command(self, options):
        return [os.path.join(options.juggler, "juggler-consumer"), "--home", options.home, *self.consumer]

    def _collect(self, _channel, _method, _properties, body):
        outcome = json.loads(body)
        if self.open.pop(outcome["id"], None) is None or outcome["outcome"] != "completed":
            sys.exit(f"not an answer that counts: {outcome}")
        self.latencies.append(outcome["latency_us"]["total"])

    def measure(self, photos, variant, outstanding, turn_s):
        self.options.variant, self.options.outstanding = variant, outstanding
        self.turn(photos, 1)
        warm = self.turn(photos, 1)
        self.latencies = []
        turn = self.turn(photos, max(1, round(turn_s / warm["wall_s"])))
        return {"rate": rate(turn), "p50_us": statistics.median(self.latencies), "pictures": turn["pictures"]}


def measure(real, twin, photos, options):
    """Per variant: for each round, both sides alone and busy, in turns."""
    results = {variant: [] for variant in options.variants}
    for number in range(options.rounds):
        for variant in options.variants:
            sides = [("real", real), ("twin", twin)]
            one = {}
            for name, side in (sides if number % 2 == 0 else reversed(sides)):
                one[name] = {"alone": side.measure(photos, variant, 1, options.turn_s),
                             "busy": side.measure(photos, variant, options.outstanding, options.turn_s)}
            results[variant].append(one)
            print(f"round {number + 1}, {variant}: p50 real {one['real']['alone']['p50_us'] / 1e3:.2f} ms, twin "
                  f"{one['twin']['alone']['p50_us'] / 1e3:.2f} ms; busy real {one['real']['busy']['rate']:.1f}/s, twin "
                  f"{one['twin']['busy']['rate']:.1f}/s", file=sys.stderr, flush=True)
    return results


def report(results):
    """Prints the table; whether every target is met."""
    met = True
    for variant, rounds in results.items():
        ratios = {"latency p50": [one["twin"]["alone"]["p50_us"] / one["real"]["alone"]["p50_us"] for one in rounds],
                  "throughput": [one["twin"]["busy"]["rate"] / one["real"]["busy"]["rate"] for one in rounds]}
        for what, values in ratios.items():
            median = statistics.median(values)
            near = abs(median - 1) <= WITHIN
            met = met and near
            print(f"{variant:28} {what:12} twin / real {median:.3f} [{min(values):.3f}-{max(values):.3f}] over "
                  f"{len(values)} rounds{'' if near else '  MISSED'}")
    return met


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--variants", type=lambda text: text.split(","),
                        default=["mobilenet_v3_small-fp32", "resnet18-fp32", "resnet50-fp32"])
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--outstanding", type=int, default=6)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--turn-s", type=float, default=6, help="about how long one turn takes")
    parser.add_argument("--quick", action="store_true", help="one short round of one variant: does it run?")
    parser.add_argument("--juggler", default=os.path.join(ROOT, "build", "bench"))
    parser.add_argument("--home", default=os.path.join(ROOT, "var"))
    parser.add_argument("--photos", default=os.path.join(ROOT, "var", "photos"))
    parser.add_argument("--output", default=os.path.join(ROOT, "bench", "results", "own-twin.json"))
    options = parser.parse_args()
    if options.quick:
        options.rounds, options.turn_s, options.variants = 1, 0.5, options.variants[:1]
    photos = read_photos(options.photos)
    with tempfile.TemporaryDirectory(prefix="juggler-own-twin-") as home, \
            PrivateBroker(["real", "twin"], ["controller", "submitter", "real", "twin"]) as broker, \
            tempfile.TemporaryFile() as log:
        profile(options, home)
        real = Side(broker, options, log, home, "real",
                    ["--id", "real", "--variants", ",".join(options.variants), "--threads", str(options.threads),
                     "--meter", "none"])
        twin = Side(broker, options, log, home, "twin", ["--id", "twin", "--twin", PROFILE])
        for side in (real, twin):
            side.await_device()
        results = measure(real, twin, photos, options)
        notes = machine.describe(ROOT, broker.folder)
        for side in (real, twin):
            side.stop()
    met = report(results)
    os.makedirs(os.path.dirname(options.output), exist_ok=True)
    with open(options.output, "w", encoding="utf-8") as file:
        json.dump({"machine": notes, "options": vars(options), "results": results, "met": met}, file, indent=2)
    if not met and not options.quick:
        sys.exit("  MISSED: a twin of this machine is not within 10 % of it")


if __name__ == "__main__":
    main()
