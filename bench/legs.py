"""The systems that the round trip compares: how each is started, loaded and stopped.

A leg is started once per series and lies idle while the others are measured. Each has its own
vhost, so that none sees another's queues.
"""

import json
import os
import subprocess
import sys
import time

from broker import die_with_parent

HERE = os.path.dirname(os.path.abspath(__file__))
DEVICE = "bench"
CLOCK_TICK = os.sysconf("SC_CLK_TCK")


class LegFailed(Exception):
    """Something was lost, wrong or did not start: the series has no number."""


def cpu_seconds(pid):
    """User and system time of a process and of its living children."""
    total = 0.0
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        total += (int(fields[11]) + int(fields[12])) / CLOCK_TICK
        with open(f"/proc/{pid}/task/{pid}/children", encoding="utf-8") as children:
            total += sum(cpu_seconds(int(child)) for child in children.read().split())
    except OSError:
        pass
    return total


def client_options(point):
    """The options that the clients of all systems share."""
    options = ["--payload-bytes", point["payload_bytes"], "--outstanding", point["outstanding"]]
    for name in ("batch", "warmup_s", "warmup_count", "min_s", "min_count"):
        if name in point:
            options += ["--" + name.replace("_", "-"), point[name]]
    return [str(option) for option in options]


class Leg:
    """Processes with a name; subclasses say which ones and how the load is run."""

    name = "?"
    vhost = "?"

    def __init__(self):
        self.processes = []

    def start(self, broker):
        raise NotImplementedError

    def client(self, point):
        """Command and environment of the load for one point."""
        raise NotImplementedError

    def _spawn(self, command, ready_line=None, environment=None, cwd=None):
        process = subprocess.Popen(  # pylint: disable=subprocess-popen-preexec-fn
            command, env=environment, cwd=cwd, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if ready_line else subprocess.DEVNULL, text=True,
            start_new_session=True, preexec_fn=die_with_parent)
        self.processes.append(process)
        if ready_line and process.stdout.readline().strip() != ready_line:
            raise LegFailed(f"{self.name}: {' '.join(command[:2])} did not start")
        return process

    def measure(self, point, timeout_s=120):
        command, environment = self.client(point)
        before = sum(cpu_seconds(process.pid) for process in self.processes)
        try:
            done = subprocess.run(  # pylint: disable=subprocess-popen-preexec-fn
                command, env=environment, cwd=HERE, capture_output=True, text=True,
                timeout=timeout_s, check=False, preexec_fn=die_with_parent)
        except subprocess.TimeoutExpired as late:
            raise LegFailed(f"{self.name}: no end after {timeout_s} s") from late
        if done.returncode != 0:
            raise LegFailed(f"{self.name}: {done.stderr.strip()[-1500:]}")
        for process in self.processes:
            if process.poll() is not None:
                raise LegFailed(f"{self.name}: a process ended with {process.returncode}")
        figures = json.loads(done.stdout.strip().splitlines()[-1])
        after = sum(cpu_seconds(process.pid) for process in self.processes)
        figures["fleet_cpu_us_per_task"] = round(1e6 * (after - before) / figures["tasks"])
        return figures

    def terminate(self):
        """Asks the processes to end; stop() waits for them."""
        for process in self.processes:
            process.terminate()

    def stop(self):
        self.terminate()
        for process in self.processes:
            try:
                process.wait(8)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            if process.stdout:
                process.stdout.close()
        self.processes = []


class Floor(Leg):
    """The least that the four hops cost; `window` bounds the dispatches in flight."""

    def __init__(self, binary, name="floor", window=None):
        super().__init__()
        self.binary, self.name, self.vhost, self.window = binary, name, name, window

    def start(self, broker):
        self.url = broker.url("submitter", self.vhost)
        where = ["--broker", broker.url("controller", self.vhost), "--id", DEVICE]
        window = ["--window", str(self.window)] if self.window else []
        prefetch = ["--prefetch", str(self.window + 1)] if self.window else []
        self._spawn([self.binary, "controller", *where, *window], "ready")
        self._spawn([self.binary, "consumer", *where, *prefetch], "ready")

    def client(self, point):
        return [self.binary, "client", "--broker", self.url, *client_options(point)], None


