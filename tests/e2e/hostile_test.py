#!/usr/bin/env python3
"""Messages that are made to do harm, by logins that may send them: forged reply addresses, headers that the broker
acts on, headers that are no text. An honest client submits meanwhile, by a client that is not ours (pika): all that
is his is completed, one controller leads all the time, keeper and desk keep their connections, and nothing that the
broker keeps for others is pushed out.

  hostile_test.py BUILD_DIR
"""

import base64
import json
import os
import struct
import subprocess
import sys
import tempfile
import time
import unittest
import uuid

import pika

from plain_broker import PlainBroker
from real_fleet import NETWORK, Load, Process, RealFleet, Tasks, grey_picture, left_in

BUILD = os.path.abspath(sys.argv[1])
JUGGLER = os.path.join(BUILD, "juggler")
DEVICES = ["twin-a", "twin-b"]
RATE_HZ = 5
QUEUES = ["juggler.tasks", "juggler.results", "juggler.decided", "juggler.epoch", "juggler.dead", "juggler.failed",
          "juggler.unrouted"]
FORGED_NODES = 20


def forged_address(number):
    """A direct reply-to address as the broker's own are, of a process on a node that does not exist."""
    node = f"rabbit@forged-{number}.invalid".encode()
    process = b"\x83X" + b"w" + bytes([len(node)]) + node + struct.pack(">III", 1_000, 0, 1)
    return f"amq.rabbitmq.reply-to.{base64.b64encode(process).decode()}.{base64.b64encode(b'0' * 16).decode()}"


FORGED = ["amq.rabbitmq.reply-to.%%%.x", "amq.rabbitmq.reply-to.", "amq.rabbitmq.reply-to.AAAA.x",
          *(forged_address(number) for number in range(FORGED_NODES))]


def deep(levels):
    table = {"a": 1}
    for _ in range(levels):
        table = {"a": table}
    return table


# What pika writes as a list, a table, nothing, a decimal, a time.
HEADERS = [{"CC": ["x"]}, {"CC": []}, {"BCC": ["x"]}, {"CC": ["juggler.results", FORGED[0]]}, {"x-death": [1, 2]},
           {"x-death": "text"}, {"x-death": [{"queue": 7}]}, {"x-death": None}, {"x-delivery-count": "many"},
           {"x-first-death-queue": ["x"]}, {"a": deep(200)}, {"a": [deep(50)] * 20}, {"model": None, "top_k": [1]},
           {"n" * 200: "x"}]


class Honest(Tasks):
    DEADLINE_S = 20


