#!/usr/bin/env python3
"""The demonstration of `juggler up --demo`: its exit status, and that its requirements change the choices.

  demo_test.py BUILD_DIR MODELS_DIR PHOTOS_DIR
"""

import json
import os
import subprocess
import sys
import tempfile
import unittest

BUILD, MODELS, PHOTOS = (os.path.abspath(place) for place in sys.argv[1:4])
TWINS = ("jetson-orin-nano", "jetson-nano", "raspberry-pi-4", "raspberry-pi-5")


def served(one):
    """The completed outcomes of a set."""
    outcomes = [task["outcome"] for task in one["tasks"] if task["end"] == "answered"]
    return [outcome for outcome in outcomes if outcome["outcome"] == "completed"]


def choice(outcome):
    return outcome["device"], outcome["processor"], outcome["variant"]


class Demonstration(unittest.TestCase):
    def test_deadline_and_energy_limit_change_the_choices(self):
        with tempfile.TemporaryDirectory(prefix="juggler-demo-") as folder:
            home = os.path.join(folder, "home")
            os.makedirs(home)
            os.symlink(MODELS, os.path.join(home, "models"))
            environment = {**os.environ, "XDG_STATE_HOME": folder, "COLUMNS": "160"}
            environment.pop("JUGGLER_BROKER", None)
            twins = [word for twin in TWINS for word in ("--twin", twin)]
            done = subprocess.run(
                [os.path.join(BUILD, "juggler"), "up", "--home", home, "--no-local", "--json", "--demo", PHOTOS, *twins],
                env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=150,
                check=False)
        said = done.stdout + done.stderr
        self.assertEqual(done.returncode, 0, said)
        events = [json.loads(line) for line in done.stdout.splitlines()]
        sets = {event["title"].split(":")[0]: event for event in events if event["event"] == "set"}
        plain = {choice(outcome) for outcome in served(sets["No requirements"])}
        deadline = served(sets["A tight deadline"])
        energy = served(sets["A tight energy limit"])
        self.assertTrue(plain and energy, said)
        if any("hindrance" in one for one in sets.values()):
            self.skipTest("this machine is too busy for a burst of tasks to be one")
        # Shares: in a burst a few tasks go elsewhere in any case.
        elsewhere = [outcome for outcome in deadline if choice(outcome) not in plain]
        self.assertGreaterEqual(8 * len(elsewhere), len(sets["A tight deadline"]["tasks"]), said)
        self.assertNotEqual({choice(outcome) for outcome in energy}, {choice(outcome) for outcome in deadline}, said)
        kept_out = {choice(outcome) for outcome in deadline} - {choice(outcome) for outcome in energy}
        lost = [outcome for outcome in deadline if choice(outcome) in kept_out]
        self.assertGreaterEqual(8 * len(lost), len(sets["A tight deadline"]["tasks"]), said)

        self.assertEqual({event["device"] for event in events if event["event"] == "joined"}, set(TWINS))
        explained = next(event for event in events if event["event"] == "explanation")
        self.assertTrue(explained["candidates"])
        self.assertEqual(events[-1], {"event": "ended", "status": 0})
        progress = [event["what"] for event in events if event["event"] == "progress"]
        self.assertEqual([what for what in progress if what not in done.stderr], [])


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
