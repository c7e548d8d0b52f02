#!/usr/bin/env python3
"""How many devices one controller and one RabbitMQ carry: twins, many in one process, on this machine.

For each size: how soon all have joined, heartbeats a second, CPU and memory of controller and broker while nothing is
asked and while tasks come, how long a task waits in the controller (its decision among other things), tasks a second.
The twins sleep where a board would compute. Client, broker, controller and twins share this machine's processors."""

import argparse
import collections
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
import uuid

import pika

PIXELS = os.urandom(32 * 32 * 3)
TICKS = os.sysconf("SC_CLK_TCK")


class Process:
    """CPU seconds and resident memory of a process, by /proc."""

    def __init__(self, pid):
        self.pid = pid

    def cpu_s(self):
        with open(f"/proc/{self.pid}/stat", encoding="ascii") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def resident_mb(self):
        with open(f"/proc/{self.pid}/status", encoding="ascii") as file:
            return next(int(line.split()[1]) / 1024 for line in file if line.startswith("VmRSS"))


def child_of(parent, *words):
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{entry}/cmdline", "rb") as file:
                command = file.read().decode(errors="replace").split("\0")
            with open(f"/proc/{entry}/stat", encoding="ascii") as file:
                mother = int(file.read().rsplit(")", 1)[1].split()[1])
        except (OSError, ValueError):
            continue
        if mother == parent and all(word in command for word in words):
            return int(entry)
    sys.exit(f"no process with {words}")


