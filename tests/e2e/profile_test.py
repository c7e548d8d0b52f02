#!/usr/bin/env python3
"""`juggler profile` from outside: this machine's networks measured, kept, gone on with after Ctrl-C, read by
a twin, and compared.

  profile_test.py BUILD_DIR MODELS_DIR
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
import unittest

BUILD, MODELS = (os.path.abspath(place) for place in sys.argv[1:3])
ONNX = os.path.isdir(os.path.join(os.path.dirname(MODELS), "onnxruntime"))
SMALL = "mobilenet_v3_small-fp32"


class Profile(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="juggler-profile-")
        self.home = os.path.join(self.folder.name, "home")
        os.makedirs(self.home)
        os.symlink(MODELS, os.path.join(self.home, "models"))
        if ONNX:
            os.symlink(os.path.join(os.path.dirname(MODELS), "onnxruntime"),
                       os.path.join(self.home, "onnxruntime"))
        self.file = os.path.join(self.home, "profiles", "this-machine.toml")

    def tearDown(self):
        self.folder.cleanup()

    def command(self, *arguments):
        return [os.path.join(BUILD, "juggler"), "profile", *arguments, "--home", self.home]

    def run_it(self, *arguments):
        return subprocess.run(self.command(*arguments), stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, timeout=120, check=False)

    def quick(self, *arguments):
        return self.run_it("--variants", SMALL, "--threads", "1", "--time-max", "300ms",
                           "--precision", "20", *arguments)

    @unittest.skipUnless(ONNX, "no ONNX Runtime")
    def test_a_network_is_measured_and_its_file_holds_the_conditions(self):
        done = self.quick("--batches", "1,2", "--note", "of a test", "--json", "--device", "here")
        self.assertEqual(done.returncode, 0, done.stderr)
        answer = json.loads(done.stdout)
        self.assertEqual([point["batch"] for point in answer["points"]], [1, 2])
        for point in answer["points"]:
            self.assertGreaterEqual(point["samples"], 10)
            self.assertLessEqual(point["latency_us_min"], point["latency_us_p50"])
            self.assertLessEqual(point["latency_us_p50"], point["latency_us_p99"])
            self.assertLessEqual(point["latency_us_low"], point["latency_us_mean"])
            self.assertGreater(point["memory_bytes"], 0)
        with open(self.file, "rb") as file:
            kept = tomllib.load(file)
        self.assertEqual(kept["measured"]["note"], "of a test")
        self.assertIn("load_permille_before", kept["measured"])
        self.assertIn("load_permille_after", kept["measured"])
        self.assertIn("energy_absent", kept["measured"])
        self.assertEqual([row["batch"] for row in kept["processor"][0]["profile"]], [1, 2])
        with open(os.path.join(self.home, "profiles", "device-here.toml"), "rb") as file:
            announced = tomllib.load(file)
        self.assertEqual([row["latency_us_mean"] for row in announced["processor"][0]["profile"]],
                         [row["latency_us_mean"] for row in kept["processor"][0]["profile"]])

    @unittest.skipUnless(ONNX, "no ONNX Runtime")
    def test_a_second_run_measures_only_what_is_new_and_again_measures_all(self):
        self.assertEqual(self.quick("--batches", "1").returncode, 0)
        first = json.loads(self.quick("--batches", "1", "--json").stdout)["points"]
        second = json.loads(self.quick("--batches", "1,2", "--json").stdout)["points"]
        latencies = [key for key in first[0] if key.startswith("latency_us")]
        self.assertEqual([second[0][key] for key in latencies], [first[0][key] for key in latencies])
        self.assertEqual(len(second), 2)
        third = json.loads(self.quick("--batches", "1", "--json", "--again").stdout)["points"]
        self.assertNotEqual([third[0][key] for key in latencies], [first[0][key] for key in latencies])

    @unittest.skipUnless(ONNX, "no ONNX Runtime")
    def test_ctrl_c_keeps_what_is_whole_and_the_next_run_goes_on(self):
        process = subprocess.Popen(
            self.command("--variants", "mobilenet_v3_small,resnet50-fp32", "--threads", "1",
                         "--batches", "1", "--time-max", "3s", "--precision", "0.1"),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        end = time.monotonic() + 60
        while not os.path.exists(self.file) and time.monotonic() < end:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 1, said)
        self.assertIn("the next run goes on from there", said)
        with open(self.file, "rb") as file:
            before = tomllib.load(file)["processor"][0]["profile"]
        self.assertGreaterEqual(len(before), 1)
        answer = json.loads(self.run_it("--variants", "mobilenet_v3_small", "--threads", "1", "--batches", "1",
                                        "--time-max", "300ms", "--json").stdout)
        kept = {point["variant"]: point["latency_us_mean"] for point in answer["points"]}
        self.assertEqual(kept[before[0]["variant"]], before[0]["latency_us_mean"])

    @unittest.skipUnless(ONNX, "no ONNX Runtime")
    def test_a_profile_is_a_board_that_a_twin_stands_for(self):
        self.assertEqual(self.quick("--batches", "1,2").returncode, 0)
        twin = json.loads(self.run_it("--twin", "this-machine", "--batches", "1,2", "--json").stdout)
        with open(self.file, "rb") as file:
            rows = {row["batch"]: row for row in tomllib.load(file)["processor"][0]["profile"]}
        self.assertEqual(len(twin["points"]), 2)
        for point in twin["points"]:
            self.assertAlmostEqual(point["latency_us_mean"] / rows[point["batch"]]["latency_us_mean"], 1,
                                   delta=0.1)

    def test_every_board_s_twin_gives_back_its_profile(self):
        for board in ("jetson-orin-nano", "raspberry-pi-4", "jetson-agx-orin"):
            with self.subTest(board=board):
                out = os.path.join(self.folder.name, board + ".toml")
                done = self.run_it("--twin", board, "--batches", "1,2,4,8", "--out", out)
                self.assertEqual(done.returncode, 0, done.stderr)
                compared = json.loads(self.run_it("compare", board, out, "--json").stdout)
                self.assertGreater(len(compared["points"]), 9)
                self.assertEqual(compared["only_a"], 0)
                for point in compared["points"]:
                    self.assertAlmostEqual(point["ratio"], 1, delta=0.15, msg=str(point))

    def test_compare_says_what_differs(self):
        done = self.run_it("compare", "raspberry-pi-4", "raspberry-pi-5")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("points in both", done.stdout)
        self.assertIn("apart", done.stdout)
        same = json.loads(self.run_it("compare", "raspberry-pi-4", "raspberry-pi-4", "--json").stdout)
        self.assertEqual({point["ratio"] for point in same["points"]}, {1.0})
        self.assertEqual({point["apart"] for point in same["points"]}, {False})

    def test_energies_of_different_meters_are_not_compared(self):
        answer = json.loads(self.run_it("compare", "raspberry-pi-4", "raspberry-pi-5", "--json").stdout)
        self.assertGreater(answer["energies_of_other_scopes"], 0)  # the wall, and the board's input
        self.assertFalse(any("a_uj" in point for point in answer["points"]))
        answer = json.loads(self.run_it("compare", "jetson-orin-nano", "jetson-xavier-nx", "--json").stdout)
        self.assertEqual(answer["energies_of_other_scopes"], 0)
        self.assertTrue(all(point["scope"] == "module-rail" for point in answer["points"] if "a_uj" in point))

    def test_what_is_impossible_is_a_status_of_two(self):
        for arguments in (("--twin", "no-such-board"), ("--name", "Not A Name"), ("--batches", "0"),
                          ("compare", "raspberry-pi-4", "no-such-board"),
                          ("--twin", "jetson-nano", "--device", "here")):
            with self.subTest(arguments=arguments):
                self.assertEqual(self.run_it(*arguments).returncode, 2)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], "-v"])
