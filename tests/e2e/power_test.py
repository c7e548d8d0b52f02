#!/usr/bin/env python3
"""A watt limit over real processes: twins behind a real broker, more asked of them than the limit allows, and the
run held to its promises afterwards by its journal.

  power_test.py BUILD_DIR MODELS_DIR
"""

import json
import os
import sys
import threading
import time
import unittest

from fleet import Client, Fleet

BUILD, MODELS = (os.path.abspath(place) for place in sys.argv[1:3])
TENSOR = b"\0" * (3 * 8 * 8)
HEADERS = {"tensor": "uint8-hwc", "width": 8, "height": 8}
LIMIT_W = 30
TASKS = 240


class Watch(threading.Thread):
    """Asks the controller for its power as often as it answers."""

    def __init__(self, fleet):
        super().__init__(daemon=True)
        self.fleet = fleet
        self.seen = []
        self.stopping = False

    def run(self):
        while not self.stopping:
            done = self.fleet.run("status", "--json")
            if done.returncode == 0:
                self.seen.append(json.loads(done.stdout))


class Power(unittest.TestCase):
    def test_a_fleet_of_twins_never_takes_more_than_its_limit(self):
        def configure(home):
            with open(os.path.join(home, "controller.toml"), "w", encoding="utf-8") as file:
                file.write(f'power-max = "{LIMIT_W}W"\n')

        def arguments(home):
            return ["--no-local", "--twin", "jetson-orin-nano", "--twin", "raspberry-pi-5:2", "--twin",
                    "raspberry-pi-4", "--policy", "fastest-finish", "--controller-config",
                    os.path.join(home, "controller.toml"), "--journal", os.path.join(home, "journal")]

        with Fleet(BUILD, MODELS, arguments, configure) as fleet:
            fleet.await_devices(4)
            at_rest = fleet.ask("status")
            self.assertEqual(at_rest["power_mw_max"], LIMIT_W * 1000)
            self.assertEqual(at_rest["power_mw"], at_rest["power_mw_at_rest"])
            self.assertEqual(at_rest["power_unknown_devices"], 0)
            watch = Watch(fleet)
            watch.start()
            with Client(fleet.url()) as client:
                tasks = [client.submit(TENSOR, content_type="application/octet-stream",
                                       headers={**HEADERS, "deadline_ms": 20_000, "min_accuracy": floor})
                         for floor in [60, 70, 75] * (TASKS // 3)]
                outcomes = client.collect(tasks, 90)
            watch.stopping = True
            watch.join(10)
            counts = {}
            for outcome in outcomes:
                counts[outcome["outcome"]] = counts.get(outcome["outcome"], 0) + 1
            self.assertGreater(counts.get("completed", 0), TASKS // 2, counts)
            worked = [one["power_mw"] for one in watch.seen if one["power_mw"] > one["power_mw_at_rest"]]
            self.assertGreater(len(worked), 0, "nobody was seen at work")
            self.assertLessEqual(max(worked), LIMIT_W * 1000)
            time.sleep(1)  # the journal is written every 0.1 s
            checked = fleet.run("replay", os.path.join(fleet.home, "journal"), "--check", "--json")
        self.assertEqual(checked.returncode, 0, checked.stdout + checked.stderr)
        verdict = json.loads(checked.stdout)
        self.assertEqual(verdict["complaints"], [])
        self.assertGreater(verdict["steps"], TASKS)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], "-v"])
