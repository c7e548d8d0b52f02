#!/usr/bin/env python3
"""Pictures per second end to end, over RabbitMQ, against a bare ONNX Runtime loop.

  bench/end_to_end.py [--variant resnet50-fp32] [--threads N] [--rounds 7] [--turn-s 8]

Client -> controller -> juggler-consumer (ONNX Runtime) -> controller -> client, all as processes on
this machine, beside one process that decodes, preprocesses and runs the same network on the same
photographs with as many threads and nothing around it. Both take turns; ratios are taken within a
round. Every answer is compared with the bare loop's: a wrong or missing one ends it without a figure.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import uuid

import machine
from broker import PrivateBroker, die_with_parent

try:
    import pika
except ImportError:
    sys.exit("end_to_end.py needs pika (Debian: apt install python3-pika)")

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
DEVICE = "bench"
VHOST = "e2e"
RATIO_MIN = 0.95
DEADLINE_MS = 300_000


def cpu_s(pid):
    """On-CPU seconds of all threads of a process, from the scheduler's own clock."""
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/schedstat", encoding="ascii") as file:
            total += int(file.read().split()[0])
    return total / 1e9


def read_photos(folder):
    kinds = {b"\xff\xd8\xff": "image/jpeg", b"\x89PN": "image/png"}
    photos = {}
    for name in sorted(os.listdir(folder)):
        path = os.path.join(folder, name)
        if os.path.isfile(path):
            with open(path, "rb") as file:
                body = file.read()
            if body[:3] in kinds:
                photos[name] = (kinds[body[:3]], body)
    if not photos:
        sys.exit(f"no pictures in {folder}")
    return photos