class Juggler(Leg):
    """Controller and consumer with the no-op engine, loaded by the floor's client."""

    name = vhost = "juggler"

    def __init__(self, floor_binary, folder):
        super().__init__()
        self.floor_binary = floor_binary
        self.controller = os.path.join(folder, "juggler")
        self.consumer = os.path.join(folder, "juggler-consumer")

    def missing(self):
        return [path for path in (self.controller, self.consumer) if not os.access(path, os.X_OK)]

    def start(self, broker):
        self.url = broker.url("submitter", self.vhost)
        self._spawn([self.controller, "controller"],
                    environment=self._login(broker.url("controller", self.vhost)))
        self._spawn([self.consumer, "--id", DEVICE, "--engine", "noop"],
                    environment=self._login(broker.url(DEVICE, self.vhost)))
        self._await_first_answer(30)

    @staticmethod
    def _login(url):
        return {**os.environ, "JUGGLER_BROKER": url}

    def _await_first_answer(self, limit_s):
        end = time.monotonic() + limit_s
        while True:
            time.sleep(0.5)
            try:
                self.measure({"payload_bytes": 1024, "outstanding": 1, "batch": 1}, timeout_s=30)
                return
            except LegFailed:
                if time.monotonic() > end:
                    raise

    def client(self, point):
        return [self.floor_binary, "client", "--broker", self.url, "--model", "noop",
                *client_options(point)], None


class Celery(Leg):
    """One prefork worker process, acks late, rpc results (transient: Celery's way)."""

    def __init__(self, python, name, confirm, multiplier, serializer):
        super().__init__()
        self.python, self.name, self.vhost = python, name, name
        self.settings = {"BENCH_CONFIRM": "1" if confirm else "0",
                         "BENCH_MULTIPLIER": str(multiplier), "BENCH_SERIALIZER": serializer}

    def start(self, broker):
        # C_FORCE_ROOT: as root the worker refuses pickle otherwise, and a container often has
        # no other user.
        self.environment = {**os.environ, **self.settings, "C_FORCE_ROOT": "1",
                            "PYTHONDONTWRITEBYTECODE": "1", "PYTHONWARNINGS": "ignore",
                            "BENCH_BROKER": broker.url("submitter", self.vhost)}
        self._spawn([self.python, "-m", "celery", "-A", "celery_app", "worker", "--pool", "prefork",
                     "--concurrency", "1", "--loglevel", "ERROR", "--without-gossip",
                     "--without-mingle", "--without-heartbeat"],
                    environment=self.environment, cwd=HERE)
        self.measure({"payload_bytes": 1024, "outstanding": 1, "warmup_s": 0, "warmup_count": 1,
                      "min_s": 0, "min_count": 1})

    def client(self, point):
        return [self.python, "celery_client.py", *client_options(point)], self.environment


def celery_python(root):
    """The Python of the benchmark's own virtual environment, made on first use."""
    folder = os.path.join(root, "var", "bench-venv")
    python = os.path.join(folder, "bin", "python")
    pins = os.path.join(HERE, "requirements.txt")
    marker = os.path.join(folder, "installed-requirements.txt")
    with open(pins, encoding="utf-8") as wanted:
        text = wanted.read()
    if os.path.exists(marker):
        with open(marker, encoding="utf-8") as installed:
            if installed.read() == text:
                return python
    print(f"Setting up Celery in {folder} (about a minute) ...", file=sys.stderr)
    subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
    subprocess.run([python, "-m", "pip", "install", "--quiet", "--requirement", pins], check=True)
    with open(marker, "w", encoding="utf-8") as installed:
        installed.write(text)
    return python
