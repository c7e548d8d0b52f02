#!/usr/bin/env python3
"""A device's login is changed while it runs: with the new file in the place of the old one it comes back by
itself, and keeps its work.

  rotate_test.py BUILD_DIR
"""

import os
import subprocess
import sys
import tempfile
import time
import unittest

from plain_broker import PlainBroker
from real_fleet import Load, Process, RealFleet

BUILD = os.path.abspath(sys.argv[1])
DEVICE = "twin-a"


class Rotate(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="juggler-rotate-")
        cls.broker = PlainBroker().__enter__()
        cls.addClassCleanup(cls.folder.cleanup)
        cls.addClassCleanup(cls.broker.__exit__)
        cls.address = f"amqp://127.0.0.1:{cls.broker.port}/juggler"
        cls.fleet = RealFleet(BUILD, cls.folder.name, [cls.address], cls.broker.rabbitmqctl, [DEVICE])
        cls.addClassCleanup(cls.fleet.__exit__)
        cls.broker.control("set_permissions", "-p", "juggler", "submitter", ".*", ".*", ".*")
        cls.fleet.start_controller("controller")
        cls.file = cls.fleet.file(DEVICE)
        cls.device = Process(DEVICE, [os.path.join(BUILD, "juggler-consumer"), "--id", DEVICE, "--twin-facts",
                                      cls.fleet.facts, "--home", os.path.join(cls.folder.name, "home"),
                                      "--broker-file", cls.file], "", cls.folder.name)
        cls.fleet.processes[DEVICE] = cls.device
        cls.load = Load(cls.fleet.login("submitter"), 10)
        cls.load.watcher.start()
        cls.fleet.await_devices(cls.load.watcher)
        cls.load.begin()

    def rotate(self, out):
        done = subprocess.run([os.path.join(BUILD, "juggler"), "devices", "rotate", DEVICE, "--rabbitmqctl",
                               self.broker.rabbitmqctl, "--address", self.address, "--out", out],
                              capture_output=True, text=True, timeout=120, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)

    def await_completed_after(self, moment, limit_s=40):
        end = time.monotonic() + limit_s
        while self.load.completed_after(moment) is None:
            self.assertLess(time.monotonic(), end, self.device.log()[-3000:])
            time.sleep(0.1)

    def test_1_the_new_file_is_read_at_the_next_connection(self):
        new = os.path.join(self.folder.name, "new")
        self.rotate(new)
        time.sleep(2)  # so long it tries with the password that is void
        self.assertIn("cannot log in", self.device.log())
        moment = time.monotonic()
        os.replace(new, self.file)
        self.await_completed_after(moment)
        self.assertTrue(self.device.alive())
        print(f"served again {self.load.completed_after(moment):.2f} s after the new file was there")

    def test_2_in_place(self):
        self.rotate(self.file)
        self.await_completed_after(time.monotonic())

    def test_3_nothing_was_lost(self):
        self.load.end(60)
        self.assertEqual(self.load.waiting(), [])
        self.assertEqual(set(self.load.outcomes()), {"completed"})

    def test_4_another_users_file_is_not_taken(self):
        with open(self.file, encoding="utf-8") as file:
            text = file.read()
        with open(self.file, "w", encoding="utf-8") as file:
            file.write(text.replace(f"//{DEVICE}:", "//controller:"))
        self.broker.control("close_all_user_connections", DEVICE, "a test")
        end = time.monotonic() + 20
        while "another user's" not in self.device.log():
            self.assertLess(time.monotonic(), end, self.device.log()[-2000:])
            time.sleep(0.1)
        self.assertTrue(self.device.alive())
        self.assertNotIn(text.split(":")[2].split("@")[0], self.device.log(), "a password in the log")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
