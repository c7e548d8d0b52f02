#!/usr/bin/env python3
"""Chaos: a fleet of real processes on a real RabbitMQ at load, while its parts are killed, frozen, cut
off and restarted. Nothing accepted may be lost, and nothing answered twice.

  chaos.py BUILD_DIR HOME [--seconds N] [--seed N] [--rate HZ] [--script KIND:SECONDS,...] [--packets]

Exit status: 0 nothing lost and nothing answered twice, 1 otherwise, 2 it could not run, 77 --packets cannot be had.
"""

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time

from faults import Faults
from load import Collector, Submitter, Watcher, connect
from networks import Links, PacketLinks, own_network
from parts import Broker, Process, free_port
from report import Report
from web import WebClient

TWINS = {"orin": "jetson-orin-nano", "nano": "jetson-nano", "pi5-a": "raspberry-pi-5",
         "pi5-b": "raspberry-pi-5", "pi4": "raspberry-pi-4"}
REAL = "here"


class Fleet:
    """Broker, two controllers, `juggler serve`, twins and one real device, each process on its own link, as the
    clients are."""

    CLIENTS = ("submitter", "collector")

    def __init__(self, build, home, folder, real, networks):
        self.build = build
        self.home = home
        self.folder = folder
        self.devices = list(TWINS) + ([REAL] if real else [])
        self.controllers = ["first", "second"]
        self.web_port = free_port()
        self.networks = networks
        self.links = None
        self.broker = None
        self.processes = {}

    def __enter__(self):
        users = ["controller", "submitter", *self.devices]
        try:
            self.links = self.networks(os.path.join(self.build, "tests", "chaos", "fault_proxy"))
            self.broker = Broker(users, self.folder, self.build, within=self.links.within,
                                 listen=self.links.listen).__enter__()
            self.direct = self.links.address("direct", self.broker)  # nothing is done to it
            for name in self.controllers:
                self.start(name, "controller",
                           [os.path.join(self.build, "juggler"), "controller", "--journal",
                            os.path.join(self.folder, "journal-" + name)])
            self.start("serve", "submitter", [os.path.join(self.build, "juggler"), "serve", "--home", self.folder,
                                              "--listen", f"127.0.0.1:{self.web_port}"])
            for name in self.devices:
                self.start(name, name, self.consumer(name))
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def consumer(self, name):
        program = [os.path.join(self.build, "juggler-consumer"), "--id", name, "--home", self.home]
        if name == REAL:
            return program + ["--variants", "efficientnet_lite0-int8", "--threads", "1",
                              "--calibrate-max", "5s"]
        return program + ["--twin", TWINS[name]]

    def linked(self, name, user):
        """The broker's address for one part, by a link of its own."""
        return self.links.address(name, self.broker)(user)

    def start(self, name, user, arguments):
        self.processes[name] = Process(name, arguments, self.linked(name, user), self.folder)

    def __exit__(self, *_):
        for process in self.processes.values():
            process.end(20)
        if self.broker:
            self.broker.stop()
        if self.links:
            self.links.close()

    def leader(self):
        """The controller that took the highest epoch, by their logs."""
        return max(self.controllers, key=lambda name: self.processes[name].epoch())

    def look(self):
        for process in self.processes.values():
            process.look()

    def judged(self):
        """The journals of both controllers under the simulator's checker."""
        folders = [os.path.join(self.folder, "journal-" + name) for name in self.controllers]
        done = subprocess.run(
            [os.path.join(self.build, "juggler"), "replay", folders[0], "--check", "--with",
             folders[1], "--json"], capture_output=True, text=True, timeout=600, check=False)
        return json.loads(done.stdout) if done.stdout else {"complaints": [done.stderr]}

    def left_in_queues(self):
        """Messages that nobody has dealt with, by queue, once nothing is under way."""
        connection = connect(self.direct("controller"))
        channel = connection.channel()
        left = {}
        for queue in ["juggler.tasks", "juggler.results"] + [f"juggler.device.{d}" for d in self.devices]:
            count = self.broker.messages(channel, queue)
            if count:
                left[queue] = count
        connection.close()
        return left


def say(text):
    print(f"[chaos] {text}", flush=True)


def await_all(fleet, watcher, limit_s):
    end = time.monotonic() + limit_s
    while len(watcher.live()) < len(fleet.devices):
        ended = [name for name, process in fleet.processes.items() if not process.alive()]
        if ended or time.monotonic() > end:
            say(f"{ended} ended by themselves" if ended else "too slow")
            return False
        time.sleep(0.1)
    return True


def completed_since(when, submitter, collector):
    """Whether a task was completed that was accepted after that."""
    recent = [task for task, (accepted, _) in list(submitter.accepted.items())[-200:] if accepted >= when]
    return any(task in collector.outcomes and collector.outcomes[task][1]["outcome"] == "completed"
               for task in recent)


