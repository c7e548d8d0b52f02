#!/usr/bin/env python3
"""The main job end to end, on real parts: the programs as built, a real RabbitMQ, real networks, twins.

  e2e_test.py BUILD_DIR MODELS_DIR PHOTOS_DIR SOURCE_DIR
"""

import json
import os
import signal
import struct
import subprocess
import sys
import tempfile
import time
import unittest
import zlib

import pika
from fleet import Client, Fleet

BUILD, MODELS, PHOTOS, SOURCE = sys.argv[1:5]
FLEET = None
JOURNAL = tempfile.TemporaryDirectory(prefix="juggler-e2e-journal-")


def setUpModule():  # no twin of these serves int8: this machine is the only one
    global FLEET
    FLEET = Fleet(BUILD, MODELS, ["--id", "here", "--variants", "efficientnet_lite0-int8",
                                  "--twin", "jetson-orin-nano", "--twin", "raspberry-pi-5",
                                  "--journal", JOURNAL.name])
    FLEET.__enter__()
    FLEET.await_devices(3)


def tearDownModule():
    FLEET.__exit__(None, None, None)
    JOURNAL.cleanup()


def photo(name):
    with open(os.path.join(PHOTOS, name), "rb") as file:
        return file.read()


def png_header(width, height):
    """A PNG that claims to be this large and holds nothing."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + header
    return (b"\x89PNG\r\n\x1a\n" + struct.pack(">I", len(header)) + chunk
            + struct.pack(">I", zlib.crc32(chunk)))


class MainJob(unittest.TestCase):
    def test_a_cat_is_a_cat_on_this_machine(self):
        with Client(FLEET.url()) as client:
            task = client.submit(photo("chelsea.png"), content_type="image/png",
                                 headers={"model": "efficientnet_lite0-int8", "deadline_ms": 20000})
            outcome, = client.collect([task])
        self.assertEqual(outcome["outcome"], "completed", outcome)
        self.assertEqual((outcome["device"], outcome["twin"]), ("here", False))
        self.assertIn(outcome["labels"][0]["label"], ("tabby", "tiger cat", "Egyptian cat"))
        self.assertEqual(outcome["weights"], "pretrained")

    def test_the_python_client_of_the_documents(self):
        with tempfile.TemporaryDirectory() as folder:
            address = os.path.join(folder, "address")
            with open(address, "w", encoding="utf-8") as file:
                file.write(FLEET.url() + "\n")
            done = subprocess.run(
                [sys.executable, os.path.join(SOURCE, "docs", "examples", "submit.py"), address,
                 os.path.join(PHOTOS, "chelsea.png")],
                capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        outcome = json.loads(done.stdout)
        self.assertGreaterEqual(outcome["accuracy_percent"], 75.0)
        with open(os.path.join(SOURCE, "docs", "examples", "submit.py"), encoding="utf-8") as file:
            code = [line for line in file if line.strip() and not line.startswith(("#", '"""'))]
        self.assertLessEqual(len(code), 22, "the client is promised to be about twenty lines")

    def test_submit_prints_a_row_per_picture_and_explain_says_why(self):
        done = FLEET.run("submit", os.path.join(PHOTOS, "coffee.png"), "--min-accuracy", "75",
                         "--deadline", "20s", "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        task = json.loads(done.stdout)["tasks"][0]
        self.assertEqual(task["outcome"]["outcome"], "completed")
        why = FLEET.ask("explain", task["id"])
        self.assertEqual(why["decision"], "place")
        chosen = [one for one in why["candidates"] if one["chosen"]]
        self.assertEqual(len(chosen), 1)
        self.assertEqual(chosen[0]["device"], task["outcome"]["device"])
        cheapest = min(one["energy_uj_board_input"] for one in why["candidates"]
                       if one["verdict"] == "meets" and "energy_uj_board_input" in one)
        self.assertEqual(chosen[0]["energy_uj_board_input"], cheapest)

    def test_submit_of_a_task_that_nobody_can_serve_exits_with_one(self):
        done = FLEET.run("submit", os.path.join(PHOTOS, "coffee.png"), "--min-accuracy", "99")
        self.assertEqual(done.returncode, 1)
        self.assertIn("accuracy", done.stdout + done.stderr)

    def test_submit_names_a_task_that_can_be_explained_or_none(self):
        with tempfile.TemporaryDirectory() as folder:
            huge = os.path.join(folder, "huge.png")
            with open(huge, "wb") as file:
                file.write(png_header(30000, 30000))
            alone = FLEET.run("submit", huge)  # refused before any decision
            self.assertEqual(alone.returncode, 1, alone.stderr)
            self.assertNotIn("juggler explain", alone.stdout)
            both = FLEET.run("submit", huge, os.path.join(PHOTOS, "coffee.png"), "--deadline", "20s")
        self.assertIn("1 of 2 completed.", both.stdout)
        task = both.stdout.split("juggler explain ")[1].split()[0]
        self.assertEqual(FLEET.ask("explain", task)["decision"], "place")

    def test_a_second_fleet_in_the_same_home_is_refused_at_once(self):
        done = FLEET.run("up", "--no-local", "--twin", "jetson-nano")
        self.assertEqual(done.returncode, 3, done.stdout + done.stderr)
        self.assertEqual(done.stdout, "")
        self.assertRegex(done.stderr, r"^juggler: a `juggler up` \(process \d+\) has its broker in .* already")
        self.assertEqual(len(FLEET.ask("devices")["devices"]), 3)
        self.assertIsNone(FLEET.process.poll())

    def test_progress_is_on_stderr_and_the_address_on_stdout(self):
        end = time.monotonic() + 20
        while "submitter.url" not in FLEET.printed() and time.monotonic() < end:
            time.sleep(0.1)
        self.assertIn("The fleet is up", FLEET.printed())
        self.assertNotIn("has joined", FLEET.printed())
        self.assertIn("jetson-orin-nano   has joined", FLEET.said())

    def test_a_controller_prints_its_events_as_json_lines(self):
        environment = {**os.environ, "JUGGLER_BROKER": FLEET.url("controller")}
        standby = subprocess.Popen([FLEET.juggler, "controller", "--json", "--log-level", "off"], env=environment,
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        started = json.loads(standby.stdout.readline())
        standby.terminate()
        rest, _ = standby.communicate(timeout=20)
        self.assertEqual((started["event"], started["policy"]), ("started", "juggler"))
        self.assertNotIn(FLEET.url("controller").split(":")[2].split("@")[0], started["broker"])
        ended = json.loads(rest.splitlines()[-1])
        self.assertEqual((ended["event"], ended["status"], ended["submitted"]), ("ended", 0, 0))

    def test_listings(self):
        self.assertEqual(len(FLEET.ask("devices")["devices"]), 3)
        self.assertTrue(FLEET.ask("models")["models"])
        self.assertIn("juggler", [one["name"] for one in FLEET.ask("policies")["policies"]])
        self.assertIn("tasks", FLEET.ask("tasks"))
        self.assertEqual(FLEET.run("doctor").returncode, 0, FLEET.run("doctor").stdout)


class BadInput(unittest.TestCase):
    """Nothing that is sent stops anybody, and where somebody asked there is an answer."""

    def setUp(self):
        self.client = Client(FLEET.url())

    def tearDown(self):
        good = self.client.submit(photo("chelsea.png"), content_type="image/png",
                                  headers={"deadline_ms": 20000})
        self.assertEqual(self.client.collect([good])[0]["outcome"], "completed")
        self.client.connection.close()

    def refused(self, word, *arguments, kinds=("rejected",), **keywords):
        outcome, = self.client.collect([self.client.submit(*arguments, **keywords)])
        self.assertIn(outcome["outcome"], kinds, outcome)
        self.assertIn(word, outcome["reason"])

    def test_pictures_that_are_none(self):
        self.refused("JPEG", b"this is a text, not a picture")
        self.refused("empty", b"")
        self.refused("30000", png_header(30000, 30000), content_type="image/png")
        self.refused("8 MiB", b"\xff\xd8" + b"x" * (9 << 20))
        self.refused("content_type", photo("dog1.jpg"), content_type="text/html")

    def test_a_truncated_picture_fails_when_two_devices_say_so(self):
        picture = photo("dog1.jpg")
        for headers, say in (({"model": "efficientnet_lite0-int8"}, 1), ({}, 2)):  # this machine alone; then twins
            with self.subTest(headers=headers):
                task = self.client.submit(picture[: len(picture) // 2],
                                          headers={"deadline_ms": 20000, **headers})
                outcome, = self.client.collect([task])
                self.assertEqual(outcome["outcome"], "failed", outcome)
                self.assertIn("truncated", outcome["reason"])
                bad = [one for one in outcome["attempts"] if "truncated" in one["end"]]
                self.assertEqual(len(bad), say, outcome)
                self.assertEqual(len({one["device"] for one in bad}), say, outcome)

    def test_requirements_that_are_none(self):
        picture = photo("dog1.jpg")
        for word, headers in (("model", {"model": "no-such-network"}),
                              ("min_accuracy", {"min_accuracy": -5}),
                              ("min_accuracy", {"min_accuracy": "high"}),
                              ("min_accuracy", {"min_accuracy": "101.5"}),
                              ("deadline_ms", {"deadline_ms": -1}),
                              ("deadline_ms", {"deadline_ms": 1 << 60}),
                              ("max_energy_mj", {"max_energy_mj": "nan"}),
                              ("model", {"model": {"a": "table"}}),
                              ("top_k", {"top_k": 0}),
                              ("deadline", {"deadline_ms": 1}),
                              ("energy", {"max_energy_mj": "0.001"})):
            with self.subTest(headers=headers):
                self.refused(word, picture, headers=headers)
        self.refused("priority", picture, priority=77)
        self.refused("version", picture, type="juggler.submit.v9")

    def test_an_overlong_id_and_a_forbidden_reply_queue(self):
        self.client.channel.basic_publish(
            "juggler.submit", "juggler.tasks", photo("dog1.jpg"),
            properties=pika.BasicProperties(content_type="image/jpeg", message_id="x" * 200,
                                            reply_to=self.client.replies))
        self.client.channel.basic_publish(
            "juggler.submit", "juggler.tasks", photo("dog1.jpg"),
            properties=pika.BasicProperties(content_type="image/jpeg", reply_to="juggler.results"))
        end = time.monotonic() + 20
        while "x" * 128 not in self.client.outcomes and time.monotonic() < end:
            self.client.connection.process_data_events(0.2)
        self.assertIn("message_id", self.client.outcomes["x" * 128]["reason"])

    def test_junk_on_every_queue_is_dead_lettered(self):
        before = FLEET.ask("status")["malformed"]
        junk = [b"", b"\x00\xff" * 100, b"[" * 5000, b'{"device": 7}', b'{"query": "devices"']
        kinds = (None, "juggler.result.v1", "juggler.task.v7", "juggler.control.v1")
        keys = ("hello.here", "heartbeat.here", "result.here", "hello.nobody", "heartbeat.x y")
        each, by_key = len(junk) * len(kinds), len(junk)
        expected = {"juggler.results": each + by_key, "juggler.queries": each, "juggler.tasks": each,
                    "juggler.events": (len(keys) - 1) * by_key}
        # Junk in these is only survived: the first is read by the next leader, and devices drop it.
        survived = ["juggler.decided", "juggler.device.here", "juggler.device.jetson-orin-nano",
                    "juggler.device.here.control"]
        connection = pika.BlockingConnection(pika.URLParameters(FLEET.url("controller")))
        channel = connection.channel()
        channel.queue_purge("juggler.dead")
        for queue in [queue for queue in expected if queue != "juggler.events"] + survived:
            for body in junk:
                for kind in kinds:
                    channel.basic_publish("", queue, body, pika.BasicProperties(type=kind))
        for key in keys:
            for body in junk:
                channel.basic_publish("juggler.up", key, body,
                                      pika.BasicProperties(type="juggler.hello.v1"))
        dead = self.dead_letters(channel, expected)
        self.assertEqual(dead, expected)
        self.assertGreaterEqual(FLEET.ask("status")["malformed"], before + sum(expected.values()))
        connection.close()
        FLEET.await_devices(3)

    def dead_letters(self, channel, expected, limit_s=30):
        """Takes what is in juggler.dead until as much is there as is expected; counts by queue."""
        counts = {}
        end = time.monotonic() + limit_s
        while counts != expected and time.monotonic() < end:
            method, properties, _ = channel.basic_get("juggler.dead", auto_ack=True)
            if method is None:
                time.sleep(0.1)
                continue
            queue = properties.headers["x-juggler-queue"]
            counts[queue] = counts.get(queue, 0) + 1
        return counts


class Loss(unittest.TestCase):
    """Processes are killed with tasks under way: each task has one outcome all the same."""

    def storm(self, client, count):
        picture = photo("dog1.jpg")
        return [client.submit(picture, headers={"deadline_ms": 60000}) for _ in range(count)]

    def check(self, client, tasks):
        outcomes = client.collect(tasks, limit_s=90)
        self.assertEqual({one["outcome"] for one in outcomes}, {"completed"},
                         [one for one in outcomes if one["outcome"] != "completed"][:3])

    def test_the_controller_is_killed(self):
        with Client(FLEET.url()) as client:
            tasks = self.storm(client, 100)
            os.kill(FLEET.pid_of("controller"), signal.SIGKILL)
            tasks += self.storm(client, 100)
            self.check(client, tasks)
        FLEET.await_devices(3)

    def test_a_device_is_killed(self):
        with Client(FLEET.url()) as client:
            tasks = self.storm(client, 150)
            os.kill(FLEET.pid_of("jetson-orin-nano"), signal.SIGKILL)
            self.check(client, tasks)
        FLEET.await_devices(3)

    def test_the_same_id_again_is_answered_and_not_run(self):
        with Client(FLEET.url()) as client:
            task = client.submit(photo("dog1.jpg"), headers={"deadline_ms": 20000})
            first, = client.collect([task])
            dispatched = FLEET.ask("status")["dispatched"]
            del client.outcomes[task]
            client.submit(photo("dog1.jpg"), task=task, headers={"deadline_ms": 20000})
            again, = client.collect([task])
            self.assertEqual(first, again)
            self.assertEqual(FLEET.ask("status")["dispatched"], dispatched)


class RecordedRuns(unittest.TestCase):
    """The last class by name: everything before it is in the journal, a killed controller's run too."""

    def test_every_run_is_reproduced_step_by_step(self):
        runs = sorted({name.rsplit("-", 1)[0].removeprefix("journal-") for name in os.listdir(JOURNAL.name)})
        self.assertGreaterEqual(len(runs), 2)
        submitted = 0
        for run in runs:
            replayed = FLEET.ask("replay", JOURNAL.name, "--run", run)
            self.assertTrue(replayed["reproduced"], replayed)
            submitted += replayed["submitted"]
        self.assertGreaterEqual(submitted, 350)

    def test_another_policy_is_asked_about_the_same_traffic(self):
        runs = FLEET.ask("replay", JOURNAL.name, "--policy", "round-robin", "--bound", "none")["runs"]
        self.assertEqual([run["policy"] for run in runs], ["juggler", "round-robin"])
        self.assertEqual(runs[0]["offered"], runs[1]["offered"])


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
