#!/usr/bin/env python3
"""An external engine end to end: a fleet whose device computes in a worker process, and tasks through a
real broker. With PyTorch the worker is tools/engines/torch_worker.py; without, that part is skipped.

  engine_test.py BUILD_DIR VAR_DIR SOURCE_DIR
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import unittest

from fleet import Client, Fleet

BUILD, VAR, SOURCE = (os.path.abspath(place) for place in sys.argv[1:4])
MODELS, PHOTOS = os.path.join(VAR, "models"), os.path.join(VAR, "photos")
NETWORK = "efficientnet_lite0"
FOLDER = tempfile.TemporaryDirectory(prefix="juggler-engine-")


def torch_is_there():
    done = subprocess.run([sys.executable, "-c", "import torch, torchvision"], check=False,
                          capture_output=True)
    return done.returncode == 0 and os.path.isdir(os.path.join(VAR, "python-weights"))


def lanes_file(*lanes):
    path = os.path.join(FOLDER.name, "lanes.toml")
    with open(path, "w", encoding="utf-8") as file:
        file.write("format = 1\n")
        for lane in lanes:
            file.write("\n[[lane]]\n")
            for key, value in lane.items():
                file.write(f"{key} = {json.dumps(value)}\n")
    return path


def photo(name):
    with open(os.path.join(PHOTOS, name), "rb") as file:
        return file.read()


def children_of(pid, word):
    found = []
    for entry in os.listdir("/proc"):
        try:
            with open(f"/proc/{entry}/stat", encoding="ascii") as file:
                parent = int(file.read().rsplit(")", 1)[1].split()[1])
            with open(f"/proc/{entry}/cmdline", "rb") as file:
                command = file.read().decode(errors="replace")
        except (OSError, ValueError):
            continue
        if parent == pid and word in command:
            found.append(int(entry))
    return found


def wait_for(what, limit_s=60):
    end = time.monotonic() + limit_s
    while time.monotonic() < end:
        found = what()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError("it did not happen in time")


@unittest.skipUnless(torch_is_there(), "no PyTorch, or no networks for it")
class TorchWorker(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        networks = os.path.join(FOLDER.name, "torch")
        subprocess.run(
            [sys.executable, os.path.join(SOURCE, "tools", "engines", "export_torchscript.py"), PHOTOS,
             os.path.join(VAR, "python-weights"), FOLDER.name, networks, NETWORK],
            check=True, capture_output=True, timeout=120)
        worker = [sys.executable, os.path.join(SOURCE, "tools", "engines", "torch_worker.py"),
                  "--models", networks, "--threads", "1"]
        lanes = lanes_file({"processor": "cpu0", "engine": "cpu", "variants": [NETWORK + "-int8"]},
                           {"processor": "torch0", "engine": "external", "kind": "cpu",
                            "command": worker})
        cls.fleet = Fleet(BUILD, MODELS, ["--id", "here", "--lanes", lanes])
        cls.fleet.__enter__()
        cls.fleet.await_devices(1)

    @classmethod
    def tearDownClass(cls):
        cls.fleet.__exit__(None, None, None)

    def classify(self, variant, name="chelsea.png", count=1, deadline_ms=20000):
        with Client(self.fleet.url()) as client:
            tasks = [client.submit(photo(name), content_type="image/png",
                                   headers={"model": variant, "deadline_ms": deadline_ms})
                     for _ in range(count)]
            return client.collect(tasks)

    def worker(self):
        consumer = self.fleet.pid_of("--id", "here", "--lanes")
        return wait_for(lambda: children_of(consumer, "torch_worker.py"))[0]

    def test_its_lane_stands_beside_the_other_with_a_profile_of_its_own(self):
        device, = self.fleet.ask("devices")["devices"]
        lanes = {lane["id"]: lane for lane in device["processors"]}
        self.assertEqual(sorted(lanes), ["cpu0", "torch0"])
        self.assertIn("PyTorch", lanes["torch0"]["runtime"])
        with open(os.path.join(self.fleet.home, "profiles", "device-here.torch0.toml"),
                  encoding="utf-8") as file:
            self.assertIn(f'variant = "{NETWORK}-fp32"', file.read())

    def test_a_cat_is_a_cat_in_pytorch(self):
        outcome, = self.classify(NETWORK + "-fp32")
        self.assertEqual(outcome["outcome"], "completed", outcome)
        self.assertEqual(outcome["processor"], "torch0")
        self.assertIn(outcome["labels"][0]["label"], ("tabby", "tiger cat", "Egyptian cat"))

    def test_many_at_once_are_answered(self):
        outcomes = self.classify(NETWORK + "-fp32", "coffee.png", 24, 60000)
        self.assertEqual({outcome["outcome"] for outcome in outcomes}, {"completed"})
        self.assertEqual({outcome["labels"][0]["label"] for outcome in outcomes}, {"espresso"})

    def test_a_killed_worker_is_back_and_the_other_lane_never_noticed(self):
        first = self.worker()
        os.kill(first, signal.SIGKILL)
        outcome, = self.classify(NETWORK + "-int8")
        self.assertEqual((outcome["outcome"], outcome["processor"]), ("completed", "cpu0"))
        second = wait_for(lambda: [pid for pid in children_of(
            self.fleet.pid_of("--id", "here", "--lanes"), "torch_worker.py") if pid != first])[0]
        self.assertNotEqual(first, second)
        log = os.path.join(self.fleet.home, "logs", "here.log")

        def says_hello_twice():
            with open(log, encoding="utf-8") as file:
                return file.read().count("torch0: the worker is there") >= 2
        wait_for(says_hello_twice)
        outcome, = self.classify(NETWORK + "-fp32")
        self.assertEqual(outcome["outcome"], "completed", outcome)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], "-v"])
