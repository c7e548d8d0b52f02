#!/usr/bin/env python3
"""An emulated arm64 consumer and the native one in one fleet: every photograph is classified by both.

    consumer_test.py BUILD EMULATED ROOT MODELS PHOTOS

BUILD has the native programs; EMULATED is a command that runs the arm64 consumer inside ROOT, where its
home is /home. Real: RabbitMQ, the controller, both consumers, ONNX Runtime, the pictures. Times mean
nothing: one processor is emulated.
"""

import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path += [str(HERE.parents[1] / "bench"), str(HERE.parent / "e2e")]

from broker import PrivateBroker  # noqa: E402  pylint: disable=wrong-import-position
from fleet import Client  # noqa: E402  pylint: disable=wrong-import-position

BUILD, EMULATED, ROOT, MODELS, PHOTOS = sys.argv[1:6]
# Scores may differ by this. fp32: the order of additions. int8: rounding falls to either side.
TOLERANCE = {"efficientnet_lite0-fp32": 0.001, "efficientnet_lite0-fp16": 0.001, "efficientnet_lite0-int8": 0.02}
CONFIDENT = 0.3  # below it two labels lie so close that int8 may exchange them
DEVICES = ("arm64-board", "native")
START_LIMIT_S = 400
TASK_LIMIT_S = 300


class Programs:
    """What runs beside the broker, each with a log; all are ended at the end."""

    def __init__(self, folder, address):
        self.folder = folder
        self.address = address
        self.running = {}

    def start(self, name, *words):
        with open(self.log(name), "wb") as log:
            # A group of its own: signals reach the program behind the command that enters the root.
            self.running[name] = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                                  start_new_session=True)

    def log(self, name):
        return os.path.join(self.folder, f"{name}.log")

    def check(self):
        for name, process in self.running.items():
            if process.poll() is not None:
                with open(self.log(name), encoding="utf-8", errors="replace") as log:
                    raise SystemExit(f"{name} ended with {process.returncode}:\n{log.read()[-3000:]}")

    def stop(self):
        for process in self.running.values():
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
        for process in self.running.values():
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)


def await_devices(programs):
    end = time.monotonic() + START_LIMIT_S
    while time.monotonic() < end:
        programs.check()
        done = subprocess.run([f"{BUILD}/juggler", "devices", "--json", "--broker-file", programs.address],
                              capture_output=True, text=True, check=False, timeout=60)
        if done.returncode == 0:
            live = {one["id"]: one for one in json.loads(done.stdout)["devices"] if one["state"] == "live"}
            if all(device in live for device in DEVICES):
                return live
        time.sleep(1)
    raise SystemExit(f"after {START_LIMIT_S} s not both devices are live")


def classify(client, programs, body, content_type, variant):
    """The outcome of each device for one picture."""
    answers = {}
    for device in DEVICES:
        programs.check()
        task = client.submit(body, content_type=content_type,
                             headers={"model": variant, "device": device, "deadline_ms": TASK_LIMIT_S * 1000, "top_k": 5})
        outcome, = client.collect([task], limit_s=TASK_LIMIT_S + 30)
        assert outcome["outcome"] == "completed", outcome
        assert not outcome["twin"], "these are no twins"
        answers[outcome["device"]] = outcome
    assert set(answers) == set(DEVICES), answers
    return answers


def compare(answers, tolerance):
    """The fault in words, and the greatest difference of a score that both list."""
    first, second = ({one["label"]: one["score"] for one in answers[device]["labels"]} for device in DEVICES)
    best = [max(scores, key=scores.get) for scores in (first, second)]
    both = set(first) & set(second)
    widest = max((abs(first[label] - second[label]) for label in both), default=1.0)
    if best[0] != best[1] and max(max(first.values()), max(second.values())) >= CONFIDENT:
        return f"{best[0]} and {best[1]}", widest
    if tolerance < 0.01 and (best[0] != best[1] or set(first) != set(second)):
        return "other labels", widest
    return (None if widest <= tolerance else f"scores differ by {widest:.4f}"), widest


def judge(client, programs):
    compared, faults, widest = 0, [], dict.fromkeys(TOLERANCE, 0.0)
    for photo in sorted(pathlib.Path(PHOTOS).glob("*.[pj][np]g")):
        content_type = "image/png" if photo.suffix == ".png" else "image/jpeg"
        for variant, tolerance in TOLERANCE.items():
            answers = classify(client, programs, photo.read_bytes(), content_type, variant)
            fault, difference = compare(answers, tolerance)
            compared += 1
            widest[variant] = max(widest[variant], difference)
            shown = " | ".join(f"{device}: {answers[device]['labels'][0]['label']} "
                               f"{answers[device]['labels'][0]['score']:.4f}" for device in DEVICES)
            print(f"[arm64] {photo.name:18} {variant:24} {shown} | {fault or 'same'}", flush=True)
            if fault:
                faults.append(f"{photo.name}, {variant}: {fault}")
    for variant, difference in widest.items():
        print(f"[arm64] {variant}: greatest difference of a score {difference:.5f} (tolerance {TOLERANCE[variant]})")
    return compared, faults


def main():
    with tempfile.TemporaryDirectory(prefix="juggler-arm64-") as folder, \
            PrivateBroker(vhosts=["juggler"], users=["fleet"]) as broker:
        url = broker.url("fleet", "juggler")
        addresses = os.path.join(folder, "broker"), os.path.join(ROOT, "broker")
        for path in addresses:
            with open(path, "w", encoding="utf-8") as file:
                file.write(url + "\n")
            os.chmod(path, 0o600)
        home = os.path.join(folder, "home")
        os.makedirs(home)
        os.symlink(os.path.abspath(MODELS), os.path.join(home, "models"))
        os.symlink(os.path.abspath(os.path.join(MODELS, "../onnxruntime")), os.path.join(home, "onnxruntime"))
        variants = ",".join(TOLERANCE)
        programs = Programs(folder, addresses[0])
        try:
            programs.start("controller", f"{BUILD}/juggler", "controller", "--broker-file", addresses[0],
                           "--home", home, "--policy", "round-robin")
            programs.start("native", f"{BUILD}/juggler-consumer", "--id", "native", "--home", home,
                           "--broker-file", addresses[0], "--variants", variants)
            programs.start("arm64-board", EMULATED, "--id", "arm64-board", "--home", "/home",
                           "--broker-file", "/broker", "--variants", variants, "--calibrate-max", "240s")
            live = await_devices(programs)
            print(f"[arm64] both are live: {json.dumps({key: live[key].get('board') for key in DEVICES})}")
            with Client(url) as client:
                compared, faults = judge(client, programs)
        finally:
            programs.stop()
    for fault in faults:
        print(f"[arm64] FAILED: {fault}")
    print(f"{compared - len(faults)} passed, {len(faults)} failed")
    return 1 if faults or compared == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
