#!/usr/bin/env python3
"""Permissions tested by trying: with the real logins that `juggler broker provision` and `juggler
devices enrol` write, on a RabbitMQ of somebody's own, by a client that is not ours (pika) and means
ill. What must work is tried beside what must not, so that a broker that refuses everything fails too."""

import contextlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import unittest

import pika
from pika.exceptions import AMQPConnectionError, ChannelClosedByBroker, NackError

from plain_broker import PlainBroker, mode_of

BUILD = os.path.abspath(sys.argv[1])
JUGGLER = os.path.join(BUILD, "juggler")
DENIED = 403


def read(path):
    return pathlib.Path(path).read_text(encoding="utf-8")


class Login:
    """One login's connection; each try has a channel of its own, which a refusal closes."""

    def __init__(self, file):
        with open(file, encoding="utf-8") as text:
            self.address = text.readline().strip()
        self.connection = pika.BlockingConnection(pika.URLParameters(self.address))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.connection.is_open:
            self.connection.close()

    def channel(self):
        return self.connection.channel()

    def refused(self, work):
        """The broker's reply code to `work(channel)`, or 0 where it was done."""
        channel = self.connection.channel()
        channel.confirm_delivery()
        try:
            work(channel)
        except ChannelClosedByBroker as refusal:
            return refusal.reply_code
        channel.close()
        return 0


def publish(exchange, key, body=b"{}", **properties):
    return lambda channel: channel.basic_publish(exchange, key, body,
                                                 properties=pika.BasicProperties(**properties))