class Hostile(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="juggler-hostile-")
        cls.broker = PlainBroker().__enter__()
        cls.addClassCleanup(cls.folder.cleanup)
        cls.addClassCleanup(cls.broker.__exit__)
        cls.address = f"amqp://127.0.0.1:{cls.broker.port}/juggler"
        cls.fleet = RealFleet(BUILD, cls.folder.name, [cls.address], cls.broker.rabbitmqctl, DEVICES,
                              submitters=["submitter", "evil"])
        cls.addClassCleanup(cls.fleet.__exit__)
        # A durable queue of outcomes, which a submitter alone may not have.
        cls.broker.control("set_permissions", "-p", "juggler", "submitter", ".*", ".*", ".*")
        cls.fleet.start_controller("controller")
        for device in DEVICES:
            cls.fleet.start_device(device)
        cls.load = Load(cls.fleet.login("submitter"), RATE_HZ, tasks=Honest)
        cls.load.watcher.start()
        cls.fleet.await_devices(cls.load.watcher)
        cls.fleet.start_controller("standby", "--standby")
        cls.admin = ["--rabbitmqctl", cls.broker.rabbitmqctl, "--address", cls.address]
        home = os.path.join(cls.folder.name, "home")
        cls.start("keeper", "keeper", "--home", home)
        cls.start("desk", "desk", *cls.admin)
        cls.load.begin()
        time.sleep(2)
        cls.epoch = cls.load.watcher.status["epoch"]

    @classmethod
    def start(cls, name, *arguments):
        cls.fleet.processes[name] = Process(name, [JUGGLER, *arguments], cls.fleet.login("controller"),
                                            cls.folder.name)
        end = time.monotonic() + 60
        while "ready: " not in cls.log(name):
            assert time.monotonic() < end, cls.fleet.logs()
            time.sleep(0.1)

    @classmethod
    def log(cls, name):
        return cls.fleet.processes[name].log()

    def send(self, address, exchange, key, body, **properties):
        """Confirmed; what the broker itself refuses is not what is tested here."""
        connection = pika.BlockingConnection(pika.URLParameters(address))
        try:
            channel = connection.channel()
            channel.confirm_delivery()
            channel.basic_publish(exchange, key, body, pika.BasicProperties(**properties))
        except pika.exceptions.ChannelClosedByBroker as refusal:
            print(f"refused by the broker: {refusal.reply_text[:100]}", flush=True)
        finally:
            if connection.is_open:
                connection.close()

    def evil(self, *message, **properties):
        self.send(self.fleet.login("evil"), *message, user_id="evil", **properties)

    def device(self, *message, **properties):
        self.send(self.fleet.login(DEVICES[0]), *message, user_id=DEVICES[0], **properties)

    def ask(self, exchange, key, question, address=None, limit_s=30, **properties):
        """The answer to who asks as he should, into a queue of his own."""
        connection = pika.BlockingConnection(pika.URLParameters(address or self.fleet.login("evil")))
        channel = connection.channel()
        replies = channel.queue_declare("", exclusive=True).method.queue
        channel.basic_publish(exchange, key, json.dumps(question),
                              pika.BasicProperties(reply_to=replies, **properties), mandatory=True)
        for _method, _properties, body in channel.consume(replies, auto_ack=True, inactivity_timeout=limit_s):
            connection.close()
            self.assertIsNotNone(body, f"no answer to {question}\n{self.fleet.logs()}")
            return json.loads(body)

    def all_is_well(self):
        """The honest client is served, now; nobody has lost a connection."""
        moment = time.monotonic()
        end = moment + 30
        while self.load.completed_after(moment) is None:
            self.assertLess(time.monotonic(), end, f"nothing is completed any more\n{self.fleet.logs()}")
            time.sleep(0.05)
        self.assertEqual(self.ask("juggler.submit", "juggler.queries", {"query": "status"},
                                  type="juggler.query.v1")["epoch"], self.epoch, self.fleet.logs())
        for name in ("controller", "keeper", "desk"):
            self.assertNotIn("no connection to the broker", self.log(name))
        self.assertEqual(self.log("standby").count("leading, epoch"), 0, self.fleet.logs())
        left_in(self.load.address, QUEUES)  # they are there

    def test_1_forged_reply_addresses(self):
        picture = {"content_type": "image/png", "headers": {"model": NETWORK, "deadline_ms": 5000}, "delivery_mode": 2}
        token, = subprocess.run([JUGGLER, "devices", "invite", *self.admin], capture_output=True, text=True,
                                timeout=120, check=True).stdout.splitlines()
        joiner = token.split("//")[1].split(":")[0]
        asked = {"device": DEVICES[0], "version": "x", "holds": "", "held": [], "problems": []}
        chunk = {"device": DEVICES[0], "sha256": "a" * 64, "offset": 0}
        join = {"device": "new", "version": "x", "unix_s": int(time.time())}
        for forged in FORGED:
            self.evil("juggler.submit", "juggler.tasks", grey_picture(), reply_to=forged, message_id=str(uuid.uuid4()),
                      **picture)
            for query, key in (("status", "juggler.queries"), ("tasks", "juggler.queries"), ("fleet", "juggler.keeper")):
                self.evil("juggler.submit", key, json.dumps({"query": query}), type="juggler.query.v1", reply_to=forged)
            for kind, body in (("models-asked", asked), ("models-asked", {}), ("chunk-asked", chunk)):
                self.device("juggler.models", "juggler.fetches", json.dumps(body), type=f"juggler.{kind}.v1",
                            reply_to=forged)
            self.send(token, "juggler.join", "juggler.joins", json.dumps(join), type="juggler.join.v1", user_id=joiner,
                      reply_to=forged)
        self.all_is_well()
        self.assertIn("devices", self.ask("juggler.submit", "juggler.keeper", {"query": "fleet"},
                                          type="juggler.query.v1"))
        answer = self.ask("juggler.join", "juggler.joins", {**join, "device": "controller"}, token,
                          type="juggler.join.v1", user_id=joiner)
        self.assertEqual(answer["code"], "name")
        known = self.broker.control("eval", (
            "[N || N <- lists:seq(0, %d), try binary_to_existing_atom(iolist_to_binary(["
            '"rabbit@forged-", integer_to_list(N), ".invalid"]), utf8), true catch _:_ -> false end].') % FORGED_NODES)
        self.assertEqual(known.strip(), "[]", "names that a client has invented are in the broker for good")

    def test_2_headers_that_the_broker_acts_on(self):
        for headers in HEADERS:
            for body in (b"junk", grey_picture()):
                self.evil("juggler.submit", "juggler.tasks", body, type="x", delivery_mode=2, headers=headers)
                self.evil("juggler.submit", "juggler.tasks", body, content_type="image/png", delivery_mode=2,
                          headers={"model": NETWORK, "deadline_ms": 5000, **headers})
            self.evil("juggler.submit", "juggler.queries", b"junk", type="juggler.query.v1", headers=headers)
            self.evil("juggler.submit", "juggler.keeper", b"junk", type="juggler.query.v1", headers=headers)
            for kind in ("result", "heartbeat", "hello"):
                self.device("juggler.up", f"{kind}.{DEVICES[0]}", b"junk", type=f"juggler.{kind}.v1", delivery_mode=2,
                            headers=headers)
            self.device("juggler.models", "juggler.fetches", b"junk", type="juggler.chunk-asked.v1", headers=headers)
        self.all_is_well()
        self.assertGreater(left_in(self.load.address, ["juggler.dead"])["juggler.dead"], 4 * len(HEADERS))

    def test_3_what_is_malformed_pushes_out_nobodys_outcome(self):
        controller = pika.BlockingConnection(pika.URLParameters(self.fleet.login("controller")))
        controller.channel().queue_purge("juggler.unrouted")  # of tasks without a reply_to
        controller.close()
        for reply_to in (None, "nobodys-queue"):
            for _ in range(20):
                self.evil("juggler.submit", "juggler.tasks", b"junk", type="x", reply_to=reply_to)
        self.all_is_well()
        self.assertEqual(left_in(self.load.address, ["juggler.unrouted"]), {})

    def test_4_everything_honest_was_completed(self):
        self.load.end(Honest.DEADLINE_S + 10)
        self.assertEqual(self.load.waiting(), [], self.fleet.logs())
        self.assertEqual(self.load.collector.different, [])
        print(f"{len(self.load.submitter.accepted)} accepted, {self.load.outcomes()}", flush=True)
        self.assertEqual(list(self.load.outcomes()), ["completed"], self.fleet.logs())
        self.assertEqual({epoch for _when, epoch in self.load.watcher.leads}, {self.epoch})

    def test_5_what_ends_in_the_queue_of_tasks_while_nobody_leads(self):
        for name in ("controller", "standby"):
            self.fleet.processes[name].end(30)
        for headers in HEADERS:
            self.evil("juggler.submit", "juggler.tasks", b"junk", type="x", delivery_mode=2, expiration="1",
                      headers=headers)
        time.sleep(2)
        self.evil("juggler.submit", "juggler.tasks", b"honest", type="x", delivery_mode=2)
        self.assertEqual(left_in(self.load.address, ["juggler.tasks"]), {"juggler.tasks": 1})
        self.fleet.start_controller("controller")
        end = time.monotonic() + 60
        while left_in(self.load.address, ["juggler.tasks"]):
            self.assertLess(time.monotonic(), end, self.fleet.logs())
            time.sleep(0.5)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
