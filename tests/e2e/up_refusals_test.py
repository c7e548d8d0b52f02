#!/usr/bin/env python3
"""What `juggler up` can know to be wrong, it says at once and starts nothing.

  up_refusals_test.py BUILD_DIR MODELS_DIR
"""

import fcntl
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import unittest

BUILD, MODELS = (os.path.abspath(place) for place in sys.argv[1:3])


class Refusals(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="juggler-up-")
        self.home = os.path.join(self.folder.name, "home")
        os.makedirs(self.home)
        os.symlink(MODELS, os.path.join(self.home, "models"))

    def tearDown(self):
        self.folder.cleanup()

    def up(self, *arguments, **variables):
        environment = {**os.environ, "XDG_STATE_HOME": self.folder.name}
        environment.pop("JUGGLER_BROKER", None)
        environment.update(variables)
        begun = time.monotonic()
        done = subprocess.run([os.path.join(BUILD, "juggler"), "up", "--home", self.home, *arguments],
                              env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=60, check=False)
        return done.returncode, done.stdout + done.stderr, time.monotonic() - begun

    def refused(self, word, *arguments):
        status, said, _ = self.up(*arguments)
        self.assertEqual(status, 2, said)
        self.assertIn(word, said)
        self.assertFalse(os.path.exists(os.path.join(self.home, "broker")), "a broker was started")

    def test_a_journal_that_cannot_be_written(self):
        file = os.path.join(self.folder.name, "file")
        with open(file, "w", encoding="utf-8") as other:
            other.write("no folder")
        for place in (file, os.path.join(file, "below"), "/proc/journal"):
            with self.subTest(place=place):
                self.refused("Name another folder", "--journal", place)

    def test_an_unknown_policy(self):
        self.refused("fastest-finish", "--policy", "no-such-policy")

    def test_with_json_a_refusal_is_an_event(self):
        status, said, _ = self.up("--json", "--policy", "no-such-policy")
        event = json.loads(said.splitlines()[0])
        self.assertEqual((event["event"], event["status"], status), ("ended", 2, 2))
        self.assertIn("no-such-policy", event["problem"])

    def test_a_demonstration_without_photographs(self):
        self.refused("no-such-folder", "--demo", os.path.join(self.folder.name, "no-such-folder"))
        empty = os.path.join(self.folder.name, "empty")
        os.makedirs(empty)
        self.refused("empty", "--demo", empty)

    def test_unknown_variants(self):
        self.refused("no-such-net-fp32", "--variants", "efficientnet_lite0-int8,no-such-net-fp32")

    def test_a_controller_configuration_that_is_not_there(self):
        self.refused("no-such.toml", "--controller-config", "no-such.toml")

    def test_a_controller_configuration_that_the_controller_would_refuse(self):
        file = os.path.join(self.folder.name, "controller.toml")
        for word, text in (("controller.toml:1: 'min-acuracy'", 'min-acuracy = "75"'),
                           ("'deadline'", 'deadline = 200'),
                           ("no-such-policy", 'policy = "no-such-policy"'),
                           ("log level", 'log-level = "loud"'),
                           ("names a broker", 'broker = "amqp://a@127.0.0.1:1/c"'),
                           ("holds a password", 'broker = "amqp://a:b@127.0.0.1:1/c"'),
                           ("controller.toml:2", 'seed = 1\npolicy = [')):
            with self.subTest(text=text):
                with open(file, "w", encoding="utf-8") as config:
                    config.write(text)
                self.refused(word, "--controller-config", file)

    def test_a_configuration_that_is_no_file(self):
        for place in ("/tmp", "/dev/zero"):
            with self.subTest(place=place):
                self.refused(place, "--controller-config", place)
                done = subprocess.run([os.path.join(BUILD, "juggler"), "controller", "--config", place],
                                      stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                      timeout=60, check=False)
                self.assertEqual(done.returncode, 2, done.stderr)
                self.assertIn(place, done.stderr)

    def test_labels_of_twins_that_cannot_be_read(self):
        os.makedirs(os.path.join(self.home, "labels"))
        with open(os.path.join(self.home, "labels", "twin-labels.jsonl"), "w", encoding="utf-8") as file:
            file.write("nonsense\n")
        self.refused("twin-labels.jsonl:1", "--no-local", "--twin", "jetson-nano", "--twin-labels")

    def test_a_broker_address_that_is_none(self):
        self.refused("amqp://", "--broker", "not-an-address", "--no-local", "--twin", "jetson-nano")

    def test_a_home_that_another_one_uses(self):
        os.makedirs(os.path.join(self.home, "broker"))
        with open(os.path.join(self.home, "broker", "lock"), "w", encoding="utf-8") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            status, said, took_s = self.up("--twin", "jetson-nano", "--no-local", "--twin-labels")
        self.assertEqual(status, 3, said)
        self.assertIn("already", said)
        self.assertEqual(len(said.splitlines()), 1, "something was started before: " + said)
        self.assertEqual(sorted(os.listdir(self.home)), ["broker", "models"])
        self.assertLess(took_s, 5)

    def test_a_dead_broker(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))  # bound and not listening: nobody answers there
            address = f"amqp://me:secret@127.0.0.1:{taken.getsockname()[1]}/juggler"
            status, said, took_s = self.up("--twin", "jetson-nano", "--no-local", JUGGLER_BROKER=address)
        self.assertEqual(status, 3, said)
        self.assertIn("refused", said)
        self.assertNotIn("secret", said)
        self.assertLess(took_s, 30)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
