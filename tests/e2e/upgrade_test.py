#!/usr/bin/env python3
"""A rolling upgrade under load, and back: the leader hands over to a controller of the next minor version,
and devices are replaced one by one. Nothing is rejected, and nothing expires.

  upgrade_test.py BUILD_DIR NEXT_JUGGLER NEXT_CONSUMER
"""

import os
import sys
import tempfile
import time
import unittest

from plain_broker import PlainBroker
from real_fleet import Load, RealFleet, Tasks, left_in

BUILD = os.path.abspath(sys.argv[1])
NEXT_JUGGLER, NEXT_CONSUMER = (os.path.abspath(path) for path in sys.argv[2:4])
NOW_JUGGLER, NOW_CONSUMER = (os.path.join(BUILD, name) for name in ("juggler", "juggler-consumer"))
DEVICES = ["twin-a", "twin-b", "twin-c"]
RATE_HZ = 20
DEADLINE_S = 5


class Upgrade(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="juggler-upgrade-")
        cls.broker = PlainBroker().__enter__()
        cls.addClassCleanup(cls.folder.cleanup)
        cls.addClassCleanup(cls.broker.__exit__)
        cls.fleet = RealFleet(BUILD, cls.folder.name, [f"amqp://127.0.0.1:{cls.broker.port}/juggler"],
                              cls.broker.rabbitmqctl, DEVICES)
        cls.addClassCleanup(cls.fleet.__exit__)
        cls.broker.control("set_permissions", "-p", "juggler", "submitter", ".*", ".*", ".*")
        cls.fleet.start_controller("now")
        for device in DEVICES:
            cls.fleet.start_device(device)
        Tasks.DEADLINE_S = DEADLINE_S
        cls.load = Load(cls.fleet.login("submitter"), RATE_HZ)
        cls.load.watcher.start()
        cls.fleet.await_devices(cls.load.watcher)
        cls.load.begin()
        time.sleep(3)

    def await_that(self, holds, limit_s=40):
        end = time.monotonic() + limit_s
        while not holds():
            self.assertLess(time.monotonic(), end, self.fleet.logs())
            time.sleep(0.05)

    def hand_over(self, old, new, program):
        """As docs/operating.md says it: the new one stands by, then the old one gets SIGTERM."""
        self.fleet.start_controller(new, "--standby", program=program)
        self.await_that(lambda: "standing by" in self.fleet.processes[new].log())
        time.sleep(1)  # so that it has heard the devices
        moment = time.monotonic()
        self.assertEqual(self.fleet.processes[old].end(10), 0)
        ended = time.monotonic() - moment
        self.await_that(lambda: self.load.completed_after(moment + ended) is not None)
        time.sleep(4)
        self.assertGreater(self.fleet.processes[new].epoch(), 0)
        done = self.load.completed_after(moment)
        print(f"{old} -> {new}: ended after {ended:.2f} s, next task completed after {done:.2f} s, "
              f"longest wait {self.longest(moment):.2f} s")

    def longest(self, since):
        """Of the tasks that were accepted about then: from acceptance to outcome."""
        outcomes, accepted = self.load.collector.outcomes, self.load.submitter.accepted
        return max(outcomes[task][0] - when for task, (when, _) in list(accepted.items())
                   if task in outcomes and since - 2 <= when <= since + 4)

    def replace_devices(self, program):
        for device in DEVICES:
            moment = time.monotonic()
            self.assertEqual(self.fleet.processes[device].end(65), 0, "it did not drain")
            self.fleet.start_device(device, program=program)
            self.await_that(lambda who=device, since=moment: any(
                when > since and name == who and state == "live"
                for when, name, state in list(self.load.watcher.changes)))
            time.sleep(2)
            print(f"{device}: replaced, longest wait {self.longest(moment):.2f} s")
        self.fleet.await_devices(self.load.watcher)

    def test_1_the_controller_is_replaced(self):
        self.hand_over("now", "next", NEXT_JUGGLER)

    def test_2_devices_are_replaced_one_by_one(self):
        self.replace_devices(NEXT_CONSUMER)

    def test_3_and_back_the_devices_first_to_stay(self):
        self.hand_over("next", "now-again", NOW_JUGGLER)

    def test_4_nothing_was_rejected_nothing_was_late(self):
        self.load.end(30)
        print(f"{len(self.load.submitter.accepted)} accepted, {self.load.outcomes()}")
        self.assertGreater(len(self.load.submitter.accepted), 300)
        self.assertEqual(self.load.waiting(), [], self.fleet.logs())
        self.assertEqual(self.load.collector.different, [])
        others = [outcome for _, outcome in self.load.collector.outcomes.values()
                  if outcome["outcome"] != "completed"]
        self.assertEqual(others, [])
        late = [task for task, (when, _) in self.load.submitter.accepted.items()
                if self.load.collector.outcomes[task][0] - when > DEADLINE_S]
        self.assertEqual(late, [])
        versions = {outcome["version"] for _, outcome in self.load.collector.outcomes.values()}
        self.assertEqual(versions, {"1.0", "1.1"}, "both versions gave outcomes")
        self.assertEqual(left_in(self.load.address, ["juggler.dead", "juggler.failed", "juggler.tasks", "juggler.results"]), {},
                         "a message of the other version was not understood")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
