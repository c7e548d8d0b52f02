#!/usr/bin/env python3
"""Flags that say something impossible, and output that cannot be written: said, with a status of their own.

  flags_test.py BUILD_DIR MODELS_DIR
"""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

BUILD, MODELS = (os.path.abspath(place) for place in sys.argv[1:3])
NOBODY = "amqp://me@127.0.0.1:1/juggler"


class Flags(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="juggler-flags-")
        self.home = os.path.join(self.folder.name, "home")
        os.makedirs(self.home)
        os.symlink(MODELS, os.path.join(self.home, "models"))
        library = os.path.join(os.path.dirname(MODELS), "onnxruntime")
        if os.path.isdir(library):
            os.symlink(library, os.path.join(self.home, "onnxruntime"))
        self.environment = {**os.environ, "XDG_STATE_HOME": self.folder.name}
        self.environment.pop("JUGGLER_BROKER", None)

    def tearDown(self):
        self.folder.cleanup()

    def run_program(self, program, *arguments, stdout=subprocess.PIPE):
        return subprocess.run([os.path.join(BUILD, program), *arguments, "--home", self.home],
                              env=self.environment, stdin=subprocess.DEVNULL, stdout=stdout,
                              stderr=subprocess.PIPE, text=True, timeout=60, check=False)

    def refused(self, word, program, *arguments):
        with self.subTest(arguments=arguments):
            done = self.run_program(program, *arguments)
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertIn(word, done.stderr)

    def test_a_level_of_the_log_that_there_is_not(self):
        for command in ("devices", "models", "policies", "tasks", "status", "submit"):
            places = [MODELS] if command == "submit" else []
            self.refused("'bogus'", "juggler", command, *places, "--log-level", "bogus")
        self.refused("'bogus'", "juggler", "explain", "task-1", "--log-level", "bogus")

    def test_flags_of_a_consumer_that_contradict_each_other(self):
        consumer = ["juggler-consumer", "--id", "d", "--broker", NOBODY]
        self.refused("--twin", *consumer, "--engine", "onnx", "--twin", "jetson-nano")
        self.refused("--twin", *consumer, "--engine", "noop", "--twin", "jetson-nano")
        self.refused("--twin-labels", *consumer, "--twin-labels", "labels.jsonl")
        self.refused("--variants", *consumer, "--twin", "jetson-nano", "--variants", "resnet18-int8")
        self.refused("which board", *consumer, "--engine", "twin")
        self.refused("--lanes", *consumer, "--twin", "jetson-nano", "--lanes", "lanes.toml")

    def test_lanes_that_nobody_understands(self):
        lanes = os.path.join(self.folder.name, "lanes.toml")
        for text, why in (("format = 1\n", "no [[lane]]"),
                          ("format = 1\n[[lane]]\nprocessor = \"cpu0\"\nengine = \"cpu\"\nthread = 2\n", "threads"),
                          ("format = 1\n[[lane]]\nprocessor = \"gpu0\"\nengine = \"vulkan\"\n", "vulkan")):
            with open(lanes, "w", encoding="utf-8") as file:
                file.write(text)
            self.refused(why, "juggler-consumer", "--id", "d", "--broker", NOBODY, "--lanes", lanes)
            self.refused(why, "juggler", "up", "--lanes", lanes)

    def test_a_password_on_the_command_line(self):
        address = "amqp://me:secret@127.0.0.1:1/juggler"
        for command in (["juggler", "controller"], ["juggler", "devices"], ["juggler", "up"],
                        ["juggler", "bench", "home/steady-60"], ["juggler-consumer", "--id", "d"]):
            with self.subTest(command=command):
                done = self.run_program(*command, "--broker", address)
                self.assertEqual(done.returncode, 2, done.stderr)
                self.assertIn("--broker-file", done.stderr)
                self.assertNotIn("secret", done.stderr + done.stdout)

    def test_the_broker_by_a_systemd_credential(self):
        with open(os.path.join(self.folder.name, "broker"), "w", encoding="utf-8") as file:
            file.write("amqp://me:secret@127.0.0.1:1/fromcredential\n")
        self.environment["CREDENTIALS_DIRECTORY"] = self.folder.name
        done = self.run_program("juggler", "devices")
        self.assertEqual(done.returncode, 3, done.stderr)
        self.assertIn("/fromcredential", done.stderr)
        self.assertNotIn("secret", done.stderr)

    def test_a_variant_that_there_is_not(self):
        if not os.path.isdir(os.path.join(self.home, "onnxruntime")):
            self.skipTest("no ONNX Runtime")
        for variants in ("nosuch", "resnet18-int8,nosuch"):
            self.refused("'nosuch'", "juggler-consumer", "--id", "d", "--broker", NOBODY,
                         "--variants", variants)

    def test_output_that_cannot_be_written(self):
        for arguments in (("policies",), ("models", "--json"), ("doctor", "--json"), ("simulate", "--list")):
            with self.subTest(arguments=arguments), open("/dev/full", "w", encoding="utf-8") as full:
                program = [os.path.join(BUILD, "juggler"), *arguments]
                done = subprocess.run(program, env={**self.environment, "JUGGLER_HOME": self.home},
                                      stdin=subprocess.DEVNULL, stdout=full, stderr=subprocess.PIPE,
                                      text=True, timeout=60, check=False)
                self.assertEqual(done.returncode, 1, done.stderr)
                self.assertIn("could not be written", done.stderr)

    def test_doctor_tries_the_home(self):
        for home, word in (("/proc", "nothing can be written"), ("/no/such/folder", "no folder")):
            done = subprocess.run([os.path.join(BUILD, "juggler"), "doctor", "--json", "--home", home],
                                  env=self.environment, stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE, text=True, timeout=60, check=False)
            found, = [one for one in json.loads(done.stdout)["findings"] if one["what"] == "home"]
            self.assertEqual((found["state"], done.returncode), ("MISSING", 1), found)
            self.assertIn(word, found["found"])

    def test_a_client_that_connects_can_be_stopped(self):
        picture = os.path.join(self.folder.name, "x.png")
        with open(picture, "wb") as file:
            file.write(b"\x89PNG\r\n\x1a\n")
        with socket.socket() as silent:  # takes the connection and never answers
            silent.bind(("127.0.0.1", 0))
            silent.listen()
            broker = f"amqp://me:secret@127.0.0.1:{silent.getsockname()[1]}/juggler"
            submit = subprocess.Popen([os.path.join(BUILD, "juggler"), "submit", picture],
                                      env={**self.environment, "JUGGLER_BROKER": broker}, stdin=subprocess.DEVNULL,
                                      stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            silent.settimeout(20)
            connection, _ = silent.accept()
            begun = time.monotonic()
            submit.send_signal(signal.SIGINT)
            submit.communicate(timeout=20)
            connection.close()
        self.assertLess(time.monotonic() - begun, 3)
        self.assertEqual(submit.returncode, -signal.SIGINT)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