class Bare:
    """The bare loop, waiting for its turn."""

    def __init__(self, binary, options):
        self.process = subprocess.Popen(
            [binary, "--home", options.home, "--photos", options.photos, "--variant", options.variant,
             "--threads", str(options.threads)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, preexec_fn=die_with_parent)

    def turn(self, passes):
        self.process.stdin.write(f"{passes}\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            sys.exit("the bare loop has ended")
        return json.loads(line)

    def stop(self):
        self.process.stdin.close()
        self.process.wait(20)


class Fleet:
    """Controller, consumer, and a client that keeps some pictures outstanding."""

    def __init__(self, broker, options, log):
        def spawn(user, command):
            environment = {**os.environ, "JUGGLER_BROKER": broker.url(user, VHOST)}
            return subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=log,
                                    stderr=log, preexec_fn=die_with_parent)

        self.options = options
        self.processes = [
            spawn("controller", [os.path.join(options.juggler, "juggler"), "controller"]),
            spawn(DEVICE, self._command(options))]
        self.connection = pika.BlockingConnection(pika.URLParameters(broker.url("submitter", VHOST)))
        self.channel = self.connection.channel()
        self.replies = self.channel.queue_declare("", exclusive=True).method.queue
        self.channel.basic_consume(self.replies, self._collect, auto_ack=True)
        self.open = {}
        self.best = {}

    def _command(self, options):
        return [os.path.join(options.juggler, "juggler-consumer"), "--id", DEVICE, "--home", options.home,
                "--variants", options.variant, "--threads", str(options.threads)]

    def _collect(self, _channel, _method, _properties, body):
        outcome = json.loads(body)
        name = self.open.pop(outcome["id"], None)
        if name is None or outcome["outcome"] != "completed" or outcome["variant"] != self.options.variant:
            sys.exit(f"not an answer that counts: {outcome}")
        label = outcome["labels"][0]["index"]
        if self.best.setdefault(name, label) != label:
            sys.exit(f"{name} is {label} and was {self.best[name]}")

    def _submit(self, name, kind, body):
        task = str(uuid.uuid4())
        self.open[task] = name
        self.channel.basic_publish(
            "juggler.submit", "juggler.tasks", body, mandatory=True,
            properties=pika.BasicProperties(
                content_type=kind, message_id=task, delivery_mode=2, reply_to=self.replies,
                headers={"model": self.options.variant, "deadline_ms": DEADLINE_MS, "top_k": 1}))

    def await_device(self, limit_s=180):
        end = time.monotonic() + limit_s
        environment = {**os.environ, "JUGGLER_BROKER": self.url()}
        while time.monotonic() < end:
            done = subprocess.run([os.path.join(self.options.juggler, "juggler"), "devices", "--json"],
                                  env=environment, capture_output=True, text=True, timeout=30,
                                  check=False)
            if done.returncode == 0 and any(one["state"] == "live"
                                            for one in json.loads(done.stdout)["devices"]):
                return
            self.connection.process_data_events(0.5)
        sys.exit("the device did not join")

    def url(self):
        return self.options.client_url

    def turn(self, photos, passes):
        before = [cpu_s(process.pid) for process in self.processes]
        begun = time.perf_counter()
        waiting = [(name, *photos[name]) for _ in range(passes) for name in photos]
        count = len(waiting)
        waiting.reverse()
        while waiting or self.open:
            while waiting and len(self.open) < self.options.outstanding:
                self._submit(*waiting.pop())
            self.connection.process_data_events(1)
            for process in self.processes:
                if process.poll() is not None:
                    sys.exit(f"a process has ended with {process.returncode}")
        wall_s = time.perf_counter() - begun
        after = [cpu_s(process.pid) for process in self.processes]
        return {"wall_s": wall_s, "pictures": count,
                "controller_cpu_s": after[0] - before[0], "cpu_s": after[1] - before[1]}

    def stop(self):
        self.connection.close()
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            process.wait(30)


def rate(turn):
    return turn["pictures"] / turn["wall_s"]


def cpu_ms(turn, field="cpu_s"):
    return 1e3 * turn[field] / turn["pictures"]


def measure(bare, fleet, photos, options):
    warm = bare.turn(1)
    fleet.turn(photos, 1)
    if fleet.best != warm["best"]:
        sys.exit(f"other labels than the bare loop's: {fleet.best} and {warm['best']}")
    passes = max(1, round(options.turn_s / (warm["wall_s"] or 1)))
    rounds = []
    for number in range(options.rounds):
        sides = [lambda: ("bare", bare.turn(passes)), lambda: ("fleet", fleet.turn(photos, passes))]
        one = dict(side() for side in (sides if number % 2 == 0 else reversed(sides)))
        one["ratio"] = rate(one["fleet"]) / rate(one["bare"])
        rounds.append(one)
        print(f"round {number + 1}: bare {rate(one['bare']):.2f}/s, end to end "
              f"{rate(one['fleet']):.2f}/s, ratio {one['ratio']:.3f}", file=sys.stderr, flush=True)
    return rounds


def report(rounds, options):
    ratios = sorted(one["ratio"] for one in rounds)
    median = statistics.median(ratios)
    print(f"{options.variant}, {options.threads} threads, {options.outstanding} outstanding: bare "
          f"{statistics.median(rate(one['bare']) for one in rounds):.2f} pictures/s, end to end "
          f"{statistics.median(rate(one['fleet']) for one in rounds):.2f}/s, ratio {median:.3f} "
          f"[{ratios[0]:.3f}-{ratios[-1]:.3f}] over {len(rounds)} rounds")
    print(f"processor time per picture, ms: bare loop "
          f"{statistics.median(cpu_ms(one['bare']) for one in rounds):.2f}, consumer "
          f"{statistics.median(cpu_ms(one['fleet']) for one in rounds):.2f}, controller "
          f"{statistics.median(cpu_ms(one['fleet'], 'controller_cpu_s') for one in rounds):.2f}")
    if median < RATIO_MIN:
        print(f"  MISSED: ratio {median:.3f} < {RATIO_MIN}")
    return median


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--variant", default="resnet50-fp32")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--outstanding", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--turn-s", type=float, default=8, help="about how long one turn takes")
    parser.add_argument("--quick", action="store_true", help="two short rounds: does it run?")
    parser.add_argument("--juggler", default=os.path.join(ROOT, "build", "bench"))
    parser.add_argument("--home", default=os.path.join(ROOT, "var"))
    parser.add_argument("--photos", default=os.path.join(ROOT, "var", "photos"))
    parser.add_argument("--output", default=os.path.join(ROOT, "bench", "results", "end-to-end.json"))
    options = parser.parse_args()
    if options.quick:
        options.rounds, options.turn_s = 2, 0
    photos = read_photos(options.photos)
    bare_binary = os.path.join(options.juggler, "bench", "juggler-bench-bare")
    with PrivateBroker([VHOST], ["controller", "submitter", DEVICE]) as broker, \
            tempfile.TemporaryFile() as log:
        options.client_url = broker.url("submitter", VHOST)
        fleet = Fleet(broker, options, log)
        fleet.await_device()
        bare = Bare(bare_binary, options)
        rounds = measure(bare, fleet, photos, options)
        notes = machine.describe(ROOT, broker.folder)
        bare.stop()
        fleet.stop()
    del options.client_url
    median = report(rounds, options)
    os.makedirs(os.path.dirname(options.output), exist_ok=True)
    with open(options.output, "w", encoding="utf-8") as file:
        json.dump({"machine": {**notes, **machine.cmake_cache(bare_binary)},
                   "options": vars(options), "ratio_median": median, "rounds": rounds}, file, indent=2)


if __name__ == "__main__":
    main()
