#!/usr/bin/env python3
"""`juggler bench` from outside: a scenario live on twins and on a fleet that is up, a stop, refusals.

  bench_test.py BUILD_DIR MODELS_DIR
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import unittest

from fleet import Fleet

BUILD, MODELS = (os.path.abspath(place) for place in sys.argv[1:3])

SCENARIO = """
duration_s = {duration}
rate_hz = 20
[[device]]
board = "raspberry-pi-5"
id = "pi"
count = 2
network = "{network}"
[[class]]
name = "any"
deadline_ms = 5000
payload_bytes = {payload}
[expect]
answered = "all"
"""


def processes_of(folder):
    """Command lines that name the folder: what a run has started and not ended."""
    found = []
    for entry in os.listdir("/proc"):
        try:
            with open(f"/proc/{entry}/cmdline", "rb") as file:
                command = file.read().decode(errors="replace")
        except (OSError, NotADirectoryError):
            continue
        if entry.isdigit() and folder in command:
            found.append(command.replace("\0", " "))
    return found


class Bench(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="juggler-bench-test-")
        self.addCleanup(self.folder.cleanup)
        self.runs = os.path.join(self.folder.name, "runs")
        os.makedirs(self.runs)
        self.environment = {**os.environ, "TMPDIR": self.runs, "XDG_STATE_HOME": self.folder.name}
        self.environment.pop("JUGGLER_BROKER", None)

    def scenario(self, duration=2, network="local", payload=15_000, more=""):
        path = os.path.join(self.folder.name, "tiny.toml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(SCENARIO.format(duration=duration, network=network, payload=payload) + more)
        return path

    def bench(self, *arguments):
        return [os.path.join(BUILD, "juggler"), "bench", *arguments]

    def run_bench(self, *arguments):
        return subprocess.run(self.bench(*arguments), env=self.environment, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=120, check=False)

    def nothing_is_left(self):
        self.assertEqual(os.listdir(self.runs), [])
        self.assertEqual(processes_of(self.runs), [])

    def check_both_sides(self, document, seeds):
        self.assertTrue(document["complete"])
        self.assertEqual(len(document["runs"]), seeds)
        for run in document["runs"]:
            live, simulated = run["live"], run["simulated"]
            self.assertEqual(live["broken"], [])
            self.assertGreater(live["offered"], 10)
            self.assertEqual(live["completed"], live["offered"])
            self.assertEqual(live["lost"], 0)
            self.assertGreater(live["energy_uj"]["per_completed_task"], 0)
            self.assertEqual(simulated["offered"], live["offered"])
            self.assertEqual(simulated["completed"], live["completed"])
            self.assertEqual(run["sender"]["sent"], live["offered"])
            self.assertIn("latency_p99", run["error_percent"])
            self.assertAlmostEqual(run["error_percent"]["throughput_hz"], 0.0)

    def test_a_scenario_live_and_simulated_with_two_seeds(self):
        done = self.run_bench(self.scenario(), "--seeds", "2", "--json")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        document = json.loads(done.stdout)
        self.check_both_sides(document, 2)
        self.assertNotEqual(document["runs"][0]["live"]["offered"], 0)
        self.assertIn("Emulated: 2 twins", document["fleet"])
        self.assertIn("seed 2: 2 s of arrivals", done.stderr)
        self.nothing_is_left()

    def test_twins_are_behind_their_networks(self):
        # A round trip of 5 ms, and 16 ms for a picture of 100 kB through 50 Mbit/s.
        done = self.run_bench(self.scenario(network="wifi", payload=100_000), "--json")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        document = json.loads(done.stdout)
        self.check_both_sides(document, 1)
        self.assertIn("behind the scenario's networks", document["fleet"])
        on_loopback = self.run_bench(self.scenario(network="wifi"), "--loopback", "--json")
        self.assertEqual(on_loopback.returncode, 0, on_loopback.stdout + on_loopback.stderr)
        slow, fast = (of["runs"][0]["live"]["latency_us"]["p50"]
                      for of in (document, json.loads(on_loopback.stdout)))
        self.assertGreater(slow, fast + 15_000)
        self.nothing_is_left()

    def test_ctrl_c_ends_the_run_and_everything_of_it(self):
        process = subprocess.Popen(self.bench(self.scenario(duration=60)), env=self.environment,
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True)
        for line in process.stderr:
            if "s of arrivals" in line:
                break
        time.sleep(0.5)
        self.assertGreater(len(processes_of(self.runs)), 2)
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 1)
        self.assertIn("Stopped: 0 of 1 seeds", said)
        self.nothing_is_left()

    def test_a_fleet_that_is_up(self):
        with Fleet(BUILD, MODELS, ["--no-local", "--twin", "raspberry-pi-5", "--policy",
                                   "fastest-finish"]) as fleet:
            fleet.await_devices(1)
            address = os.path.join(fleet.home, "submitter.url")
            while not os.path.exists(address):  # written when all have joined
                time.sleep(0.1)
            refused = self.run_bench(self.scenario(network="lan"), "--broker-file", address,
                                     "--policy", "juggler")
            self.assertEqual(refused.returncode, 2, refused.stderr)
            done = self.run_bench(self.scenario(network="lan"), "--broker-file", address, "--json")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        document = json.loads(done.stdout)
        self.check_both_sides(document, 1)
        self.assertEqual(document["runs"][0]["policy"], "fastest-finish")
        notes = " ".join(document["notes"])
        self.assertIn("pi-1 is not there", notes)
        self.assertIn("raspberry-pi-5 (raspberry-pi-5) is not in the scenario", notes)

    def test_what_cannot_be_live_is_refused_and_nothing_started(self):
        fault = "[[fault]]\nkind = \"crash\"\ndevice = \"pi-2\"\nat_s = 1\nlasts_s = 1\n"
        for words, of_scenario, arguments in [
                (["crash of pi-2", "juggler simulate"], {"more": fault}, []),
                (["no-such-policy"], {}, ["--policy", "no-such-policy"])]:
            done = self.run_bench(self.scenario(**of_scenario), *arguments)
            self.assertEqual(done.returncode, 2, done.stderr)
            for word in words:
                self.assertIn(word, done.stderr)
            self.nothing_is_left()

    def test_no_broker_is_status_3(self):
        done = self.run_bench(self.scenario(), "--broker", "amqp://a@127.0.0.1:1/x")
        self.assertEqual(done.returncode, 3, done.stderr)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