class Bench:
    def __init__(self, options):
        self.options = options
        self.folder = tempfile.TemporaryDirectory(prefix="juggler-fleet-size-")
        self.home = os.path.join(self.folder.name, "home")
        os.makedirs(self.home)
        os.symlink(os.path.abspath(options.models), os.path.join(self.home, "models"))
        self.environment = {**os.environ, "XDG_STATE_HOME": self.folder.name}
        self.environment.pop("JUGGLER_BROKER", None)
        self.juggler = os.path.join(options.build, "juggler")
        self.log = open(os.path.join(self.folder.name, "up.log"), "w", encoding="utf-8")
        self.up = subprocess.Popen([self.juggler, "up", "--home", self.home, "--no-local", "--twin", options.board],
                                   env=self.environment, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        self.twins = None
        self.await_live(1)
        with open(os.path.join(self.home, "broker", "broker.json"), encoding="utf-8") as file:
            self.broker = json.load(file)

    def close(self):
        self.end_twins()
        self.up.send_signal(signal.SIGINT)
        self.up.wait(120)
        self.folder.cleanup()

    def memory_max_mb(self):
        with open(os.path.join(self.home, "broker", "etc", "rabbitmq.conf"), encoding="utf-8") as file:
            return next(int(line.split("=")[1]) / 1e6 for line in file if line.startswith("vm_memory_high_watermark"))

    def url(self, user):
        return (f"amqp://{user}:{self.broker['passwords'][user]}@{self.broker['listen']}:{self.broker['port']}"
                "/juggler?heartbeat=30")

    def ask(self, what):
        done = subprocess.run([self.juggler, what, "--home", self.home, "--json"], env=self.environment,
                              capture_output=True, text=True, timeout=120, check=False)
        return json.loads(done.stdout) if done.returncode == 0 else None

    def await_live(self, count, limit_s=120):  # two minutes for a thousand: the target
        begun = time.monotonic()
        live = 0
        while time.monotonic() - begun < limit_s:
            answer = self.ask("devices")
            live = sum(one["state"] == "live" for one in answer["devices"]) if answer else 0
            if live >= count:
                return time.monotonic() - begun
            time.sleep(0.5)
        sys.exit(f"only {live} of {count} joined within {limit_s} s; no figure")

    def start_twins(self, count):
        login = os.path.join(self.folder.name, "controller.url")
        with open(login, "w", encoding="utf-8") as file:
            file.write(self.url("controller").split("?")[0] + "\n")
        os.chmod(login, 0o600)
        self.twins = subprocess.Popen(
            [os.path.join(self.options.build, "juggler-consumer"), "--id", f"n{count}", "--twin",
             f"{self.options.board}:{count}", "--broker-file", login, "--home", self.home, "--log-level", "warn"],
            env=self.environment, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)

    def end_twins(self):
        if self.twins is not None:
            self.twins.send_signal(signal.SIGTERM)
            self.twins.wait(120)
            self.twins = None

    def heartbeats_per_s(self, seconds):
        connection = pika.BlockingConnection(pika.URLParameters(self.url("controller")))
        channel = connection.channel()
        queue = channel.queue_declare(f"juggler.bench.{uuid.uuid4()}", exclusive=True).method.queue
        channel.queue_bind(queue, "juggler.up", "heartbeat.*")
        count = 0

        def beat(*_):
            nonlocal count
            count += 1

        channel.basic_consume(queue, beat, auto_ack=True)
        begun = time.monotonic()
        while time.monotonic() - begun < seconds:
            connection.process_data_events(0.2)
        took = time.monotonic() - begun
        connection.close()
        return count / took

    def load(self, seconds, outstanding):
        """Closed loop; every task has its outcome, completed, or there is no figure."""
        connection = pika.BlockingConnection(pika.URLParameters(self.url("submitter")))
        channel = connection.channel()
        replies = channel.queue_declare("", exclusive=True).method.queue
        outcomes, open_tasks = [], set()
        headers = {"tensor": "uint8-hwc", "width": 32, "height": 32, "deadline_ms": 60000}

        def submit():
            task = str(uuid.uuid4())
            open_tasks.add(task)
            channel.basic_publish("juggler.submit", "juggler.tasks", PIXELS, pika.BasicProperties(
                content_type="application/octet-stream", message_id=task, reply_to=replies, delivery_mode=2,
                headers=headers))

        def collect(_channel, _method, _properties, body):
            outcome = json.loads(body)
            open_tasks.discard(outcome["id"])
            outcomes.append((time.monotonic(), outcome))
            if time.monotonic() < until:
                submit()

        channel.basic_consume(replies, collect, auto_ack=True)
        begun = time.monotonic()
        until = begun + seconds
        for _ in range(outstanding):
            submit()
        while open_tasks and time.monotonic() < until + 90:
            connection.process_data_events(0.1)
        connection.close()
        ends = {outcome["outcome"] for _, outcome in outcomes}
        if open_tasks or ends != {"completed"}:
            why = collections.Counter(outcome.get("reason", "") for _, outcome in outcomes
                                      if outcome["outcome"] != "completed")
            sys.exit(f"{len(open_tasks)} of {len(outcomes) + len(open_tasks)} tasks without an outcome, ends {ends}, "
                     f"{dict(why.most_common(3))}: no figure")
        in_time = [outcome for at, outcome in outcomes if at <= until]
        waits = sorted(outcome["latency_us"]["waiting"] / 1000 for outcome in in_time)
        used = {outcome["device"] for outcome in in_time}
        return len(in_time) / seconds, waits[len(waits) // 2], waits[int(len(waits) * 0.99)], len(used)

    def size(self, count):
        controller = Process(child_of(self.up.pid, "controller"))
        node = Process(self.broker["pid"])
        self.start_twins(count)
        joined = self.await_live(count + 1)
        time.sleep(5)  # what joining has left to do
        beats = self.heartbeats_per_s(5)
        before = controller.cpu_s(), node.cpu_s()
        time.sleep(10)
        idle = controller.cpu_s() - before[0], node.cpu_s() - before[1]
        before = controller.cpu_s(), node.cpu_s()
        throughput, wait_p50, wait_p99, used = self.load(self.options.seconds, 2 * min(count, 128))
        busy = controller.cpu_s() - before[0], node.cpu_s() - before[1]
        status = self.ask("status") or {}
        row = {"devices": count, "joined_s": joined, "heartbeats_per_s": beats,
               "controller_idle_percent": idle[0] * 10, "broker_idle_percent": idle[1] * 10,
               "controller_busy_percent": busy[0] / self.options.seconds * 100,
               "broker_busy_percent": busy[1] / self.options.seconds * 100,
               "controller_mb": controller.resident_mb(), "broker_mb": node.resident_mb(),
               "twins_mb": Process(self.twins.pid).resident_mb(), "tasks_per_s": throughput,
               "waiting_ms_p50": wait_p50, "waiting_ms_p99": wait_p99, "devices_used": used,
               "false_alarms": status.get("false_alarms")}
        self.end_twins()
        return row


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build/release", help="folder of juggler and juggler-consumer")
    parser.add_argument("--models", default="var/models")
    parser.add_argument("--sizes", default="10,100,1000")
    parser.add_argument("--board", default="jetson-orin-nano")
    parser.add_argument("--seconds", type=int, default=15, help="of load, for each size")
    parser.add_argument("--json", help="file for the figures")
    options = parser.parse_args()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    bench = Bench(options)
    rows = []
    memory_max_mb = bench.memory_max_mb()
    try:
        for size in map(int, options.sizes.split(",")):
            rows.append(bench.size(size))
            print(json.dumps(rows[-1]), file=sys.stderr)
    finally:
        bench.close()
    load = os.getloadavg()
    print(f"Twins of {options.board}, one process; load average at the end {load[0]:.1f}; files at most {soft}; "
          f"the broker may hold {memory_max_mb:.0f} MB\n")
    print("| devices | joined s | heartbeats/s | controller idle / busy, % of a core | its memory MB | broker idle / busy, % | "
          "tasks/s | in the controller p50 / p99 ms | false alarms |")
    print("|--:|--:|--:|--:|--:|--:|--:|--:|--:|")
    for row in rows:
        print("| {devices} | {joined_s:.1f} | {heartbeats_per_s:.0f} | {controller_idle_percent:.1f} / "
              "{controller_busy_percent:.0f} | {controller_mb:.0f} | {broker_idle_percent:.0f} / {broker_busy_percent:.0f} | "
              "{tasks_per_s:.0f} | {waiting_ms_p50:.1f} / {waiting_ms_p99:.1f} | {false_alarms} |".format(**row))
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump({"board": options.board, "load": load, "rows": rows}, file, indent=2)


if __name__ == "__main__":
    main()
