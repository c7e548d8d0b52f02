"""What a chaos run is made of: a broker that can be hurt, and processes."""

import os
import shutil
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "bench"))

from broker import PrivateBroker, die_with_parent, free_port  # noqa: E402,F401  pylint: disable=wrong-import-position,unused-import


class Broker(PrivateBroker):
    """The node of the benchmarks, with its bounds as `juggler up` sets them, mended by Juggler's programs in
    `build` before it starts again, as `up` mends its own."""

    def __init__(self, users, parent, build, **network):
        super().__init__(["juggler"], users, parent=parent, like_up=True, start_timeout_s=180, **network)
        self.build = build

    def kill(self):
        self.signal(signal.SIGKILL)
        self.process.wait()

    def again(self):
        """After its end. A port of the node may be taken for a moment: try once more."""
        subprocess.run([os.path.join(self.build, "juggler"), "broker", "mend",
                        os.path.join(self.folder, "mnesia")], check=True, stdout=subprocess.DEVNULL)
        try:
            self.run()
        except SystemExit:
            if self.process.poll() is None:
                self.kill()
            time.sleep(1)
            self.run()

    def stop(self):
        """Its log outlives it, for who looks into a failure."""
        self.end()
        if self.folder and os.path.isdir(os.path.join(self.folder, "log")):
            shutil.copytree(os.path.join(self.folder, "log"), os.path.join(self.parent, "broker-log"),
                            dirs_exist_ok=True)
        super().stop()

    def messages(self, channel, queue):
        return channel.queue_declare(queue, passive=True).method.message_count


class Process:
    """One of Juggler's programs, on its own link to the broker."""

    def __init__(self, name, arguments, url, folder):
        self.name = name
        self.arguments = arguments
        self.environment = {**os.environ, "JUGGLER_BROKER": url}
        self.log_path = os.path.join(folder, name + ".log")
        self.process = None
        self.rss_max_kib = 0
        self.ended_by_us = False
        self.deaths = []  # how it ended when nobody had asked for it
        self.start()

    def start(self):
        self.ended_by_us = False
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(  # pylint: disable=subprocess-popen-preexec-fn
                self.arguments, env=self.environment, stdin=subprocess.DEVNULL, stdout=log,
                stderr=log, preexec_fn=die_with_parent)

    def signal(self, number):
        self.look_whether_it_died()
        self.ended_by_us = self.ended_by_us or number in (signal.SIGKILL, signal.SIGTERM)
        if self.process.poll() is None:
            self.process.send_signal(number)

    def kill(self):
        self.signal(signal.SIGKILL)
        self.process.wait()

    def leave(self, limit_s):
        """After SIGTERM: it ends in time, and well."""
        status = self.process.wait(limit_s)
        if status not in (0, -signal.SIGKILL):
            self.deaths.append(f"{self.name} left with status {status}")

    def look_whether_it_died(self):
        status = self.process.poll()
        if status is not None and not self.ended_by_us:
            self.ended_by_us = True  # told once
            self.deaths.append(f"{self.name} ended by itself with status {status}: see {self.log_path}")

    def alive(self):
        return self.process.poll() is None

    def end(self, limit_s=30):
        self.signal(signal.SIGCONT)
        self.signal(signal.SIGTERM)
        try:
            return self.process.wait(limit_s)
        except subprocess.TimeoutExpired:
            self.kill()
            return None

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def epoch(self):
        """The last that it took as a controller, by its log; 0 where it never led."""
        lines = self.log().rsplit("leading, epoch ", 1)
        return int(lines[1].split()[0]) if len(lines) > 1 else 0

    def look(self):
        """Remembers the most memory that it had, and whether it ended by itself."""
        self.look_whether_it_died()
        try:
            with open(f"/proc/{self.process.pid}/status", encoding="ascii") as file:
                for line in file:
                    if line.startswith("VmHWM:"):
                        self.rss_max_kib = max(self.rss_max_kib, int(line.split()[1]))
        except OSError:
            pass  # it has ended