def run_faults(fleet, options, draw, until, submitter, collector):
    """One fault after the other, now and then two at once."""
    faults = Faults(fleet, draw)
    script = [item.split(":") for item in options.script.split(",")] if options.script else []
    done, open_ones = [], []
    well_since = None  # when the last of them was healed; None: nothing waits for it
    while time.monotonic() < until or open_ones:
        now = time.monotonic()
        for fault in [one for one in open_ones if now >= one.begun + one.seconds]:
            faults.heal(fault)
            open_ones.remove(fault)
            well_since = time.monotonic()
        room = 2 if draw.random() < 0.3 and not options.script else 1
        # So that each fault has its own recovery: the next one comes when tasks are completed again.
        if not open_ones and well_since is not None:
            well_since = None if completed_since(well_since, submitter, collector) or (
                now > well_since + 40) else well_since
            time.sleep(0.05)
            continue
        if now < until and len(open_ones) < room and (script or not options.script):
            fault = faults.make(script[0][0], float(script.pop(0)[1])) if script else faults.draw()
            busy = {one.target for one in open_ones}
            if fault.target in busy or ("leader" == fault.target and busy & set(fleet.controllers)):
                continue
            faults.hurt(fault)
            say(f"{now - options.begun:6.1f} s  {fault}")
            open_ones.append(fault)
            done.append(fault)
        elif options.script and not script and not open_ones:
            break
        fleet.look()
        time.sleep(draw.uniform(0.2, 2.0) if not open_ones else 0.05)
    return done


def heal_and_wait(fleet, submitter, collector, web):
    """All is well again: what was accepted must be answered within its deadline and three graces."""
    web.stop(45)
    submitter.stop()
    waiting = [task for task in submitter.accepted if task not in collector.outcomes]
    end = time.monotonic() + 45
    while waiting and time.monotonic() < end:
        time.sleep(0.1)
        waiting = [task for task in submitter.accepted if task not in collector.outcomes]
    time.sleep(1)  # for what comes a second time
    left, end = fleet.left_in_queues(), time.monotonic() + 15
    while left and time.monotonic() < end:
        time.sleep(0.5)
        left = fleet.left_in_queues()
    return left


def run(options, folder):
    draw = random.Random(options.seed)
    with open(os.path.join(options.home, "photos", "dog1.jpg"), "rb") as file:
        picture = file.read()
    real = os.path.isdir(os.path.join(options.home, "onnxruntime")) and not options.no_real
    say(f"seed {options.seed}; broker, 2 controllers, juggler serve, {len(TWINS)} twins"
        f"{' and this machine' if real else ''}; {options.rate} tasks/s;"
        f" networks: {'packets' if options.packets else 'a TCP proxy'}")
    networks = PacketLinks if options.packets else Links
    with Fleet(options.build, options.home, folder, real, networks) as fleet:
        watcher = Watcher(fleet.direct("submitter"))
        collector = Collector(fleet.linked("collector", "submitter"))
        submitter = Submitter(fleet.linked("submitter", "submitter"), options.rate, picture,
                              options.seed)
        web = WebClient(fleet.web_port, options.rate / 10, picture, options.seed)
        watcher.start()
        collector.start()
        if not await_all(fleet, watcher, 90):
            say(f"only {watcher.live()} have joined")
            return None
        submitter.start()
        web.start()
        options.begun = time.monotonic()
        faults = run_faults(fleet, options, draw, options.begun + options.seconds,
                            submitter, collector)
        left = heal_and_wait(fleet, submitter, collector, web)
        collector.stop()
        watcher.stop()
        problems = [str(worker.problem) for worker in (submitter, collector, watcher, web) if worker.problem]
        fleet.look()
        problems += [death for process in fleet.processes.values() for death in process.deaths]
        memory = {name: process.rss_max_kib for name, process in fleet.processes.items()}
        for name in fleet.controllers:
            fleet.processes[name].end()
        judged = fleet.judged()
        if not judged.get("steps"):
            problems.append("no step of any journal was checked")
        return Report(faults, submitter, collector, web, watcher, fleet, left, problems, memory, judged)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build", type=os.path.abspath)
    parser.add_argument("home", type=os.path.abspath)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000))
    parser.add_argument("--rate", type=float, default=40)
    parser.add_argument("--script", default="", help="these faults in this order, none drawn")
    parser.add_argument("--no-real", action="store_true", help="twins alone")
    parser.add_argument("--packets", action="store_true",
                        help="networks of packets between network namespaces (root, or user namespaces)")
    parser.add_argument("--keep", action="store_true", help="keep logs and journals")
    options = parser.parse_args()
    if options.packets:
        own_network()
    folder = tempfile.mkdtemp(prefix="juggler-chaos-", dir=os.environ.get("TMPDIR", "/var/tmp"))
    report = None
    try:
        report = run(options, folder)
        if report is None:
            return 2
        print(report.text())
        return 0 if report.well() else 1
    finally:
        if options.keep or report is None or not report.well():
            say(f"logs and journals are in {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
