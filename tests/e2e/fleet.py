"""A fleet for tests: `juggler up` as a user starts it, in a folder of its own, and a client by pika."""

import json
import os
import signal
import subprocess
import tempfile
import time
import uuid

import pika


class Fleet:
    """Runs `juggler up` until the with-block ends. `build` holds the programs, `models` a catalogue; arguments that
    name files in the home are a function of it."""

    def __init__(self, build, models, arguments, prepare=None):
        self.juggler = os.path.join(build, "juggler")
        self.models = models
        self.arguments = arguments
        self.prepare = prepare  # called with the home before anything starts

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="juggler-e2e-")
        self.home = os.path.join(self.folder.name, "home")
        os.makedirs(self.home)
        os.symlink(self.models, os.path.join(self.home, "models"))
        library = os.path.join(os.path.dirname(self.models), "onnxruntime")
        if os.path.isdir(library):
            os.symlink(library, os.path.join(self.home, "onnxruntime"))
        if self.prepare is not None:
            self.prepare(self.home)
        arguments = self.arguments(self.home) if callable(self.arguments) else self.arguments
        self.environment = {**os.environ, "XDG_STATE_HOME": self.folder.name}
        self.environment.pop("JUGGLER_BROKER", None)
        self.out = open(os.path.join(self.folder.name, "up.out"), "w+", encoding="utf-8")
        self.log = open(os.path.join(self.folder.name, "up.log"), "w+", encoding="utf-8")
        self.process = subprocess.Popen(
            [self.juggler, "up", "--home", self.home, *arguments],
            env=self.environment, stdin=subprocess.DEVNULL, stdout=self.out, stderr=self.log)
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
        self.out.close()
        self.log.close()
        self.folder.cleanup()

    def printed(self):
        """What is on stdout by now."""
        with open(self.out.name, encoding="utf-8") as file:
            return file.read()

    def said(self):
        with open(self.log.name, encoding="utf-8") as file:
            return self.printed() + file.read()

    def await_said(self, word, limit_s=60):
        end = time.monotonic() + limit_s
        while word not in self.said():
            assert time.monotonic() < end, f"'{word}' was not said\n{self.said()}"
            time.sleep(0.05)

    def stop(self):
        """Ctrl-C; returns the exit status and how long it took."""
        begun = time.monotonic()
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(60), time.monotonic() - begun

    def events(self, kind):
        return [event for event in map(json.loads, self.printed().splitlines()) if event["event"] == kind]

    def run(self, *arguments, timeout=60):
        return subprocess.run([self.juggler, *arguments, "--home", self.home], env=self.environment,
                              capture_output=True, text=True, timeout=timeout, check=False)

    def ask(self, *arguments):
        done = self.run(*arguments, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def await_devices(self, count, limit_s=150):
        end = time.monotonic() + limit_s
        live = []
        while time.monotonic() < end:
            assert self.process.poll() is None, self.said()
            done = self.run("devices", "--json")
            if done.returncode == 0:
                live = [one for one in json.loads(done.stdout)["devices"] if one["state"] == "live"]
                if len(live) >= count:
                    return
            time.sleep(0.5)
        raise AssertionError(f"{len(live)} of {count} devices joined\n{self.said()}")

    def url(self, user="submitter"):
        with open(os.path.join(self.home, "broker", "broker.json"), encoding="utf-8") as file:
            broker = json.load(file)
        password = broker["passwords"][user]
        return f"amqp://{user}:{password}@{broker['listen']}:{broker['port']}/juggler"

    def pid_of(self, *words):
        """A child process whose command line holds all of `words`."""
        for entry in os.listdir("/proc"):
            if not entry.isdigit():
                continue
            try:
                with open(f"/proc/{entry}/cmdline", "rb") as file:
                    command = file.read().decode(errors="replace").split("\0")
                with open(f"/proc/{entry}/stat", encoding="ascii") as file:
                    parent = int(file.read().rsplit(")", 1)[1].split()[1])
            except (OSError, ValueError):
                continue
            if parent == self.process.pid and all(word in command for word in words):
                return int(entry)
        raise AssertionError(f"no child process with {words}")


class Client:
    """Submits and collects, as any AMQP client would."""

    def __init__(self, url):
        self.connection = pika.BlockingConnection(pika.URLParameters(url))
        self.channel = self.connection.channel()
        self.channel.confirm_delivery()
        self.replies = self.channel.queue_declare("", exclusive=True).method.queue
        self.outcomes = {}
        self.copies = 0
        self.channel.basic_consume(self.replies, self._collect, auto_ack=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.connection.close()

    def _collect(self, _channel, _method, _properties, body):
        outcome = json.loads(body)
        if outcome["id"] in self.outcomes:
            self.copies += 1
            assert self.outcomes[outcome["id"]]["outcome"] == outcome["outcome"], "contradicted"
        else:
            self.outcomes[outcome["id"]] = outcome

    def submit(self, body, task=None, content_type="image/jpeg", headers=None, **properties):
        task = task or str(uuid.uuid4())
        self.channel.basic_publish(
            "juggler.submit", "juggler.tasks", body, mandatory=True,
            properties=pika.BasicProperties(content_type=content_type, message_id=task,
                                            delivery_mode=2, reply_to=self.replies,
                                            headers=headers or {}, **properties))
        return task

    def collect(self, tasks, limit_s=60):
        end = time.monotonic() + limit_s
        while any(task not in self.outcomes for task in tasks):
            missing = [task for task in tasks if task not in self.outcomes]
            assert time.monotonic() < end, f"no outcome for {len(missing)}: {missing[:3]}"
            self.connection.process_data_events(0.2)
        return [self.outcomes[task] for task in tasks]