class Permissions(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.broker = PlainBroker().__enter__()
        cls.folder = tempfile.TemporaryDirectory(prefix="juggler-permissions-")
        cls.out = os.path.join(cls.folder.name, "out")
        cls.address = f"amqp://127.0.0.1:{cls.broker.port}"
        cls.admin = ["--rabbitmqctl", cls.broker.rabbitmqctl, "--address", cls.address + "/juggler"]
        cls.provisioned = cls.provision()

    @classmethod
    def tearDownClass(cls):
        cls.broker.__exit__()
        cls.folder.cleanup()

    @classmethod
    def provision(cls):
        return subprocess.run([JUGGLER, "broker", "provision", "--address", cls.address, "--out", cls.out,
                               "--device", "edge01,edge02", "--submitter", "alice,bob",
                               "--rabbitmqctl", cls.broker.rabbitmqctl],
                              capture_output=True, text=True, timeout=280, check=False)

    def login(self, name):
        return Login(os.path.join(self.out, "credentials", name))

    def devices(self, *arguments):
        return subprocess.run([JUGGLER, "devices", *arguments, *self.admin], cwd=self.folder.name,
                              capture_output=True, text=True, timeout=280, check=False)

    def file(self, name):
        return os.path.join(self.out, "credentials", name)

    def juggler(self, login, *arguments, status=0):
        """As the holder of that login runs it; what it printed."""
        done = subprocess.run([JUGGLER, *arguments, "--broker-file", self.file(login)], cwd=self.folder.name,
                              capture_output=True, text=True, timeout=120, check=False)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return done.stdout + done.stderr

    @contextlib.contextmanager
    def controller(self):
        """One that leads until the block ends; the path of its log."""
        log = os.path.join(self.folder.name, f"{self.id()}.log")
        with open(log, "wb") as file:
            process = subprocess.Popen([JUGGLER, "controller", "--broker-file", self.file("controller")],
                                       stdin=subprocess.DEVNULL, stdout=file, stderr=file, cwd=self.folder.name)
        try:
            self.until(lambda: "leading, epoch" in read(log), "it leads")
            yield log
        finally:
            process.terminate()
            process.wait(60)

    def until(self, found, what, limit_s=60):
        end = time.monotonic() + limit_s
        while not (result := found()):
            self.assertLess(time.monotonic(), end, f"not in {limit_s} s: {what}")
            time.sleep(0.1)
        return result

    def tasks_told(self, login):
        """The tasks that its holder is told of; and of how many it is not."""
        answer = json.loads(self.juggler(login, "tasks", "--json"))
        return {task["id"] for task in answer["tasks"]}, answer["not_shown"]

    def each_refused(self, login, tries):
        for what, code, work in tries:
            with self.subTest(what):
                self.assertEqual(login.refused(work), code)

    def test_provisioning_is_private_and_may_be_repeated(self):
        self.assertEqual(self.provisioned.returncode, 0, self.provisioned.stderr)
        names = ["alice", "bob", "controller", "edge01", "edge02"]
        folder = os.path.join(self.out, "credentials")
        self.assertEqual(sorted(os.listdir(folder)), names)
        passwords = {}
        for name in names:
            self.assertEqual(mode_of(os.path.join(folder, name)), 0o600)
            with open(os.path.join(folder, name), encoding="utf-8") as file:
                passwords[name] = file.read()
        self.assertEqual(mode_of(folder), 0o700)
        with open(os.path.join(self.out, "definitions.json"), encoding="utf-8") as file:
            definitions = file.read()
        said = self.provisioned.stdout + self.provisioned.stderr + definitions
        for address in passwords.values():
            self.assertNotIn(pika.URLParameters(address.strip()).credentials.password, said)
        self.assertEqual(self.provision().returncode, 0)
        for name in names:
            with open(os.path.join(folder, name), encoding="utf-8") as file:
                self.assertEqual(file.read(), passwords[name], "another password for somebody who had one")
        users = json.loads(self.broker.control("list_users", "-q", "--formatter", "json"))
        self.assertEqual(sorted(user["user"] for user in users), sorted([*names, "guest"]))

    def test_a_device_does_its_own_work(self):
        with self.login("edge01") as device, self.login("controller") as controller:
            for kind in ("hello", "heartbeat", "result"):
                self.assertEqual(device.refused(publish("juggler.up", f"{kind}.edge01", user_id="edge01")), 0)
            self.assertEqual(device.refused(publish("juggler.models", "juggler.fetches", user_id="edge01")), 0)
            self.assertEqual(controller.refused(publish("juggler.dispatch", "edge01", b"work")), 0)
            channel = device.channel()
            self.assertEqual(channel.basic_get("juggler.device.edge01", auto_ack=True)[2], b"work")
            self.assertEqual(channel.queue_declare("juggler.device.edge01.control", passive=True)
                             .method.queue, "juggler.device.edge01.control")

    def test_a_device_does_nothing_else(self):
        own, other = "juggler.device.edge01", "juggler.device.edge02"
        with self.login("edge01") as device:
            self.each_refused(device, [
                (f"read {queue}", DENIED, lambda channel, queue=queue: channel.basic_get(queue))
                for queue in (other, other + ".control", "juggler.tasks", "juggler.results",
                              "juggler.decided", "juggler.dead", "juggler.failed", "juggler.epoch",
                              "juggler.fetches", "juggler.fleet", "juggler.keeper")])
            self.each_refused(device, [
                ("consume another's", DENIED, lambda c: c.basic_consume(other, lambda *_: None)),
                ("speak as another", DENIED, publish("juggler.up", "result.edge02")),
                ("beat as another", DENIED, publish("juggler.up", "heartbeat.edge02")),
                ("greet as another", DENIED, publish("juggler.up", "hello.edge02")),
                ("speak of something else", DENIED, publish("juggler.up", "command.edge01")),
                ("sign as another", 406, publish("juggler.up", "result.edge01", user_id="edge02")),
                ("sign as the controller", 406, publish("juggler.up", "result.edge01", user_id="controller")),
                ("ask for another's models", 406, publish("juggler.models", "juggler.fetches", user_id="edge02")),
                ("change the fleet's record", DENIED, publish("", "juggler.fleet")),
                ("write to the default exchange", DENIED, publish("", "juggler.results")),
                ("dispatch", DENIED, publish("juggler.dispatch", "edge02")),
                ("dispatch to itself", DENIED, publish("juggler.dispatch", "edge01")),
                ("order another about", DENIED, publish("juggler.control", "device.edge02")),
                ("submit", DENIED, publish("juggler.submit", "juggler.tasks")),
                ("dead-letter", DENIED, publish("", "juggler.dead")),
                ("forge a failed task", DENIED, publish("", "juggler.failed")),
                ("beat past its key", DENIED, publish("juggler.heard", "heartbeat.edge02")),
                ("enrol somebody", DENIED, publish("juggler.join", "juggler.joins")),
                ("declare a queue", DENIED, lambda c: c.queue_declare("mine")),
                ("declare a queue of ours", DENIED, lambda c: c.queue_declare("juggler.mine")),
                ("declare a nameless queue", DENIED, lambda c: c.queue_declare("", exclusive=True)),
                ("declare its own queue", DENIED, lambda c: c.queue_declare(own, durable=True)),
                ("declare an exchange", DENIED, lambda c: c.exchange_declare("juggler.mine")),
                ("delete its own queue", DENIED, lambda c: c.queue_delete(own)),
                ("delete another's queue", DENIED, lambda c: c.queue_delete(other)),
                ("delete an exchange", DENIED, lambda c: c.exchange_delete("juggler.up")),
                ("purge another's queue", DENIED, lambda c: c.queue_purge(other)),
                ("bind another's queue", DENIED, lambda c: c.queue_bind(other, "juggler.up", "result.edge01")),
                ("bind its queue to all results", DENIED, lambda c: c.queue_bind(own, "juggler.up", "result.*")),
            ])

    def test_a_submitter_submits_and_does_nothing_else(self):
        with self.login("alice") as alice, self.login("bob") as bob, self.login("controller") as controller:
            replies = alice.channel().queue_declare("", exclusive=True).method.queue
            self.assertEqual(alice.refused(publish("juggler.submit", "juggler.tasks", b"picture",
                                                   reply_to=replies, user_id="alice")), 0)
            self.assertEqual(controller.refused(publish("", replies, b"answer")), 0)
            channel = alice.channel()
            self.assertEqual(channel.basic_get(replies, auto_ack=True)[2], b"answer")
            self.assertEqual(controller.refused(publish("", replies, b"another answer")), 0)
            self.each_refused(bob, [
                ("read another's answers", 405, lambda c: c.basic_get(replies)),
                ("delete another's answers", 405, lambda c: c.queue_delete(replies)),
                ("answer in the controller's place", DENIED, publish("", replies, b"forged")),
                ("submit as another", 406, publish("juggler.submit", "juggler.tasks", user_id="alice")),
                ("speak as a device", DENIED, publish("juggler.up", "result.edge01")),
                ("give a device work", DENIED, publish("juggler.dispatch", "edge01")),
                ("read what others submit", DENIED, lambda c: c.basic_get("juggler.tasks")),
                ("ask for models", DENIED, publish("juggler.models", "juggler.fetches")),
                ("read the fleet's record", DENIED, lambda c: c.basic_get("juggler.fleet")),
                ("change the fleet's record", DENIED, publish("", "juggler.fleet")),
                ("read outcomes that nobody took", DENIED, lambda c: c.basic_get("juggler.unrouted")),
                ("read what failed", DENIED, lambda c: c.basic_get("juggler.failed")),
                ("read what was malformed", DENIED, lambda c: c.basic_get("juggler.dead")),
                ("forge a failed task", DENIED, publish("", "juggler.failed")),
                ("read a device's queue", DENIED, lambda c: c.basic_get("juggler.device.edge01")),
                ("listen to all submissions", DENIED, lambda c: c.queue_bind(
                    c.queue_declare("", exclusive=True).method.queue, "juggler.submit", "juggler.tasks")),
                ("listen to devices", DENIED, lambda c: c.queue_bind(
                    c.queue_declare("", exclusive=True).method.queue, "juggler.up", "#")),
                ("declare the queue of questions", DENIED, lambda c: c.queue_declare("juggler.queries")),
                ("delete the tasks", DENIED, lambda c: c.queue_delete("juggler.tasks")),
                ("purge the tasks", DENIED, lambda c: c.queue_purge("juggler.tasks")),
            ])
        with self.login("controller") as controller:
            controller.channel().queue_purge("juggler.tasks")

    def test_b_submitters_are_told_of_their_own_tasks_alone(self):
        with self.controller(), self.login("alice") as alice, self.login("bob") as bob:
            pixel = {"content_type": "application/octet-stream",
                     "headers": {"tensor": "uint8-hwc", "width": 1, "height": 1}}
            for name, login in (("alice", alice), ("bob", bob)):
                self.assertEqual(login.refused(publish(
                    "juggler.submit", "juggler.tasks", b"rgb", message_id=f"of-{name}", user_id=name,
                    reply_to=f"{name}-replies", **pixel)), 0)
            self.assertEqual(alice.refused(publish("juggler.submit", "juggler.tasks", b"rgb", message_id="of-nobody",
                                                   reply_to="nobodys-replies", **pixel)), 0)
            all_three = {"of-alice", "of-bob", "of-nobody"}
            self.until(lambda: self.tasks_told("controller") == (all_three, 0), "all are there")
            for name in ("alice", "bob"):
                self.assertEqual(self.tasks_told(name), ({f"of-{name}"}, 2))
            said = self.juggler("bob", "tasks")
            self.assertIn("2 tasks of others are not shown", said)
            self.assertNotIn("alice", said)
            for login in ("alice", "controller"):
                why = json.loads(self.juggler(login, "explain", "of-alice", "--json"))
                self.assertEqual(why["task"], "of-alice")
            self.assertIn("no decision", self.juggler("bob", "explain", "of-alice", status=1))
            self.assertEqual(bob.refused(publish("juggler.submit", "juggler.queries", user_id="alice")), 406)
            self.assertEqual(self.asked_without_a_name(bob, {"query": "tasks"})["tasks"], [])
            self.assertIn("error", self.asked_without_a_name(bob, {"query": "explain", "task": "of-nobody"}))

    @staticmethod
    def asked_without_a_name(login, question):
        channel, answers = login.channel(), []
        replies = channel.queue_declare("", exclusive=True).method.queue
        channel.basic_consume(replies, lambda *got: answers.append(got[3]), auto_ack=True)
        channel.basic_publish("juggler.submit", "juggler.queries", json.dumps(question), pika.BasicProperties(
            type="juggler.query.v1", reply_to=replies, content_type="application/json"))
        end = time.monotonic() + 30
        while not answers and time.monotonic() < end:
            login.connection.process_data_events(0.1)
        return json.loads(answers[0])

    def test_c_what_a_submitter_forges_is_no_failed_task_and_pushes_none_out(self):
        failed = {"content_type": "application/octet-stream", "type": "juggler.dead.v1", "delivery_mode": 2}
        history = json.dumps({"reason": "3 attempts failed", "attempts": [{}, {}, {}]})
        with self.controller() as log, self.login("alice") as alice, self.login("controller") as controller:
            for queue in ("juggler.dead", "juggler.failed"):
                controller.channel().queue_purge(queue)
            for task, headers in (("old", {"x-juggler-reply-to": "amq.rabbitmq.reply-to", "BCC": ["x"]}),
                                  ("deep", {"x-juggler-outcome": '{"a":' + "[" * 60_000 + "]" * 60_000 + "}"}),
                                  ("fine", {})):
                self.assertEqual(controller.refused(publish("", "juggler.failed", b"raw", message_id=task, headers={
                    "x-juggler-outcome": history, "x-juggler-submitter": "user:alice", **headers}, **failed)), 0)
            forged = publish("juggler.submit", "juggler.tasks", b"raw", message_id="forged", user_id="alice",
                             headers={"x-juggler-outcome": history}, **failed)
            self.assertEqual(alice.refused(forged), 0)
            def dead():
                entries = json.loads(self.juggler("controller", "dead", "list", "--json"))["dead"]
                return {entry["id"]: entry["kind"] for entry in entries}
            self.until(lambda: dead() == {"old": "task", "deep": "task", "fine": "task", "forged": "message"},
                       "the forged one is there, and no task")
            self.juggler("controller", "dead", "show", "deep")
            self.juggler("controller", "dead", "requeue", "forged", status=2)
            channel = alice.channel()  # more than juggler.dead holds, and as many lines of the log
            began = time.monotonic()
            for number in range(10_100):
                channel.basic_publish("juggler.submit", "juggler.tasks", b"junk")
                channel.basic_publish("juggler.submit", "juggler.queries", b"junk")
            alice.refused(forged)
            def counts():
                lines = self.broker.control("list_queues", "-q", "-p", "juggler", "--no-table-headers", "name", "messages")
                return dict(line.split("\t") for line in lines.splitlines() if "\t" in line)
            self.until(lambda: counts()["juggler.dead"] == "1000" and counts()["juggler.tasks"] == "0",
                       "all were refused")
            took = time.monotonic() - began
            lines = read(log).count("dead-lettered: ")
            print(f"{lines} lines in {took:.1f} s", flush=True)
            self.assertLessEqual(lines, 10 * (took + 2))
            self.until(lambda: "more messages were dead-lettered" in read(log), "how many were left out")
            self.assertEqual(counts()["juggler.failed"], "3", "pushed out by junk")
            said = self.juggler("controller", "dead", "requeue", "--all")
            for task in ("old", "fine", "deep"):  # the first without its reply address, which nobody has any more
                self.assertIn(f"{task} is submitted again as", said)
            self.until(lambda: counts()["juggler.failed"] == "0", "all are submitted again")
        with self.login("controller") as controller:
            for queue in ("juggler.dead", "juggler.failed", "juggler.tasks"):
                controller.channel().queue_purge(queue)

    def test_a_flood_of_a_device_is_bounded_and_refused(self):
        with self.login("edge01") as device:
            self.assertNotEqual(device.refused(publish("juggler.up", "result.edge01", b"x" * (17 << 20))), 0)
        with self.login("edge01") as device:
            channel = device.channel()
            channel.confirm_delivery()
            sent = 0
            with self.assertRaises(NackError):  # the queue of results is full
                while sent < 200:
                    channel.basic_publish("juggler.up", "result.edge01", b"x" * (1 << 20), mandatory=True)
                    sent += 1
            self.assertLess(sent, 100)
        with self.login("controller") as controller:
            controller.channel().queue_purge("juggler.results")
        opened = []
        try:
            with self.assertRaises(AMQPConnectionError):
                for _ in range(20):
                    opened.append(self.login("edge02"))
                    time.sleep(0.05)
        finally:
            for one in opened:
                one.connection.close()
        self.assertLessEqual(len(opened), 8)
        with self.login("edge01"):  # nobody else is hindered
            pass

    def test_more_channels_than_a_device_needs(self):
        with self.login("edge02") as device:
            opened = 0
            with self.assertRaises((ChannelClosedByBroker, AMQPConnectionError)):
                for _ in range(50):
                    device.channel()
                    opened += 1
            self.assertLessEqual(opened, 16)

    def opened_by(self, name, tries):
        """How many connections of one login the broker lets be open at once."""
        opened = []
        try:
            with self.assertRaises(AMQPConnectionError):
                for _ in range(tries):
                    opened.append(self.login(name))
        finally:
            for one in opened:
                one.connection.close()
        return len(opened)

    def test_connections_and_channels_of_a_submitter_are_bounded_far_above_its_needs(self):
        most = self.opened_by("bob", 120)
        self.assertGreaterEqual(most, 60)
        self.assertLessEqual(most, 72)
        with self.login("alice") as one, self.login("alice") as another:  # nobody else is hindered
            opened = 0
            with self.assertRaises((ChannelClosedByBroker, AMQPConnectionError)):
                for _ in range(300):
                    (one if opened < 150 else another).channel()
                    opened += 1
            self.assertGreaterEqual(opened, 192)  # three of each of 64 connections
            self.assertLessEqual(opened, 270)

    def test_outcomes_that_nobody_reads_are_bounded_and_refused(self):
        with self.login("alice") as alice, self.login("controller") as controller:
            # Exclusive ones, and durable ones that outlive their connection.
            for options in ({"exclusive": True}, {"durable": True}):
                with self.subTest(**options):
                    replies = alice.channel().queue_declare("", **options).method.queue
                    channel = controller.channel()
                    channel.confirm_delivery()
                    sent = 0
                    with self.assertRaises(NackError):
                        while sent < 200:
                            channel.basic_publish("", replies, b"x" * (1 << 20), mandatory=True)
                            sent += 1
                    self.assertGreater(sent, 32)
                    self.assertLess(sent, 100)
                    # Not the oldest are dropped: the first is there, and there is room again.
                    got = alice.channel().basic_get(replies, auto_ack=True)
                    self.assertEqual(got[0].message_count, sent - 1)
                    alice.channel().queue_delete(replies)

    def test_queues_are_bounded_and_forgotten_ones_end(self):
        def limits():
            return self.broker.control("list_vhost_limits", "-q", "-p", "juggler", "--formatter", "json")

        self.assertIn('max-queues\\":20000', limits())
        with self.login("alice") as alice:
            replies = alice.channel().queue_declare("", durable=True).method.queue
            queues = json.loads(self.broker.control("list_queues", "-q", "-p", "juggler", "--formatter", "json",
                                                    "name", "policy"))
            policy, = [queue["policy"] for queue in queues if queue["name"] == replies]
            self.assertEqual(policy, "juggler-replies")
            policies = self.broker.control("list_policies", "-q", "-p", "juggler")
            self.assertIn(f'"expires":{7 * 24 * 3600 * 1000}', policies)
            # The limit is one that the broker keeps: with as many as there are, no further one is declared.
            self.broker.control("set_vhost_limits", "-p", "juggler", json.dumps({"max-queues": len(queues)}))
            try:
                self.assertNotEqual(alice.refused(lambda c: c.queue_declare("", durable=True)), 0)
            finally:
                self.assertEqual(self.provision().returncode, 0)  # which sets ours again
            end = time.monotonic() + 20
            while 'max-queues\\":20000' not in limits():
                self.assertLess(time.monotonic(), end, limits())
            self.assertEqual(alice.refused(lambda c: c.queue_delete(replies)), 0)

    def test_enrol_rotate_and_revoke_while_it_runs(self):
        enrolled = self.devices("enrol", "late-01")
        self.assertEqual(enrolled.returncode, 0, enrolled.stderr)
        file = os.path.join(self.folder.name, "late-01.broker")
        self.assertEqual(mode_of(file), 0o600)
        with Login(file) as first:
            self.assertNotIn(pika.URLParameters(first.address).credentials.password,
                             enrolled.stdout + enrolled.stderr)
            self.assertEqual(first.refused(publish("juggler.up", "hello.late-01", user_id="late-01")), 0)
            first.channel().queue_declare("juggler.device.late-01", passive=True)
            self.assertEqual(first.refused(publish("juggler.up", "hello.edge01")), DENIED)
            self.assertEqual(self.devices("enrol", "late-01").returncode, 2, "enrolled twice")

            rotated = self.devices("rotate", "late-01")
            self.assertEqual(rotated.returncode, 0, rotated.stderr)
            with self.assertRaises(AMQPConnectionError):  # what the old password had opened is closed
                for _ in range(50):
                    first.connection.process_data_events(0.1)
            with self.assertRaises(AMQPConnectionError):
                pika.BlockingConnection(pika.URLParameters(first.address))
        with Login(file) as second:
            self.assertEqual(second.refused(publish("juggler.up", "hello.late-01")), 0)
            revoked = self.devices("revoke", "late-01")
            self.assertEqual(revoked.returncode, 0, revoked.stderr)
            with self.assertRaises(AMQPConnectionError):
                for _ in range(50):
                    second.connection.process_data_events(0.1)
            with self.assertRaises(AMQPConnectionError):
                pika.BlockingConnection(pika.URLParameters(second.address))
        queues = self.broker.control("list_queues", "-q", "-p", "juggler", "name")
        self.assertNotIn("late-01", queues)
        self.assertIn("juggler.device.edge01", queues)
        for work in ("rotate", "revoke"):
            self.assertEqual(self.devices(work, "late-01").returncode, 2, work)
        for name in ("controller", "alice", "guest", "Late", "a.b"):
            self.assertEqual(self.devices("revoke", name).returncode, 2, name)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
