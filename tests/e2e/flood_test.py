#!/usr/bin/env python3
"""Floods while the fleet serves: a device that invents results as fast as it can, then a submitter that submits as
fast as it can. Others are served meanwhile, every process keeps its memory, and what was accepted is answered, once.

  flood_test.py BUILD_DIR
"""

import json
import os
import sys
import tempfile
import threading
import time
import unittest
import uuid

import pika

from plain_broker import PlainBroker
from real_fleet import NETWORK, Load, RealFleet, Tasks, grey_picture, left_in

BUILD = os.path.abspath(sys.argv[1])
DEVICES = ["twin-a", "twin-b"]  # 33 tasks/s together
RATE_HZ = 5
FLOOD_S = 10
FLOODERS = 3
DEADLINE_S = 5  # of the flood's tasks, and of everybody else's
CONTROLLER_MAX_MIB = 400  # 4,096 tasks or 256 MiB of pictures, and the program
DEVICE_MAX_MIB = 64


class Quiet(Tasks):
    DEADLINE_S = DEADLINE_S

    def priority(self):
        return 0  # as the flood's: nobody is served for being more urgent


class Flood:
    """Publishes what `message` makes, as `user`, from several connections, for FLOOD_S or until the broker refuses."""

    def __init__(self, url, exchange, key, message):
        self.url, self.exchange, self.key, self.message = url, exchange, key, message
        self.sent = self.refused = self.ended = 0
        self.accepted = set()
        self.lock = threading.Lock()
        self.threads = [threading.Thread(target=self.run, daemon=True) for _ in range(FLOODERS)]
        for thread in self.threads:
            thread.start()

    def run(self):
        connection = pika.BlockingConnection(pika.URLParameters(self.url))
        channel = connection.channel()
        channel.confirm_delivery()
        end = time.monotonic() + FLOOD_S
        while time.monotonic() < end:
            body, properties = self.message()
            try:
                channel.basic_publish(self.exchange, self.key, body, properties, mandatory=True)
                with self.lock:
                    self.sent += 1
                    self.accepted.add(properties.message_id)
            except pika.exceptions.NackError:
                self.refused += 1
        connection.close()
        with self.lock:
            self.ended += 1

    def wait(self):
        for thread in self.threads:
            thread.join(FLOOD_S + 60)
        assert self.ended == FLOODERS, f"{self.ended} of {FLOODERS} flooded to the end"


