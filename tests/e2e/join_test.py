#!/usr/bin/env python3
"""Joining by one pasted line: `juggler up --lan` on one side, `juggler-consumer join` with a home of its
own on the other; what is refused, and what is said."""

import json
import os
import signal
import subprocess
import sys
import time
import unittest

import pika

from fleet import Fleet
from plain_broker import mode_of

BUILD, MODELS = sys.argv[1:3]
CONSUMER = os.path.join(BUILD, "juggler-consumer")


class Join(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.fleet = Fleet(BUILD, MODELS, ["--no-local", "--twin", "jetson-nano", "--json", "--lan",
                                          "--lan-host", "127.0.0.1"]).__enter__()
        cls.fleet.await_devices(1, 200)
        cls.fleet.await_said('"event":"ready"', 100)
        cls.line = cls.fleet.events("ready")[0]["join"]

    @classmethod
    def tearDownClass(cls):
        cls.fleet.__exit__()

    def board(self, name):
        """The home of another machine, as far as it matters here."""
        home = os.path.join(self.fleet.folder.name, name)
        os.makedirs(home, exist_ok=True)
        return home

    def join(self, line, name, *arguments, home=None):
        return subprocess.run([CONSUMER, "join", "-", "--id", name, "--home", home or self.board(name),
                               "--enrol-only", *arguments], env=self.fleet.environment, input=line + "\n",
                              capture_output=True, text=True, timeout=200, check=False)

    def invite(self, *arguments):
        done = self.fleet.run("devices", "invite", *arguments, timeout=200)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("juggler-consumer join -", done.stderr)
        return done.stdout.splitlines()

    def refused(self, done, *words, status=1):
        self.assertEqual(done.returncode, status, done.stderr)
        for word in words:
            self.assertIn(word, done.stderr)

    def await_live(self, name, live=True):
        end = time.monotonic() + 150
        while time.monotonic() < end:
            states = {one["id"]: one["state"] for one in self.fleet.ask("devices")["devices"]}
            if (states.get(name) == "live") == live:
                return
            time.sleep(0.3)
        self.fail(f"{name} is {states.get(name)}")

    def test_1_the_line_that_up_prints_and_what_comes_of_it(self):
        self.assertTrue(self.line.startswith("amqps://join."), self.line)
        self.assertIn("fingerprint=sha256", self.line)
        home = self.board("pi-1")
        consumer = subprocess.Popen([CONSUMER, "join", self.line, "--id", "pi-1", "--home", home,
                                     "--engine", "noop"], env=self.fleet.environment,
                                    stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        try:
            self.await_live("pi-1")
        finally:
            consumer.send_signal(signal.SIGTERM)
            said = consumer.communicate(timeout=90)[1]
        login = os.path.join(home, "login")
        self.assertEqual(mode_of(login), 0o600)
        with open(login, encoding="utf-8") as file:
            password = file.read().split(":")[2].split("@")[0]
        self.assertNotIn(password, said)
        # Started again it needs neither line nor name.
        consumer = subprocess.Popen([CONSUMER, "--home", home, "--engine", "noop"], env=self.fleet.environment,
                                    stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            self.await_live("pi-1")
            self.refused(self.join(self.line, "pi-2"), "wrong, was used, or has ended", status=3)
            done = self.fleet.run("devices", "revoke", "pi-1", timeout=200)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.await_live("pi-1", live=False)
        finally:
            consumer.send_signal(signal.SIGTERM)
            consumer.wait(90)

    def test_1_no_program_can_get_more_rights(self):
        # `juggler up`, and what it runs: controller, keeper, desk, HTTP interface, device.
        up = self.fleet.process.pid
        seen = {}
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/status", encoding="utf-8") as file:
                    status = dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)
                with open(f"/proc/{pid}/cmdline", encoding="utf-8") as file:
                    command = file.read().split("\0")
            except OSError:  # it has just ended
                continue
            if up in (int(pid), int(status["PPid"])) and os.path.basename(command[0]) in ("juggler", "juggler-consumer"):
                seen[os.path.basename(command[0]), command[1]] = status["NoNewPrivs"]
        self.assertLessEqual({("juggler", part) for part in ("up", "controller", "keeper", "desk", "serve")}, set(seen))
        self.assertIn("juggler-consumer", {program for program, _ in seen})
        self.assertEqual(set(seen.values()), {"1"}, seen)

    def test_2_refusals_do_not_spend_the_token(self):
        line, = self.invite()
        self.refused(self.join(line, "jetson-nano"), "'jetson-nano' is taken", "--id")
        self.refused(self.join(line, "controller"), "cannot name a device")
        self.refused(self.join(line, "Pi"), "no device name", status=2)
        self.assertFalse(os.path.exists(os.path.join(self.board("jetson-nano"), "login")))
        file = os.path.join(self.fleet.folder.name, "a-file")
        with open(file, "w", encoding="utf-8") as other:
            other.write("no folder")
        self.refused(self.join(line, "pi-3", home=file), "cannot create")
        for wrong, code in (({"unix_s": int(time.time()) - 3600}, "clock"), ({"version": 7}, "request")):
            self.assertEqual(self.ask(line, **wrong)["code"], code)
        self.assertEqual(self.ask(line, kind="juggler.join.v0")["code"], "version")
        done = self.join(line, "pi-3")
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_3_lines_that_are_wrong(self):
        line, = self.invite()
        token = line.split("//")[1].split("@")[0]
        other = token.split(":")[0] + ":" + "x" * 32
        self.refused(self.join(line.replace(token, other), "pi-4"), "wrong, was used, or has ended", status=3)
        self.refused(self.join("hello", "pi-4"), "no line to join by", status=2)
        self.refused(self.join("amqps://pi:secret@127.0.0.1/juggler", "pi-4"), "no one-time token", status=2)
        self.refused(self.join(line.split("?")[0].replace("amqps", "amqp").replace("127.0.0.1", "10.0.0.1"), "pi-4"),
                     "where others can read it", status=2)
        pin = line.split("sha256%3A")[1][:64]
        self.refused(self.join(line.replace(pin, "0" * 64), "pi-4"), "fingerprint", status=3)
        short, = self.invite("--for", "1s")
        time.sleep(2.5)
        self.assertNotEqual(self.join(short, "pi-4").returncode, 0)

    def test_4_a_token_reaches_nothing_but_the_desk(self):
        line, = self.invite()
        connection = self.connect(line)
        for work in (lambda c: c.basic_publish("juggler.up", "hello.pi-5", b"{}"),
                     lambda c: c.basic_publish("juggler.submit", "juggler.tasks", b"x"),
                     lambda c: c.basic_publish("", "juggler.results", b"x"),
                     lambda c: c.basic_get("juggler.joins"), lambda c: c.basic_get("juggler.tasks"),
                     lambda c: c.queue_declare("juggler.joins")):
            channel = connection.channel()
            channel.confirm_delivery()
            with self.assertRaises(pika.exceptions.ChannelClosedByBroker) as refusal:
                work(channel)
            self.assertIn(refusal.exception.reply_code, (403, 405))
        connection.close()

    @staticmethod
    def connect(line):
        plain = line.split("?")[0]
        context = __import__("ssl").create_default_context()
        context.check_hostname = False
        context.verify_mode = __import__("ssl").CERT_NONE
        parameters = pika.URLParameters(plain)
        parameters.ssl_options = pika.SSLOptions(context)
        return pika.BlockingConnection(parameters)

    def ask(self, line, kind="juggler.join.v1", **fields):
        """What the desk says to a request that is not quite right."""
        connection = self.connect(line)
        channel = connection.channel()
        replies = channel.queue_declare("", exclusive=True).method.queue
        user = line.split("//")[1].split(":")[0]
        body = {"device": "pi-3", "version": "test", "unix_s": int(time.time()), **fields}
        channel.basic_publish("juggler.join", "juggler.joins", json.dumps(body).encode(),
                              pika.BasicProperties(type=kind, user_id=user, reply_to=replies))
        for _method, _properties, answer in channel.consume(replies, auto_ack=True, inactivity_timeout=60):
            connection.close()
            return json.loads(answer)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
