#!/usr/bin/env python3
"""The demonstration of `juggler up --demo`: its exit status, and that its requirements change the choices.

  demo_test.py BUILD_DIR MODELS_DIR PHOTOS_DIR
"""

import os
import re
import subprocess
import sys
import tempfile
import unittest

BUILD, MODELS, PHOTOS = (os.path.abspath(place) for place in sys.argv[1:4])
TWINS = ("jetson-orin-nano", "jetson-nano", "raspberry-pi-4", "raspberry-pi-5")
PLACE = re.compile(r"(\S+-fp\d+|\S+-int8)\s+\d+\.\d %\s+(\S+ \S+)")  # of a row: variant; device, processor


def choices(table, title):
    """What served in the set with this title: the rows up to the next empty line."""
    rows = table[table.index("\n" + title):].split("\n\n")[0]
    return {match.groups() for match in PLACE.finditer(rows)}


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
                [os.path.join(BUILD, "juggler"), "up", "--home", home, "--no-local", "--demo", PHOTOS, *twins],
                env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=150,
                check=False)
        said = done.stdout + done.stderr
        self.assertEqual(done.returncode, 0, said)
        plain = choices(done.stdout, "No requirements")
        deadline = choices(done.stdout, "A tight deadline")
        energy = choices(done.stdout, "A tight energy limit")
        self.assertTrue(plain and energy, said)
        self.assertTrue(deadline - plain, said)
        self.assertNotEqual(energy, deadline, said)
        self.assertIn("has joined", done.stderr)  # progress; results alone are on stdout
        self.assertNotRegex(done.stdout, r"(?m)^\[ *\d+\.\d s\]")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
