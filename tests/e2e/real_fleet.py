"""Juggler's programs as services on a RabbitMQ of somebody's own: controllers and twins, each with the
login that `juggler broker provision` wrote for it, and a load that comes back after every fault."""

import json
import os
import struct
import subprocess
import sys
import time
import zlib

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "chaos"))

from load import Collector, Submitter, Watcher, connect  # noqa: E402  pylint: disable=wrong-import-position
from parts import Process  # noqa: E402  pylint: disable=wrong-import-position

NETWORK = "twin-fp32"  # the one that the twins serve


def twin_facts(path, latency_ms):
    """A file for --twin-facts: a CPU that takes so long for each picture."""
    hello = {
        "minor": 0, "device": "twin", "board": "raspberry-pi-5", "title": "a twin of the tests", "twin": True,
        "incarnation": 1, "memory_bytes": 1 << 30, "variants": [
            {"id": NETWORK, "model": "imagenet", "network": "twin", "precision": "fp32",
             "accuracy_percent": 76.0, "accuracy_evidence": "assumed", "weights": "pretrained", "sha256": ""}],
        "processors": [
            {"id": "cpu", "kind": "cpu", "runtime": "twin", "window_batches": 2, "batch_max": 1, "profiles": [
                {"variant": NETWORK, "memory_bytes": 1 << 20, "load_us": 1000, "evidence": "assumed",
                 "source": "made up for the test", "points": [
                     {"batch": 1, "latency_us_mean": latency_ms * 1000, "latency_us_p95": latency_ms * 1100}]}]}]}
    with open(path, "w", encoding="utf-8") as file:
        json.dump({"announced": hello, "truth": hello, "noise": 0}, file)
    return path


def grey_picture(side=8):
    """A PNG file, square and grey."""
    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
    rows = (b"\0" + b"\x80" * 3 * side) * side
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)) +
            chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


class RealFleet:
    """`addresses` are the broker's, one of each node; `rabbitmqctl` administers it. Everything ends with
    the with-block."""

    def __init__(self, build, folder, addresses, rabbitmqctl, devices, queues="classic", latency_ms=60,
                 submitters=("submitter",)):
        self.build, self.folder, self.addresses = build, folder, addresses
        self.devices = devices
        self.processes = {}
        self.facts = twin_facts(os.path.join(folder, "twin.json"), latency_ms)
        done = subprocess.run(
            [os.path.join(build, "juggler"), "broker", "provision", "--address", ",".join(addresses), "--out",
             os.path.join(folder, "broker"), "--device", ",".join(devices), "--submitter", ",".join(submitters),
             "--queues", queues, "--rabbitmqctl", rabbitmqctl], capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stdout + done.stderr

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in reversed(list(self.processes.values())):
            process.end(20)

    def file(self, name):
        return os.path.join(self.folder, "broker", "credentials", name)

    def login(self, name, first=0):
        """The addresses with the login of `name`, the node `first` before the others."""
        with open(self.file(name), encoding="utf-8") as file:
            addresses = file.readline().strip().split(",")
        return ",".join(addresses[first:] + addresses[:first])

    def start_controller(self, name, *flags, first=0, program="juggler"):
        self.processes[name] = Process(name, [os.path.join(self.build, program), "controller", *flags],
                                       self.login("controller", first), self.folder)

    def start_device(self, name, *flags, first=0, program="juggler-consumer"):
        self.processes[name] = Process(
            name, [os.path.join(self.build, program), "--id", name, "--twin-facts", self.facts, "--home",
                   os.path.join(self.folder, "home"), *flags], self.login(name, first), self.folder)

    def await_devices(self, watcher, limit_s=90):
        end = time.monotonic() + limit_s
        while len(watcher.live()) < len(self.devices):
            ended = [name for name, process in self.processes.items() if not process.alive()]
            assert not ended, (ended, self.processes[ended[0]].log()[-2000:])
            assert time.monotonic() < end, (watcher.live(), watcher.losses, self.logs())
            time.sleep(0.1)

    def logs(self):
        return "\n".join(f"--- {name}\n{process.log()[-3000:]}" for name, process in self.processes.items())


class Tasks(Submitter):
    """Pictures at a rate, with time enough for every fault, and now and then one of them twice."""

    DEADLINE_S = 60

    def next_task(self):
        task, _headers = super().next_task()
        return task, {"deadline_ms": self.DEADLINE_S * 1000, "model": NETWORK}


class Load:
    """Submitter, collector and watcher; `end` stops the first and waits until everything is answered."""

    def __init__(self, addresses, rate_hz, seed=1, queue_arguments=None, tasks=Tasks):
        url = addresses.split(",")
        self.watcher = Watcher(url)
        self.collector = Collector(url)
        self.submitter = tasks(url, rate_hz, grey_picture(), seed)
        self.submitter.content_type = "image/png"
        for worker in (self.collector, self.submitter):
            worker.queue_arguments = queue_arguments
        self.address = url

    def begin(self):
        self.collector.start()
        self.submitter.start()

    def end(self, limit_s):
        self.submitter.stop()
        end = time.monotonic() + limit_s
        while self.waiting() and time.monotonic() < end:
            time.sleep(0.1)
        time.sleep(1)  # for what comes a second time
        for worker in (self.collector, self.watcher):
            worker.stop()
        problems = [worker.problem for worker in (self.submitter, self.collector, self.watcher) if worker.problem]
        assert not problems, problems

    def waiting(self):
        return [task for task in list(self.submitter.accepted) if task not in self.collector.outcomes]

    def outcomes(self):
        counts = {}
        for _when, outcome in list(self.collector.outcomes.values()):
            counts[outcome["outcome"]] = counts.get(outcome["outcome"], 0) + 1
        return counts

    def completed_after(self, moment):
        """Until the first task was completed that was accepted after this moment; None: none was."""
        whens = [when for task, (when, outcome) in list(self.collector.outcomes.items())
                 if outcome["outcome"] == "completed" and task in self.submitter.accepted
                 and self.submitter.accepted[task][0] >= moment]
        return min(whens) - moment if whens else None

    def accepted_after(self, moment):
        whens = [when for when, _ in list(self.submitter.accepted.values()) if when >= moment]
        return min(whens) - moment if whens else None


def left_in(address, queues):
    """Messages that nobody has dealt with, by queue."""
    connection = connect(address)
    channel = connection.channel()
    counts = {queue: channel.queue_declare(queue, passive=True).method.message_count for queue in queues}
    connection.close()
    return {queue: count for queue, count in counts.items() if count}
