#!/usr/bin/env python3
"""Juggler beside Celery on one RabbitMQ under the same kills: tasks lost, run twice, time to recover.

  bench/kills.py --juggler build/release [--quick]

Three workers of each system, one after the other on the same node, at the same rate of tasks that take
the same time, and the same schedule: workers are killed (kill -9) and started again 2 s later, the
broker is restarted and killed; Juggler's controllers are killed as well (Celery has none). Juggler's
devices are twins. What each accepted is counted by its client, what ran to its end by the worker
itself (Celery, in a file) or by the result that it published (Juggler), what was answered by the client.

Exit status 1: Juggler lost a task or answered one twice; 2: a system did not run.
"""

import argparse
import collections
import json
import os
import signal
import subprocess
import sys
import tempfile
import time

import legs
from broker import die_with_parent

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
for folder in ("chaos", "e2e"):
    sys.path.insert(0, os.path.join(ROOT, "tests", folder))

from load import Worker as Client  # noqa: E402  pylint: disable=wrong-import-position
from parts import Broker, Process  # noqa: E402  pylint: disable=wrong-import-position
from real_fleet import Load, twin_facts  # noqa: E402  pylint: disable=wrong-import-position

TASK_MS = 60
RATE_HZ = 20
WORKERS = 3
RESTART_S = 2
SETTLE_S = 60

# (seconds after the load began, what). `child`: of a Celery worker only the process that runs tasks.
SCHEDULE = [(8, "worker 0"), (16, "worker 1 child"), (24, "broker restart"), (44, "worker 2"),
            (52, "controller"), (60, "broker kill"), (80, "worker 0 child"), (88, "controller"),
            (94, "worker 1")]
SECONDS = 104
QUICK = [(5, "worker 0"), (12, "broker kill"), (28, "controller")]
QUICK_SECONDS = 36


class ResultLog(Client):
    """Every result that a device publishes: a run to the end. Its queue outlives the broker."""

    def __init__(self, url):
        super().__init__(url)
        self.ran = collections.Counter()

    def work(self, connection):
        channel = connection.channel()
        channel.queue_declare("kills.results", durable=True)
        channel.queue_bind("kills.results", "juggler.up", "result.*")
        for method, _properties, body in channel.consume("kills.results", inactivity_timeout=0.1):
            if method is not None:
                result = json.loads(body)
                if result["status"] == "ok":
                    # The same attempt sent again is not run again.
                    self.ran[(result["id"], result["epoch"], result["attempt"])] += 1
                channel.basic_ack(method.delivery_tag)
            if self.stopping.is_set():
                return

    def runs(self):
        return collections.Counter(task for task, _epoch, _attempt in self.ran)


class Juggler:
    name = "Juggler"

    def __init__(self, build, broker, folder):
        self.broker, self.folder = broker, folder
        self.facts = twin_facts(os.path.join(folder, "twin.json"), TASK_MS)
        self.build = build
        self.controllers, self.workers = [], []

    def start(self):
        for name in ("first", "second"):
            self.controllers.append(Process(name, [os.path.join(self.build, "juggler"), "controller"],
                                            self.broker.url("controller", "juggler"), self.folder))
        for i in range(WORKERS):
            name = f"worker-{i}"
            self.workers.append(Process(
                name, [os.path.join(self.build, "juggler-consumer"), "--id", name, "--twin-facts", self.facts,
                       "--home", os.path.join(self.folder, "home")], self.broker.url(name, "juggler"), self.folder))
        url = self.broker.url("submitter", "juggler")
        self.load = Load(url, RATE_HZ)
        self.results = ResultLog(url)
        self.load.watcher.start()
        end = time.monotonic() + 60
        while len(self.load.watcher.live()) < WORKERS:
            if time.monotonic() > end:
                raise SystemExit("Juggler's fleet did not come up")
            time.sleep(0.1)
        self.results.start()

    def begin(self, _seconds):
        self.load.begin()

    def kill_worker(self, i, _child):
        self.workers[i].kill()
        return self.workers[i].start

    def kill_controller(self):
        leader = max(self.controllers, key=Process.epoch)
        leader.kill()
        return leader.start

    def end(self):
        self.load.end(SETTLE_S)
        self.results.stop()
        for process in self.workers + self.controllers:
            process.end(20)
        accepted = {task: when for task, (when, _) in self.load.submitter.accepted.items()}
        outcomes = self.load.collector.outcomes
        return {"accepted": accepted, "refused": self.load.submitter.refused,
                "answered": {task: when for task, (when, _) in outcomes.items()},
                "done": {task: when for task, (when, outcome) in outcomes.items()
                         if outcome["outcome"] == "completed"},
                "runs": self.results.runs(), "contradicted": len(self.load.collector.different)}


