#!/usr/bin/env python3
"""Faults of item 1 and 4 that no other test has on real processes: two devices with one name, a full disk
under the journal, an alarm of the broker's disk, queues deleted under load, a broker that is impatient with
what is not acknowledged. Under load throughout; at the end everything accepted was answered, once.

  faults_test.py BUILD_DIR
"""

import glob
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
import unittest

import pika

from plain_broker import PlainBroker
from real_fleet import Load, RealFleet, Tasks, left_in

BUILD = os.path.abspath(sys.argv[1])
DEVICES = ["twin-a", "twin-b"]
RATE_HZ = 15
JOURNAL_FILE_MAX = 200 << 10  # a file may grow to this: then every write fails, as on a full disk


class Faults(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="juggler-faults-")
        cls.broker = PlainBroker().__enter__()
        cls.addClassCleanup(cls.folder.cleanup)
        cls.addClassCleanup(cls.broker.__exit__)
        cls.fleet = RealFleet(BUILD, cls.folder.name, [f"amqp://127.0.0.1:{cls.broker.port}/juggler"],
                              cls.broker.rabbitmqctl, DEVICES)
        cls.addClassCleanup(cls.fleet.__exit__)
        cls.broker.control("set_permissions", "-p", "juggler", "submitter", ".*", ".*", ".*")
        cls.journal = os.path.join(cls.folder.name, "journal")
        # Its own limit, for what it starts afterwards alone: the log is small, the journal is not.
        cls.limit(JOURNAL_FILE_MAX)
        cls.fleet.start_controller("controller", "--journal", cls.journal)
        cls.limit(resource.RLIM_INFINITY)
        for device in DEVICES:
            cls.fleet.start_device(device)
        cls.load = Load(cls.fleet.login("submitter"), RATE_HZ)
        cls.load.watcher.start()
        cls.fleet.await_devices(cls.load.watcher)
        cls.load.begin()
        time.sleep(2)

    @staticmethod
    def limit(size):
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))

    def served_after(self, moment, limit_s=40):
        """Until a task was completed that was accepted after this moment."""
        end = time.monotonic() + limit_s
        while (served := self.load.completed_after(moment)) is None:
            self.assertLess(time.monotonic(), end, self.fleet.logs())
            time.sleep(0.05)
        return served

    def controller_channel(self):
        connection = pika.BlockingConnection(pika.URLParameters(self.fleet.login("controller")))
        self.addCleanup(connection.close)
        return connection.channel()

    def test_1_two_devices_with_one_name(self):
        time.sleep(1.1)  # their incarnations are seconds
        first = self.fleet.processes[DEVICES[0]]
        self.fleet.start_device(DEVICES[0])  # another process; the first still runs
        second = self.fleet.processes[DEVICES[0]]
        time.sleep(6)
        self.assertTrue(first.alive() and second.alive())
        moment = time.monotonic()
        time.sleep(4)
        self.served_after(moment)
        answered = {outcome["device"] for when, outcome in self.load.collector.outcomes.values() if when > moment}
        self.assertEqual(answered, set(DEVICES), "the fleet lost a device")
        first.kill()
        moment = time.monotonic()
        time.sleep(3)
        self.served_after(moment)

    def test_2_queues_are_deleted_under_load(self):
        for queue in ("juggler.results", f"juggler.device.{DEVICES[1]}", f"juggler.device.{DEVICES[1]}.control",
                      "juggler.epoch", "juggler.decided"):
            with self.subTest(queue):
                moment = time.monotonic()
                self.controller_channel().queue_delete(queue)
                time.sleep(4)
                print(f"{queue} deleted: served again after {self.served_after(moment):.2f} s")

    def test_3_an_alarm_of_the_brokers_disk(self):
        self.broker.control("set_disk_free_limit", "1000000GB")
        moment = time.monotonic()
        time.sleep(4)
        self.broker.control("set_disk_free_limit", "64MB")
        over = time.monotonic()
        served = self.served_after(over)
        print(f"disk alarm for {over - moment:.1f} s: served again {served:.2f} s after its end")

    def test_3_rights_are_taken_away_and_given_back(self):
        listed = json.loads(self.broker.control("list_user_permissions", "controller", "--formatter", "json"))
        own = next(rights for rights in listed if rights["vhost"] == "juggler")
        for user, rights in (("controller", [own["configure"], own["write"], own["read"]]),
                             ("submitter", [".*", ".*", ".*"])):
            with self.subTest(user):
                self.broker.control("clear_permissions", "-p", "juggler", user)
                time.sleep(4)
                self.broker.control("set_permissions", "-p", "juggler", user, *rights)
                moment = time.monotonic()
                print(f"the rights of {user} taken away for 4 s: served again after {self.served_after(moment):.2f} s")

    def test_3_the_broker_loses_patience(self):
        """With submissions that wait for devices: it closes the leader's channel (406), and the lead begins anew."""
        self.broker.control("eval", "application:set_env(rabbit, consumer_timeout, 3000),"
                                    " application:set_env(rabbit, channel_tick_interval, 1000).")
        controller = self.fleet.processes["controller"]
        controller.kill()  # channels have their interval from their beginning
        self.limit(JOURNAL_FILE_MAX)
        controller.start()
        self.limit(resource.RLIM_INFINITY)
        moment = time.monotonic()
        self.served_after(moment)
        led = controller.log().count("leading, epoch ")
        for device in DEVICES:
            self.fleet.processes[device].signal(signal.SIGSTOP)
        end = time.monotonic() + 30
        while controller.log().count("leading, epoch ") == led and time.monotonic() < end:
            time.sleep(0.1)
        for device in DEVICES:
            self.fleet.processes[device].signal(signal.SIGCONT)
        self.broker.control("eval", "application:set_env(rabbit, consumer_timeout, 900000).")
        self.assertGreater(controller.log().count("leading, epoch "), led, "the broker's patience was not tried")
        moment = time.monotonic()
        print(f"the broker lost its patience: served again after {self.served_after(moment):.2f} s")

    def test_4_the_disk_under_the_journal_is_full(self):
        """Since the beginning: a file of it cannot grow beyond the limit."""
        self.assertTrue(self.fleet.processes["controller"].alive())
        end = time.monotonic() + 30
        while "the journal" not in self.fleet.processes["controller"].log():
            self.assertLess(time.monotonic(), end, "nothing was said of the full disk")
            time.sleep(0.2)
        moment = time.monotonic()
        self.served_after(moment)
        files = glob.glob(os.path.join(self.journal, "*.jsonl"))
        self.assertTrue(files)
        self.assertTrue(all(os.path.getsize(file) <= JOURNAL_FILE_MAX for file in files))
        done = subprocess.run([os.path.join(BUILD, "juggler"), "replay", self.journal, "--json"],
                              capture_output=True, text=True, timeout=120, check=False)
        report = json.loads(done.stdout)
        self.assertGreater(report["steps"], 50, "what was written before is there, and is reproduced")
        self.assertIsNone(report["difference"])

    def test_5_everything_accepted_was_answered_once(self):
        self.load.end(Tasks.DEADLINE_S + 30)
        print(f"{len(self.load.submitter.accepted)} accepted, {self.load.outcomes()}, "
              f"{self.load.collector.copies} copies")
        self.assertEqual(self.load.waiting(), [], self.fleet.logs())
        self.assertEqual(self.load.collector.different, [])
        end = time.monotonic() + 20
        while left := left_in(self.load.address, ["juggler.tasks", "juggler.results"]):
            self.assertLess(time.monotonic(), end, left)
            time.sleep(0.5)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
