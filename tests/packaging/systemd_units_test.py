#!/usr/bin/env python3
"""The systemd units: how exposed a service is, by systemd's own account, and where its secret comes
from. Needs systemd-analyze with --offline (250 or newer); is skipped elsewhere."""

import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

UNITS = sorted(glob.glob(os.path.join(sys.argv[1], "packaging", "systemd", "*.service")))
EXPOSURE_MAX = 2.5


def exposure(unit):
    done = subprocess.run(["systemd-analyze", "security", "--offline=true", "--no-pager", unit],
                          env={**os.environ, "LC_ALL": "C.UTF-8"}, capture_output=True, text=True,
                          timeout=30, check=False)
    found = re.search(r"Overall exposure level for \S+: ([0-9.]+)", done.stdout)
    assert found, done.stdout + done.stderr
    return float(found[1])


def settings(unit):
    with open(unit, encoding="utf-8") as file:
        return [line.strip() for line in file if line.strip() and not line.startswith(("#", "["))]


class Units(unittest.TestCase):
    def test_all_services_are_there(self):
        self.assertEqual([os.path.basename(unit) for unit in UNITS],
                         ["juggler-consumer.service", "juggler-controller.service", "juggler-desk.service",
                          "juggler-keeper.service", "juggler-serve.service"])

    def test_exposure(self):
        for unit in UNITS:
            with self.subTest(unit=unit):
                self.assertLessEqual(exposure(unit), EXPOSURE_MAX)

    def test_without_its_hardening_a_unit_would_fail(self):
        for unit in UNITS:
            with self.subTest(unit=unit), tempfile.TemporaryDirectory() as folder:
                bare = os.path.join(folder, os.path.basename(unit))
                with open(bare, "w", encoding="utf-8") as file:
                    file.write("[Service]\n" + "\n".join(
                        line for line in settings(unit) if line.startswith(("Type=", "ExecStart="))) + "\n")
                self.assertGreater(exposure(bare), EXPOSURE_MAX)

    def test_every_setting_is_one_that_systemd_knows(self):
        for unit in UNITS:
            done = subprocess.run(["systemd-analyze", "verify", "--man=no", unit],
                                  capture_output=True, text=True, timeout=30, check=False)
            # The programs are not installed where this is tested.
            said = [line for line in done.stderr.splitlines() if "is not executable" not in line]
            self.assertEqual([line for line in said if os.path.basename(unit) in line], [])

    def test_the_secret_is_a_credential_and_nothing_else(self):
        for unit in UNITS:
            lines = settings(unit)
            credentials = [line for line in lines if line.startswith("LoadCredential=")]
            self.assertRegex(credentials[0], r"^LoadCredential=broker:/etc/juggler/credentials/\w+$")
            for line in lines:
                if line.startswith(("ExecStart=", "Environment=")):
                    self.assertNotIn("amqp", line)
                    self.assertNotIn("--broker", line)
                # An environment is inherited: where a board's ONNX Runtime is may stand in one, and nothing else.
                if line.startswith("EnvironmentFile="):
                    self.assertEqual(line, "EnvironmentFile=-/etc/default/juggler-consumer")

    def test_no_user_has_the_secrets_of_two(self):
        # Who gets into one service reads the processes of its user, and their credentials.
        secrets = {}
        for unit in UNITS:
            lines = settings(unit)
            user, = [line for line in lines if line.startswith("User=")]
            self.assertIn(user.replace("User=", "Group="), lines)
            broker, = [line for line in lines if line.startswith("LoadCredential=broker:")]
            secrets.setdefault(user, set()).add(broker)
        for user, files in secrets.items():
            self.assertEqual(len(files), 1, f"{user}: {files}")


if __name__ == "__main__":
    helped = subprocess.run(["systemd-analyze", "--help"], capture_output=True, text=True, check=False) \
        if shutil.which("systemd-analyze") else None
    if helped is None or "--offline" not in helped.stdout:
        print("skipped: no systemd-analyze with --offline here")
        sys.exit(77)
    unittest.main(argv=sys.argv[:1], verbosity=2)
