#!/usr/bin/env python3
"""What a profile says beside the times of single lanes, from outside: lanes beside each other, power modes (with a
program in nvpmodel's place and files of a Jetson's format), curves of a board, and power fitted to load against a plug.

  profile_conditions_test.py BUILD_DIR MODELS_DIR
"""

import http.server
import json
import os
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
import tomllib
import unittest

BUILD, MODELS = (os.path.abspath(place) for place in sys.argv[1:3])
ONNX = os.path.isdir(os.path.join(os.path.dirname(MODELS), "onnxruntime"))
SMALL = "mobilenet_v3_small-fp32"
QUICK = ("--variants", SMALL, "--threads", "1", "--batches", "1", "--time-max", "300ms", "--precision", "20",
         "--meter", "none")

NVPMODEL = """#!/bin/sh
echo "$@" >> "{log}"
case "$2" in 9) echo "NVPM ERROR: Error opening"; exit 1;; 2) exit 0;; esac
echo "pmode:000$2" > "{status}"
"""
MODES = ("< POWER_MODEL ID=0 NAME=15W >\n< POWER_MODEL ID=1 NAME=25W >\n< POWER_MODEL ID=2 NAME=MAXN_SUPER >\n"
         "< POWER_MODEL ID=9 NAME=BROKEN >\n")