class Celery:
    def __init__(self, name, careful, broker, folder):
        self.name, self.broker = name, broker
        self.vhost = "careful" if careful else "default"
        self.ran = os.path.join(folder, f"ran-{self.vhost}")
        self.log = os.path.join(folder, f"celery-{self.vhost}.log")
        self.python = legs.celery_python(ROOT)
        self.environment = {
            **os.environ, "BENCH_BROKER": broker.url("submitter", self.vhost), "BENCH_CAREFUL": str(int(careful)),
            "BENCH_RAN": self.ran, "BENCH_TASK_MS": str(TASK_MS), "C_FORCE_ROOT": "1",
            "PYTHONDONTWRITEBYTECODE": "1", "PYTHONWARNINGS": "ignore"}
        self.workers = [None] * WORKERS

    def spawn(self, command, **options):
        with open(self.log, "ab") as log:
            return subprocess.Popen(  # pylint: disable=subprocess-popen-preexec-fn
                [self.python, *command], env=self.environment, cwd=HERE, stdin=subprocess.DEVNULL,
                stderr=log, start_new_session=True, preexec_fn=die_with_parent, **options)

    def start_worker(self, i):
        self.workers[i] = self.spawn(["-m", "celery", "-A", "celery_kills_app", "worker", "--concurrency", "1",
                                      "--hostname", f"worker{i}@%h", "--loglevel", "ERROR"],
                                     stdout=subprocess.DEVNULL)

    def start(self):
        for i in range(WORKERS):
            self.start_worker(i)
        time.sleep(8)  # its imports, on a busy machine
        if any(worker.poll() is not None for worker in self.workers):
            with open(self.log, encoding="utf-8", errors="replace") as log:
                raise SystemExit(f"Celery did not start: {log.read()[-2000:]}")

    def begin(self, seconds):
        self.client = self.spawn(["celery_kills_client.py", "--rate", str(RATE_HZ), "--seconds", str(seconds),
                                  "--settle", str(SETTLE_S)], stdout=subprocess.PIPE)

    def kill_worker(self, i, child):
        worker = self.workers[i]
        if child:  # the pool's process: Celery's main process sees it die, and makes another
            with open(f"/proc/{worker.pid}/task/{worker.pid}/children", encoding="ascii") as children:
                for pid in children.read().split():
                    os.kill(int(pid), signal.SIGKILL)
            return lambda: None
        os.killpg(worker.pid, signal.SIGKILL)
        worker.wait()
        return lambda: self.start_worker(i)

    def kill_controller(self):
        return lambda: None

    def end(self):
        out, _ = self.client.communicate(timeout=SECONDS + SETTLE_S + 60)
        for worker in self.workers:
            if worker.poll() is None:
                os.killpg(worker.pid, signal.SIGTERM)
        for worker in self.workers:
            try:
                worker.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(worker.pid, signal.SIGKILL)
                worker.wait()
        said = json.loads(out)
        for problem, count in said["errors"].items():
            print(f"[kills] {self.name}: while answers were awaited, {count} times: {problem}", file=sys.stderr)
        with open(self.ran, encoding="ascii") as file:
            ran = [line.split() for line in file]
        done = {}
        for when, task in ran:
            done.setdefault(task, float(when))
        return {"accepted": said["accepted"], "refused": said["refused"], "answered": said["answered"],
                "done": done, "runs": collections.Counter(task for _, task in ran), "contradicted": 0}


