#!/usr/bin/env python3
"""`juggler up` where something goes wrong: what is given up, what is said of it, what a signal does.

  up_faults_test.py BUILD_DIR MODELS_DIR PHOTOS_DIR
"""

import hashlib
import json
import os
import shutil
import signal
import sys
import tempfile
import time
import unittest

from fleet import Client, Fleet

BUILD, MODELS, PHOTOS = (os.path.abspath(place) for place in sys.argv[1:4])
ONNX = os.path.isdir(os.path.join(os.path.dirname(MODELS), "onnxruntime"))


def digest_of(path):
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


class Faults(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="juggler-faults-")

    def tearDown(self):
        self.folder.cleanup()

    def kill_broker(self, fleet):
        """Kills the node of the fleet's home; false once `juggler up` has ended."""
        record = os.path.join(fleet.home, "broker", "broker.json")
        last = None
        end = time.monotonic() + 60
        while time.monotonic() < end:
            if fleet.process.poll() is not None:
                return False
            with open(record, encoding="utf-8") as file:
                last = json.load(file)["pid"]
            if last and os.path.exists(f"/proc/{last}") and last not in self.killed:
                self.killed.append(last)
                os.killpg(last, signal.SIGKILL)
                return True
            time.sleep(0.1)
        raise AssertionError(fleet.said())

    def test_a_configuration_stale_labels_poor_logins_and_a_broker_that_keeps_dying(self):
        picture = os.path.join(PHOTOS, "chelsea.png")

        def prepare(home):
            os.makedirs(os.path.join(home, "labels"))
            with open(os.path.join(home, "labels", "twin-labels.jsonl"), "w", encoding="utf-8") as file:
                for variant in ("resnet18-fp16", "resnet50-fp16", "mobilenet_v3_large-fp16",
                                "mobilenet_v3_small-fp16", "efficientnet_lite0-fp16"):
                    file.write(json.dumps({
                        "payload_sha256": digest_of(picture), "variant": variant, "model_sha256": "",
                        "labels": [{"index": 1, "name": "of an older run", "score": 1.0}]}) + "\n")

        self.killed = []
        config = os.path.join(self.folder.name, "controller.toml")
        with open(config, "w", encoding="utf-8") as file:
            file.write('policy = "round-robin"\n')
        arguments = ["--no-local", "--twin", "jetson-nano", "--json", "--controller-config", config]
        with Fleet(BUILD, MODELS, arguments, prepare) as fleet:
            fleet.await_devices(1)
            fleet.await_said('"event":"ready"')
            with self.subTest("the configuration's policy"):
                self.assertEqual(fleet.ask("status")["policy"], "round-robin")
            with self.subTest("no labels without --twin-labels"), Client(fleet.url()) as client:
                with open(picture, "rb") as file:
                    task = client.submit(file.read(), content_type="image/png", headers={"deadline_ms": 20000})
                outcome, = client.collect([task])
                self.assertEqual((outcome["outcome"], outcome["labels"]), ("completed", []), outcome)
            for user, word in (("controller", "a queue for replies"), ("submitter", "the queue 'juggler.tasks'")):
                with self.subTest(user=user):
                    begun = time.monotonic()
                    login = os.path.join(self.folder.name, "login")
                    with open(login, "w", encoding="utf-8") as file:
                        file.write(fleet.url(user) + "\n")
                    other = fleet.run("up", "--no-local", "--twin", "jetson-nano", "--broker-file", login)
                    self.assertEqual(other.returncode, 3, other.stderr)
                    self.assertIn(word, other.stderr)
                    self.assertIn("ACCESS_REFUSED", other.stderr)
                    self.assertIn("configure and read", other.stderr)
                    self.assertLess(time.monotonic() - begun, 10)
            address = os.path.join(fleet.home, "submitter.url")
            self.assertTrue(os.path.exists(address))
            while self.kill_broker(fleet):
                pass
            self.assertEqual(fleet.process.wait(60), 1)
            self.assertEqual(len(self.killed), 5, "given up after five deaths in a row")
            self.assertFalse(os.path.exists(address), "the password was left behind")
            ended, = fleet.events("ended")
            self.assertEqual(ended["status"], 1)
            self.assertIn("the broker has ended 5 times in a row", ended["problem"])

    def test_ctrl_c_while_the_broker_starts(self):
        with Fleet(BUILD, MODELS, ["--no-local", "--twin", "jetson-nano", "--json"]) as fleet:
            fleet.await_said("starting RabbitMQ")
            time.sleep(1)  # the node is at it
            status, took_s = fleet.stop()
            self.assertEqual(status, 0, fleet.said())
            self.assertLess(took_s, 4)
            self.assertEqual([event["status"] for event in fleet.events("ended")], [0])

    @unittest.skipUnless(ONNX, "no ONNX Runtime")
    def test_damaged_measurements_are_made_anew_and_ctrl_c_ends_that(self):
        def prepare(home):
            os.makedirs(os.path.join(home, "profiles"))
            with open(os.path.join(home, "profiles", "device-here.toml"), "w", encoding="utf-8") as file:
                file.write("garbage")

        with Fleet(BUILD, MODELS, ["--id", "here", "--json"], prepare) as fleet:
            log = os.path.join(fleet.home, "logs", "here.log")
            end = time.monotonic() + 60
            while time.monotonic() < end:
                if os.path.exists(log):
                    with open(log, encoding="utf-8") as file:
                        if "measuring 2 of" in file.read():
                            break
                time.sleep(0.05)
            self.assertIn("its measurements cannot be read", fleet.said())
            status, took_s = fleet.stop()
            self.assertEqual(status, 0, fleet.said())
            self.assertLess(took_s, 8)  # of which the broker's end takes some
            with open(log, encoding="utf-8") as file:
                self.assertIn("stopped before it served", file.read())

    @unittest.skipUnless(ONNX, "no ONNX Runtime")
    def test_a_fleet_without_any_device_is_no_fleet(self):
        def prepare(home):
            os.unlink(os.path.join(home, "models"))
            os.makedirs(os.path.join(home, "models"))
            for name in os.listdir(MODELS):
                if not name.endswith(".onnx"):
                    shutil.copy(os.path.join(MODELS, name), os.path.join(home, "models", name))

        with Fleet(BUILD, MODELS, ["--id", "here", "--variants", "resnet18-int8", "--json"], prepare) as fleet:
            self.assertEqual(fleet.process.wait(120), 1, fleet.said())
            self.assertEqual(fleet.events("ready"), [])
            problem = fleet.events("ended")[0]["problem"]
            self.assertIn("no device has joined", problem)
            self.assertIn("resnet18-int8", problem)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