class Floods(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="juggler-flood-")
        cls.broker = PlainBroker().__enter__()
        cls.addClassCleanup(cls.folder.cleanup)
        cls.addClassCleanup(cls.broker.__exit__)
        cls.fleet = RealFleet(BUILD, cls.folder.name, [f"amqp://127.0.0.1:{cls.broker.port}/juggler"],
                              cls.broker.rabbitmqctl, DEVICES, submitters=["submitter", "flooder"])
        cls.addClassCleanup(cls.fleet.__exit__)
        for user in ("submitter", "flooder"):  # durable queues of outcomes, which a submitter alone may not have
            cls.broker.control("set_permissions", "-p", "juggler", user, ".*", ".*", ".*")
        cls.fleet.start_controller("controller")
        for device in DEVICES:
            cls.fleet.start_device(device)
        cls.load = Load(cls.fleet.login("submitter"), RATE_HZ, tasks=Quiet)
        cls.load.watcher.start()
        cls.fleet.await_devices(cls.load.watcher)
        cls.load.begin()
        time.sleep(2)

    def check_the_quiet_one(self, begun):
        """What it submitted since then was completed, soon; and no process took too much memory."""
        moment = time.monotonic()
        accepted = {task: when for task, (when, _) in list(self.load.submitter.accepted.items())
                    if begun <= when < moment}
        end = moment + DEADLINE_S + 5
        while accepted.keys() - self.load.collector.outcomes.keys() and time.monotonic() < end:
            time.sleep(0.05)
        outcomes = {task: self.load.collector.outcomes.get(task) for task in accepted}
        self.assertNotIn(None, outcomes.values(), self.fleet.logs())
        waits = sorted(outcomes[task][0] - when for task, when in accepted.items()
                       if outcomes[task][1]["outcome"] == "completed")
        # It stands in line behind the flood's, as late as is in time: a machine that does much else may be late.
        self.assertGreater(len(waits), 0.9 * len(accepted), self.fleet.logs())
        for process in self.fleet.processes.values():
            process.look()
        memory = {name: process.rss_max_kib >> 10 for name, process in self.fleet.processes.items()}
        print(f"the quiet one: {len(waits)} of {len(accepted)} completed, median {waits[len(waits) // 2]:.2f} s, "
              f"slowest {waits[-1]:.2f} s; most memory, MiB: {memory}", flush=True)
        self.assertGreater(len(waits), FLOOD_S * RATE_HZ / 3)
        self.assertLess(memory["controller"], CONTROLLER_MAX_MIB)
        self.assertLess(max(memory[device] for device in DEVICES), DEVICE_MAX_MIB)

    def a_result(self):
        """One that a device really sent, as the broker saw it."""
        connection = pika.BlockingConnection(pika.URLParameters(self.fleet.login("submitter")))
        channel = connection.channel()
        queue = channel.queue_declare("", exclusive=True).method.queue
        channel.queue_bind(queue, "juggler.up", f"result.{DEVICES[0]}")
        for method, properties, body in channel.consume(queue, inactivity_timeout=30):
            self.assertIsNotNone(method, "no result in 30 s")
            connection.close()
            return json.loads(body), properties

    def test_1_a_device_invents_results(self):
        result, seen = self.a_result()

        def invented():
            properties = pika.BasicProperties(
                content_type=seen.content_type, type=seen.type, user_id=DEVICES[0], delivery_mode=2,
                headers=seen.headers, message_id=str(uuid.uuid4()))
            return json.dumps({**result, "id": str(uuid.uuid4())}).encode(), properties

        begun = time.monotonic()
        flood = Flood(self.fleet.login(DEVICES[0]), "juggler.up", f"result.{DEVICES[0]}", invented)
        flood.wait()
        print(f"{flood.sent / FLOOD_S:.0f} invented results/s, {flood.refused} refused by the broker")
        self.assertGreater(flood.sent, 1000)
        self.check_the_quiet_one(begun)

    def test_2_a_submitter_floods(self):
        picture = grey_picture(200)

        def task():
            return picture + os.urandom(60_000), pika.BasicProperties(
                content_type="image/png", message_id=str(uuid.uuid4()), delivery_mode=2, user_id="flooder",
                reply_to="flood.outcomes", headers={"deadline_ms": DEADLINE_S * 1000, "model": NETWORK})

        connection = pika.BlockingConnection(pika.URLParameters(self.fleet.login("flooder")))
        channel = connection.channel()
        channel.queue_declare("flood.outcomes", durable=True)
        begun = time.monotonic()
        flood = Flood(self.fleet.login("flooder"), "juggler.submit", "juggler.tasks", task)
        flood.wait()
        self.check_the_quiet_one(begun)
        outcomes, said = {}, {}
        for method, _properties, body in channel.consume("flood.outcomes", auto_ack=True, inactivity_timeout=20):
            if method is None:
                break
            outcome = json.loads(body)
            before = outcomes.setdefault(outcome["id"], outcome["outcome"])
            self.assertEqual(before, outcome["outcome"])
            if outcome["id"] in flood.accepted and len(outcomes.keys() & flood.accepted) == len(flood.accepted):
                break
        for kind in outcomes.values():
            said[kind] = said.get(kind, 0) + 1
        connection.close()
        print(f"the flood: {flood.sent / FLOOD_S:.0f} tasks/s accepted, {flood.refused} refused by the broker; {said}")
        self.assertEqual(flood.accepted - outcomes.keys(), set(), self.fleet.logs())
        self.assertGreater(said.get("completed", 0), 5 * FLOOD_S)
        self.assertGreater(said.get("rejected", 0) + said.get("expired", 0), 100, "it was no flood")

    def test_3_everything_accepted_was_answered_once(self):
        self.load.end(Tasks.DEADLINE_S + 30)
        self.assertEqual(self.load.waiting(), [], self.fleet.logs())
        self.assertEqual(self.load.collector.different, [])
        end = time.monotonic() + 30
        while left := left_in(self.load.address, ["juggler.tasks", "juggler.results"]):
            self.assertLess(time.monotonic(), end, left)
            time.sleep(0.5)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
