#!/usr/bin/env python3
"""Does the benchmark notice what must not count? Each planted fault has to end without a figure.

usage: bench/self_test.py [path of juggler-bench-floor]
"""

import subprocess
import sys
import unittest

import legs
from broker import PrivateBroker
from roundtrip import build_floor

FLOOR = sys.argv.pop() if len(sys.argv) > 1 else build_floor()


class FaultyFloor(legs.Floor):
    """A floor with one planted fault; `faults` are the options of controller and consumer."""

    def __init__(self, vhost, controller=None, consumer=None):
        super().__init__(FLOOR, vhost)
        self.faults = {"controller": controller, "consumer": consumer}

    def _spawn(self, command, *rest, **named):
        fault = self.faults[command[1]]
        return super()._spawn(command + (["--fault", fault] if fault else []), *rest, **named)

    def client(self, point):
        command, environment = super().client(point)
        return command + ["--stall-s", "2"], environment


POINT = {"payload_bytes": 1024, "outstanding": 4, "warmup_s": 0, "warmup_count": 0, "min_s": 0,
         "min_count": 300}


class RoundTrip(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        vhosts = ["sound", "wrong", "swapped", "silent", "twice", "killed"]
        cls.broker = PrivateBroker(vhosts, ["submitter", "controller"])
        cls.broker.__enter__()
        cls.addClassCleanup(cls.broker.stop)

    def measure(self, leg):
        self.addCleanup(leg.stop)
        leg.start(self.broker)
        return leg.measure(POINT)

    def assert_no_figure(self, leg, why):
        with self.assertRaisesRegex(legs.LegFailed, why):
            self.measure(leg)

    def test_sound_run_has_a_figure(self):
        figures = self.measure(FaultyFloor("sound"))
        self.assertGreaterEqual(figures["samples"], 300)
        self.assertGreater(figures["tasks_per_s"], 0)

    def test_wrong_answer(self):
        self.assert_no_figure(FaultyFloor("wrong", consumer="wrong"), "a wrong answer")

    def test_answer_of_another_task(self):
        self.assert_no_figure(FaultyFloor("swapped", consumer="swapped"), "a wrong answer")

    def test_lost_task(self):
        self.assert_no_figure(FaultyFloor("silent", controller="silent"), "lost: 1 of")

    def test_second_outcome(self):
        self.assert_no_figure(FaultyFloor("twice", controller="twice"), "two outcomes")

    def test_consumer_dies(self):
        leg = FaultyFloor("killed")
        self.measure(leg)
        leg.processes[1].kill()
        leg.processes[1].wait()
        with self.assertRaisesRegex(legs.LegFailed, "lost|a process ended"):
            leg.measure(POINT)

    def test_client_without_broker(self):
        done = subprocess.run([FLOOR, "client", "--broker", "amqp://a:b@127.0.0.1:1/x"],
                              capture_output=True, text=True, timeout=10, check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertEqual(done.stdout, "")
        self.assertIn("no connection", done.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
