#!/usr/bin/env python3
"""How soon a controller knows that a device is gone, in a fleet of real processes: twins of one board, most of them in
one process, and some each in a process of its own, which are killed and frozen one after the other at random moments.

A device counts as gone once the controller answers a question about the fleet with "lost". What the asking takes (a
question each 20 ms or so) is in the figure. Client, broker, controller and twins share this machine's processors."""

import argparse
import json
import os
import random
import resource
import signal
import subprocess
import sys
import time

from fleet_size import Bench

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests", "chaos"))

from load import Watcher  # noqa: E402  pylint: disable=wrong-import-position

LIMIT_S = 60


class Victim:
    """One twin, in a process of its own."""

    def __init__(self, bench, name):
        self.bench = bench
        self.name = name
        self.process = None
        self.start()

    def start(self):
        self.process = subprocess.Popen(
            [os.path.join(self.bench.options.build, "juggler-consumer"), "--id", self.name, "--twin",
             self.bench.options.board, "--broker-file", os.path.join(self.bench.folder.name, "controller.url"),
             "--home", self.bench.home, "--log-level", "warn"],
            env=self.bench.environment, stdin=subprocess.DEVNULL, stdout=self.bench.log, stderr=self.bench.log)

    def end(self):
        self.process.send_signal(signal.SIGCONT)
        self.process.kill()
        self.process.wait()


def await_state(watcher, device, state, since):
    """Seconds after `since` at which the controller was first known to think so."""
    while time.monotonic() < since + LIMIT_S:
        if watcher.states.get(device) == state:
            return max(when for when, who, what in watcher.changes if who == device and what == state) - since
        time.sleep(0.002)
    sys.exit(f"{device} is '{watcher.states.get(device)}' {LIMIT_S} s later, not '{state}': no figure; {watcher.problem} {watcher.losses[-1:]}")


def hurt(watcher, victim, number):
    """How long until it was lost; then it is back."""
    begun = time.monotonic()
    victim.process.send_signal(number)
    took = await_state(watcher, victim.name, "lost", begun)
    if number == signal.SIGSTOP:
        victim.process.send_signal(signal.SIGCONT)
    else:
        victim.process.wait()
        victim.start()
    await_state(watcher, victim.name, "live", time.monotonic())
    return took


def spread(seconds):
    seconds = sorted(seconds)
    return f"{seconds[len(seconds) // 2]:.2f} s ({seconds[0]:.2f} - {seconds[-1]:.2f})"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build/release", help="folder of juggler and juggler-consumer")
    parser.add_argument("--models", default="var/models")
    parser.add_argument("--board", default="jetson-orin-nano")
    parser.add_argument("--devices", type=int, default=200)
    parser.add_argument("--times", type=int, default=20, help="so many devices are killed and then frozen, each once")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", help="file for the figures")
    options = parser.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    draw = random.Random(options.seed)
    bench = Bench(options)
    victims, watcher = [], None
    figures = {"killed": [], "frozen": []}
    try:
        bench.start_twins(options.devices - 1 - options.times)
        victims = [Victim(bench, f"victim-{v}") for v in range(options.times)]
        bench.await_live(options.devices)
        watcher = Watcher(bench.url("submitter"))
        watcher.start()
        for victim in victims:
            await_state(watcher, victim.name, "live", time.monotonic())
        for turn in range(2 * options.times):
            time.sleep(draw.uniform(2.0, 3.0))  # anywhere between two heartbeats
            what, number = [("killed", signal.SIGKILL), ("frozen", signal.SIGSTOP)][turn % 2]
            figures[what].append(hurt(watcher, victims[turn // 2], number))
            print(f"{turn + 1} of {2 * options.times}: {what}, lost after {figures[what][-1]:.2f} s", file=sys.stderr)
        false_alarms = watcher.status.get("false_alarms")
        if watcher.problem:
            sys.exit(f"the watcher: {watcher.problem}; no figure")
    finally:
        if watcher is not None:
            watcher.stop()
        for victim in victims:
            victim.end()
        bench.close()
    load = os.getloadavg()
    print(f"{options.devices} twins of {options.board}; load average at the end {load[0]:.1f}; false alarms {false_alarms}: "
          "frozen devices are, since they speak again, and no others should be")
    for what, seconds in figures.items():
        print(f"  {what}: {len(seconds)} times, lost after {spread(seconds)}, median (least - most)")
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump({"devices": options.devices, "load": load, "false_alarms": false_alarms, **figures}, file, indent=2)


if __name__ == "__main__":
    main()