def recovery(found, moment):
    """Until the first task that was accepted after this moment was done."""
    whens = [when for task, when in found["done"].items()
             if found["accepted"].get(task) is not None and found["accepted"][task] >= moment]
    return min(whens) - moment if whens else None


def run(system, broker, schedule, seconds):
    print(f"[kills] {system.name}: starts", file=sys.stderr)
    system.start()
    system.begin(seconds)
    begun = time.monotonic()
    kills, waiting = [], []
    for at, what in [*schedule, (seconds, "end")]:
        while time.monotonic() < begun + at:
            for due, again in [one for one in waiting if time.monotonic() >= one[0]]:
                again()
                waiting.remove((due, again))
            time.sleep(0.02)
        if what == "end":
            break
        moment = time.monotonic()
        words = what.split()
        if words[0] == "worker":
            waiting.append((moment + RESTART_S, system.kill_worker(int(words[1]), "child" in words)))
        elif words[0] == "controller":
            waiting.append((moment + RESTART_S, system.kill_controller()))
        else:
            broker.end() if words[1] == "restart" else broker.kill()  # pylint: disable=expression-not-assigned
            broker.again()
        kills.append((what, moment))
    for _due, again in waiting:
        again()
    found = system.end()
    found["recovery"] = [(what, recovery(found, moment)) for what, moment in kills]
    return found


def summary(name, found):
    accepted = found["accepted"]
    worst = collections.defaultdict(list)
    for what, seconds in found["recovery"]:
        worst[what.split()[0]].append(seconds)
    show = lambda kind: ", ".join("-" if s is None else f"{s:.1f}" for s in worst[kind]) or "-"  # noqa: E731
    return {"system": name, "accepted": len(accepted), "refused": found["refused"],
            "never run": sum(1 for task in accepted if not found["runs"].get(task)),
            "never answered": sum(1 for task in accepted if task not in found["answered"]),
            "run twice": sum(1 for count in found["runs"].values() if count > 1),
            "contradicted": found["contradicted"],
            "recovery s, worker": show("worker"), "broker": show("broker"), "controller": show("controller")}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--juggler", type=os.path.abspath, required=True, help="folder of its programs")
    parser.add_argument("--quick", action="store_true", help="a few kills: does everything run?")
    parser.add_argument("--only", help="one of Juggler, default, careful")
    options = parser.parse_args()
    schedule, seconds = (QUICK, QUICK_SECONDS) if options.quick else (SCHEDULE, SECONDS)
    rows = []
    with tempfile.TemporaryDirectory(prefix="juggler-kills-", dir="/var/tmp") as folder:
        users = ["controller", "submitter"] + [f"worker-{i}" for i in range(WORKERS)]
        broker = Broker(users, folder, options.juggler)
        broker.vhosts = ["juggler", "default", "careful"]
        with broker:
            systems = [Juggler(options.juggler, broker, folder), Celery("Celery, its defaults", False, broker, folder),
                       Celery("Celery, careful", True, broker, folder)]
            for system in systems:
                if options.only in (None, system.name, getattr(system, "vhost", "")):
                    rows.append(summary(system.name, run(system, broker, schedule, seconds)))
                    print("  " + ", ".join(f"{key} {value}" for key, value in rows[-1].items()), flush=True)
    os.makedirs(os.path.join(HERE, "results"), exist_ok=True)
    with open(os.path.join(HERE, "results", "kills.json"), "w", encoding="utf-8") as file:
        json.dump(rows, file, indent=2)
    keys = list(rows[0])
    print("\n| " + " | ".join(keys) + " |\n|" + "---|" * len(keys))
    for row in rows:
        print("| " + " | ".join(str(row[key]) for key in keys) + " |")
    juggler = [row for row in rows if row["system"] == "Juggler"]
    return 1 if any(row["never answered"] or row["contradicted"] for row in juggler) else 0


if __name__ == "__main__":
    sys.exit(main())