class Conditions(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="juggler-conditions-")
        self.home = os.path.join(self.folder.name, "home")
        os.makedirs(self.home)
        os.symlink(MODELS, os.path.join(self.home, "models"))
        if ONNX:
            os.symlink(os.path.join(os.path.dirname(MODELS), "onnxruntime"),
                       os.path.join(self.home, "onnxruntime"))
        self.profiles = os.path.join(self.home, "profiles")

    def tearDown(self):
        self.folder.cleanup()

    def path(self, *names):
        return os.path.join(self.folder.name, *names)

    def write(self, text, *names):
        os.makedirs(os.path.dirname(self.path(*names)), exist_ok=True)
        with open(self.path(*names), "w", encoding="utf-8") as file:
            file.write(text)
        return self.path(*names)

    def command(self, *arguments):
        return [os.path.join(BUILD, "juggler"), "profile", *arguments, "--home", self.home]

    def run_it(self, *arguments, **more):
        return subprocess.run(self.command(*arguments), stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, timeout=240, check=False, **more)

    def read(self, *names):
        with open(self.path(*names), "rb") as file:
            return tomllib.load(file)

    @unittest.skipUnless(ONNX, "no ONNX Runtime")
    def test_two_lanes_are_measured_beside_each_other_and_a_twin_of_them_has_it(self):
        lanes = self.write("format = 1\n" + "".join(
            f'[[lane]]\nprocessor = "{name}"\nengine = "cpu"\nthreads = 1\n' for name in ("cpu0", "cpu1")), "lanes.toml")
        done = self.run_it(*QUICK, "--lanes", lanes, "--device", "here", "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        pairs = json.loads(done.stdout)["slowdowns"]
        self.assertEqual([(pair["processor"], pair["beside"]) for pair in pairs], [("cpu0", "cpu1"), ("cpu1", "cpu0")])
        for pair in pairs:
            self.assertLessEqual(pair["permille_low"], pair["permille"])
            self.assertLessEqual(pair["permille"], pair["permille_high"])
            self.assertGreater(pair["permille"], 500)
            self.assertEqual((pair["variant"], pair["beside_variant"]), (SMALL, SMALL))
        announced = self.read("home", "profiles", "device-here.cpu1.toml")["processor"][0]["beside"]
        self.assertEqual([row["processor"] for row in announced], ["cpu0"])
        again = json.loads(self.run_it(*QUICK, "--lanes", lanes, "--json").stdout)["slowdowns"]
        self.assertEqual(again, pairs, "what the file has is not measured again")
        twin = self.run_it("--twin", "this-machine", "--batches", "1", "--json")
        self.assertEqual(json.loads(twin.stdout)["slowdowns"], pairs)
        self.assertIn("While cpu1 computes, cpu0 takes",
                      self.run_it("--twin", "this-machine", "--batches", "1").stdout.replace("\n", " "))

    def test_curves_of_a_board_are_kept_and_said_not_to_be_measured(self):
        self.write("""format = 1
board = "warm"
title = "A board that warms up"
memory_bytes = 1000000000
[heat]
at_rest_celsius = 40
celsius_per_watt = 5
time_constant_s = 60
throttle_celsius = 80
slowdown_per_celsius = 0.1
slowdown_max = 2
[[processor]]
id = "cpu0"
kind = "cpu"
runtime = "a test"
window_batches = 2
batch_max = 1
[processor.warm_up]
slowdown = 1.5
work_ms = 100
rest_s = 10
[[processor.profile]]
variant = "resnet18-fp32"
batch = 1
latency_us_mean = 20000
latency_us_p95 = 24000
kind = "measured"
source = "a test"
""", "home", "profiles", "warm.toml")
        out = self.path("again.toml")
        done = self.run_it("--twin", "warm", "--batches", "1", "--out", out)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("not measured", done.stdout.replace("\n", " "))
        again = self.read("again.toml")
        self.assertEqual(again["heat"]["time_constant_s"], 60)
        self.assertEqual(again["processor"][0]["warm_up"]["slowdown"], 1.5)
        self.assertAlmostEqual(again["processor"][0]["profile"][0]["latency_us_mean"] / 20000, 1, delta=0.1)

    def jetson(self, mode):
        """A host's files with power modes, and a program in nvpmodel's place in PATH."""
        with open("/proc/cpuinfo", encoding="utf-8") as cpu, open("/proc/meminfo", encoding="utf-8") as memory:
            self.write(cpu.read(), "host", "proc", "cpuinfo")
            self.write(memory.read(), "host", "proc", "meminfo")
        self.write("cpu  1 0 0 9 0 0 0 0\n", "host", "proc", "stat")
        self.write(MODES, "host", "etc", "nvpmodel.conf")
        status = self.write(f"pmode:000{mode}\n", "host", "var", "lib", "nvpmodel", "status")
        program = self.write(NVPMODEL.format(log=self.path("calls"), status=status), "bin", "nvpmodel")
        os.chmod(program, stat.S_IRWXU)
        return {"env": {**os.environ, "PATH": self.path("bin") + ":" + os.environ["PATH"]}}

    def calls(self):
        with open(self.path("calls"), encoding="utf-8") as file:
            return file.read().splitlines()

    @unittest.skipUnless(ONNX, "no ONNX Runtime")
    def test_each_power_mode_has_a_profile_and_the_first_is_set_again(self):
        more = self.jetson(0)
        host = ("--host-root", self.path("host"))
        done = self.run_it(*QUICK, *host, "--power-modes", "25W,0", **more)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.calls(), ["-m 1", "-m 0"], "15W is set already when it ends")
        for name, mode in (("this-machine-25w", "25W"), ("this-machine-15w", "15W")):
            measured = self.read("home", "profiles", name + ".toml")["measured"]
            self.assertEqual(measured["power_mode"], mode)
        compared = self.run_it("compare", "this-machine-25w", "this-machine-15w")
        self.assertIn("power mode 25W (1) and 15W (0)", compared.stdout.replace("\n", " "))
        same = json.loads(self.run_it("compare", "this-machine-25w", "this-machine-25w", "--json").stdout)
        self.assertEqual(same["different_modes"], [])
        # Another mode is set now: the file is not gone on with.
        refused = self.run_it(*QUICK, *host, "--name", "this-machine-25w", **more)
        self.assertEqual(refused.returncode, 2)
        self.assertIn("power mode 25W (1), and 15W (0) is set now", refused.stderr)

    @unittest.skipUnless(ONNX, "no ONNX Runtime")
    def test_a_mode_that_cannot_be_set_is_said_and_the_first_is_kept(self):
        more = self.jetson(1)
        host = ("--host-root", self.path("host"))
        reboot = self.run_it(*QUICK, *host, "--power-modes", "MAXN_SUPER", **more)
        self.assertEqual(reboot.returncode, 1)
        self.assertIn("it may need a reboot", reboot.stderr)
        denied = self.run_it(*QUICK, *host, "--power-modes", "0,9", **more)
        self.assertEqual(denied.returncode, 1)
        self.assertIn("NVPM ERROR: Error opening", denied.stderr)
        self.assertIn("root", denied.stderr)
        with open(self.path("host", "var", "lib", "nvpmodel", "status"), encoding="utf-8") as file:
            self.assertEqual(file.read(), "pmode:0001\n")
        os.unlink(self.path("bin", "nvpmodel"))
        absent = self.run_it(*QUICK, *host, "--power-modes", "0", **more)
        self.assertIn("no program nvpmodel", absent.stderr)

    def test_power_modes_where_there_are_none_or_not_that_one_are_a_status_of_two(self):
        more = self.jetson(0)
        other = self.run_it(*QUICK, "--host-root", self.path("host"), "--power-modes", "MAXN", **more)
        self.assertEqual(other.returncode, 2)
        self.assertIn("15W (0), 25W (1), MAXN_SUPER (2)", other.stderr)
        os.unlink(self.path("host", "etc", "nvpmodel.conf"))
        none = self.run_it(*QUICK, "--host-root", self.path("host"), "--power-modes", "0", **more)
        self.assertEqual(none.returncode, 2)
        self.assertIn("no power modes", none.stderr)
        self.assertEqual(self.run_it("--power-modes", "0", "--twin", "jetson-nano").returncode, 2)

    def test_power_is_fitted_to_load_against_a_plug(self):
        plug = Plug(self.write("cpu  0 0 0 0 0 0 0 0\n", "host", "proc", "stat"))
        self.write("MemAvailable: 1000000 kB\n", "host", "proc", "meminfo")
        out = self.path("model.toml")
        process = subprocess.Popen(
            self.command("calibrate", "--meter", f"shelly={plug.url}", "--host-root", self.path("host"), "--out", out,
                         "--level-time", "4s", "--json"),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        plug.watch(process.pid)
        said, complained = process.communicate(timeout=240)
        plug.close()
        self.assertEqual(process.returncode, 0, complained)
        answer = json.loads(said)
        self.assertGreaterEqual(len(answer["levels"]), 3)
        self.assertLess(abs(answer["at_rest_mw"] / 1000 - Plug.REST_W), 0.25 * Plug.LOAD_W, answer)
        self.assertLess(abs(answer["per_load_mw"] / 1000 / Plug.LOAD_W - 1), 0.3, answer)
        model = self.read("model.toml")
        self.assertEqual(model["scope"], "wall")
        self.assertEqual(model["rmse_mw"], answer["rmse_mw"])
        self.assertRegex(model["source"], r"calibrate, \d{4}-\d\d-\d\d: against .*\(wall\) on .*Linux .*points")

    def test_a_calibration_without_a_reference_or_that_is_stopped_writes_nothing(self):
        out = self.path("model.toml")
        estimate = self.run_it("calibrate", "--meter", "estimate=x.toml", "--out", out)
        self.assertEqual(estimate.returncode, 2)
        self.assertIn("no reference", estimate.stderr)
        self.assertEqual(self.run_it("calibrate", "--meter", "none", "--out", out).returncode, 2)
        self.assertEqual(self.run_it("calibrate", "--out", out).returncode, 2)
        away = self.run_it("calibrate", "--meter", "tasmota=http://127.0.0.1:1", "--out", out)
        self.assertEqual(away.returncode, 1)
        self.assertIn("127.0.0.1:1", away.stderr)
        plug = Plug(self.write("cpu  0 0 0 0 0 0 0 0\n", "host", "proc", "stat"))
        process = subprocess.Popen(
            self.command("calibrate", "--meter", f"shelly={plug.url}", "--host-root", self.path("host"), "--out", out),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        plug.watch(process.pid)
        time.sleep(2)
        process.send_signal(signal.SIGINT)
        _, complained = process.communicate(timeout=60)
        plug.close()
        self.assertEqual(process.returncode, 1)
        self.assertIn("stopped; nothing was written", complained)
        self.assertFalse(os.path.exists(out))


class Plug:
    """A plug on the loopback whose watts follow the cores that one process really keeps busy, and a proc/stat that says
    the same: what else runs here does not count."""
    REST_W = 5.0
    LOAD_W = 20.0
    CORES = len(os.sched_getaffinity(0))

    def __init__(self, stat_file):
        plug = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                body = json.dumps({"apower": plug.watts}).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.watts = self.REST_W
        self.file = os.open(stat_file, os.O_WRONLY)
        self.used = self.total = 0.0
        self.pid = None
        self.stopping = False
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.thread = threading.Thread(target=self.follow, daemon=True)
        self.thread.start()

    def watch(self, pid):
        self.pid = pid

    def cpu_seconds(self):
        try:
            with open(f"/proc/{self.pid}/stat", encoding="ascii") as file:
                fields = file.read().rsplit(")", 1)[1].split()
        except OSError:
            return None
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def follow(self):
        at, used = time.monotonic(), self.cpu_seconds()
        while not self.stopping:
            time.sleep(0.25)
            now, now_used = time.monotonic(), self.cpu_seconds()
            if used is not None and now_used is not None:
                whole = (now - at) * self.CORES
                busy = min(max(now_used - used, 0.0), whole)
                self.watts = round(self.REST_W + self.LOAD_W * busy / whole, 3)
                self.used += busy
                self.total += whole
            at, used = now, now_used
            line = f"cpu {int(self.used * 100):12} 0 0 {int((self.total - self.used) * 100):12} 0 0 0 0\n"
            os.pwrite(self.file, line.encode(), 0)

    def close(self):
        self.stopping = True
        self.thread.join()
        self.server.shutdown()
        self.server.server_close()
        os.close(self.file)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], "-v"])
