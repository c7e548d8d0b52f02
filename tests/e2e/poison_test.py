#!/usr/bin/env python3
"""Poison on real devices: a task that ends the worker of every device that tries it, or takes the whole process
with it; what `juggler dead` shows of it; and a device that is drained. Under load throughout; at the end
everything accepted was answered, once. The devices are three juggler-consumer with a worker of the tests each.

  poison_test.py BUILD_DIR VAR_DIR
"""

import glob
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import unittest

import pika

from plain_broker import PlainBroker
from real_fleet import Load, Process, RealFleet, Tasks, left_in

BUILD, VAR = map(os.path.abspath, sys.argv[1:3])
WORKER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support", "poison_worker.py")
DEVICES = ["board-a", "board-b", "board-c"]
VARIANT = "efficientnet_lite0-fp32"
LANE = "worker0"
RATE_HZ = 12
BESIDE = 8
POISONS = [f"poison-{number}" for number in range(3)]
LIMIT_S = 60
REPLIES = "poison.replies"
SIDE = 8
WHITE, GREY, BLACK = (level * 3 * SIDE * SIDE for level in (b"\xff", b"\x80", b"\0"))
ENDED_BEFORE = "the process that had it ended before it answered"


class Good(Tasks):
    DEADLINE_S = LIMIT_S

    def next_task(self):
        task, headers = super().next_task()
        return task, {**headers, "model": VARIANT}


class Poison(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="juggler-poison-")
        cls.broker = PlainBroker().__enter__()
        cls.addClassCleanup(cls.folder.cleanup)
        cls.addClassCleanup(cls.broker.__exit__)
        cls.fleet = RealFleet(BUILD, cls.folder.name, [f"amqp://127.0.0.1:{cls.broker.port}/juggler"],
                              cls.broker.rabbitmqctl, DEVICES)
        cls.addClassCleanup(cls.fleet.__exit__)
        cls.broker.control("set_permissions", "-p", "juggler", "submitter", ".*", ".*", ".*")
        cls.journal = os.path.join(cls.folder.name, "journal")
        cls.fleet.start_controller("controller", "--journal", cls.journal)
        for device in DEVICES:
            cls.start_board(device)
        cls.load = Load(cls.fleet.login("submitter"), RATE_HZ, tasks=Good)
        cls.load.watcher.start()
        cls.fleet.await_devices(cls.load.watcher, 120)
        cls.load.begin()
        cls.answers = {}  # task -> [(correlation_id, outcome)], of those that are submitted one by one
        time.sleep(2)

    @classmethod
    def start_board(cls, device):
        home = os.path.join(cls.folder.name, device)
        os.makedirs(home)
        for name in ("models", "onnxruntime"):
            os.symlink(os.path.join(VAR, name), os.path.join(home, name))
        lanes = os.path.join(home, "lanes.toml")
        with open(lanes, "w", encoding="utf-8") as file:
            file.write(f'format = 1\n[[lane]]\nprocessor = "{LANE}"\nengine = "external"\nkind = "cpu"\n'
                       f"command = {json.dumps([sys.executable, WORKER, VARIANT])}\n")
        cls.fleet.processes[device] = Process(
            device, [os.path.join(BUILD, "juggler-consumer"), "--id", device, "--lanes", lanes, "--home", home,
                     "--no-fetch", "--calibrate-max", "30s"], cls.fleet.login(device), cls.folder.name)

    def until(self, found, what, limit_s=LIMIT_S):
        end = time.monotonic() + limit_s
        while not (result := found()):
            self.assertLess(time.monotonic(), end, f"not in {limit_s} s: {what}\n{self.fleet.logs()}")
            time.sleep(0.02)
        return result

    def replies(self):
        connection = pika.BlockingConnection(pika.URLParameters(self.fleet.login("submitter")))
        channel = connection.channel()
        channel.confirm_delivery()
        channel.queue_declare(REPLIES, durable=True)
        return connection, channel

    def submit(self, pixels_of, **headers):
        """By task, raw pixels, with time enough; confirmed."""
        connection, channel = self.replies()
        for task, pixels in pixels_of.items():
            channel.basic_publish("juggler.submit", "juggler.tasks", pixels, pika.BasicProperties(
                content_type="application/octet-stream", message_id=task, correlation_id=f"of {task}",
                reply_to=REPLIES, delivery_mode=2, user_id="submitter", headers={
                    "model": VARIANT, "deadline_ms": LIMIT_S * 1000, "tensor": "uint8-hwc", "width": SIDE,
                    "height": SIDE, **headers}), mandatory=True)
        connection.close()

    def read_answers(self):
        connection, channel = self.replies()
        while (got := channel.basic_get(REPLIES, auto_ack=True))[0] is not None:
            outcome = json.loads(got[2])
            self.answers.setdefault(outcome["id"], []).append((got[1].correlation_id, outcome))
        connection.close()

    def answer(self, task):
        def found():
            self.read_answers()
            return self.answers.get(task)
        return self.until(found, f"an outcome of {task}", LIMIT_S + 20)[0]

    def juggler(self, *arguments, login="controller", status=0):
        """As a user runs it; what it printed."""
        done = subprocess.run([os.path.join(BUILD, "juggler"), *arguments, "--broker-file", self.fleet.file(login)],
                              capture_output=True, text=True, timeout=120, check=False)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr + self.fleet.logs())
        return done.stdout + done.stderr

    def dead(self):
        return {entry["id"]: entry for entry in json.loads(self.juggler("dead", "list", "--json"))["dead"]}

    def seen(self, colour):
        """How often each device's worker has begun with such a picture."""
        logs = {device: os.path.join(self.folder.name, device, "logs", f"{device}-{LANE}.log") for device in DEVICES}
        return {device: pathlib.Path(log).read_text(encoding="utf-8").split().count(colour)
                for device, log in logs.items()}

    def serves(self, device, task):
        self.submit({task: GREY}, device=device)
        outcome = self.answer(task)[1]
        self.assertEqual((outcome["outcome"], outcome.get("device")), ("completed", device), outcome)

    def failed_on_all(self, task):
        """Tried on three devices, once on each, and each said why."""
        correlation, outcome = self.answer(task)
        self.assertEqual(outcome["outcome"], "failed", outcome)
        self.assertEqual(sorted(attempt["device"] for attempt in outcome["attempts"]), DEVICES, outcome)
        for attempt in outcome["attempts"]:
            self.assertRegex(attempt["end"], f"the worker of .*{LANE} is not there: .*signal 6", outcome)
        return correlation, outcome

    def all_completed(self, tasks):
        """Those of the load."""
        outcomes = self.load.collector.outcomes
        self.until(lambda: all(task in outcomes for task in tasks), "all are answered")
        victims = [end for task in tasks if (end := outcomes[task][1])["outcome"] != "completed"]
        self.assertEqual(victims, [], self.fleet.logs())

    def test_1_poison_ends_three_workers_and_fails_once_and_good_tasks_are_completed(self):
        self.assertEqual(self.seen("white"), dict.fromkeys(DEVICES, 0), "calibration is no poison")
        victims = []
        for number, task in enumerate(POISONS, 1):
            moment = time.monotonic()
            good = [f"beside-{task}-{index}" for index in range(2 * BESIDE)]  # some stand behind it on each device
            self.submit({**dict.fromkeys(good[:BESIDE], GREY), task: WHITE, **dict.fromkeys(good[BESIDE:], GREY)})
            correlation, outcome = self.failed_on_all(task)
            took = time.monotonic() - moment
            self.assertEqual(correlation, f"of {task}")
            self.assertEqual(self.seen("white"), dict.fromkeys(DEVICES, number))
            for device in DEVICES:
                self.serves(device, f"after-{task}-on-{device}")
            print(f"{task}: failed after {took:.2f} s on {[attempt['device'] for attempt in outcome['attempts']]}; all "
                  f"devices served again within {time.monotonic() - moment:.2f} s of its submission", flush=True)
            victims += [end for one in good if (end := self.answer(one)[1])["outcome"] != "completed"]
        print(f"good tasks beside them: {len(victims)} of {len(POISONS) * 2 * BESIDE} not completed", flush=True)
        self.assertEqual(victims, [], self.fleet.logs())
        self.all_completed(list(self.load.submitter.accepted))

    def test_2_it_is_dead_with_its_history_and_fails_again_under_a_new_id(self):
        task, *others = POISONS
        self.assertRegex(self.juggler("dead", "list"), rf"(?m)^\W*{task}\s+task\s")
        entry = self.dead()[task]
        self.assertEqual((entry["kind"], entry["attempts"], entry["submitter"], entry["bytes"]),
                         ("task", 3, "user:submitter", len(WHITE)), entry)
        shown = json.loads(self.juggler("dead", "show", task))["outcome"]
        self.assertEqual(shown["attempts"], self.answers[task][0][1]["attempts"])
        self.juggler("dead", "show", "no-such-task", status=1)
        requeued = self.juggler("dead", "requeue", task)
        again = requeued.split()[-1]
        self.assertEqual(requeued, f"{task} is submitted again as {again}\n")
        self.assertEqual(self.failed_on_all(again)[0], f"of {task}", "the client's own")
        self.until(lambda: sorted(dead for dead in self.dead() if dead.startswith("poison")) ==
                   sorted([again, *others]), "the new one is dead in the place of the old one")
        for device in DEVICES:
            self.serves(device, f"after-requeue-on-{device}")

    def test_3_a_device_is_drained_under_load_and_its_process_ends(self):
        device, board = DEVICES[0], self.fleet.processes[DEVICES[0]]
        self.until(lambda: any(outcome["device"] == device and when > time.monotonic() - 1 for when, outcome in
                               list(self.load.collector.outcomes.values()) if "device" in outcome), "it is at work")
        self.juggler("devices", "drain", device, login=DEVICES[1], status=3)  # another device's login may not
        moment = time.monotonic()
        self.assertIn("has left", self.juggler("devices", "drain", device))
        self.assertEqual(board.process.wait(30), 0, board.log())
        left = time.monotonic()
        self.assertEqual(left_in(self.load.address, [f"juggler.device.{device}"]), {})
        time.sleep(2)
        accepted = {task: when for task, (when, _) in list(self.load.submitter.accepted.items()) if when > moment - 1}
        self.all_completed(accepted)
        later = {self.load.collector.outcomes[task][1]["device"] for task, when in accepted.items() if when > left}
        self.assertNotIn(device, later)
        counts = [line.split(" left: ")[1] for line in board.log().splitlines() if " left: " in line]
        print(f"drained and ended in {left - moment:.2f} s: {counts}", flush=True)
        board.start()
        self.until(lambda: self.load.watcher.states.get(device) == "live", "it is back", 120)
        self.serves(device, "after-drain")

    def test_4_a_task_whose_process_was_killed_is_not_run_again_by_its_successor(self):
        self.assertEqual(self.seen("black"), dict.fromkeys(DEVICES, 0))
        self.submit({"slow": BLACK})
        device = self.until(lambda: [device for device, count in self.seen("black").items() if count], "it runs")[0]
        board = self.fleet.processes[device]
        board.kill()
        board.start()
        outcome = self.answer("slow")[1]
        self.assertEqual(outcome["outcome"], "completed", outcome)
        self.until(lambda: self.journal_says(ENDED_BEFORE), "the new process got the task of the old one", 120)
        self.serves(device, "after-kill")
        attempts = [attempt["device"] for attempt in outcome["attempts"]]
        for name, count in self.seen("black").items():
            self.assertLessEqual(count, attempts.count(name), f"an attempt on {name} ran again: {outcome}")
        print(f"killed with its task on {device}: {outcome['attempts']}", flush=True)

    def journal_says(self, words):
        return any(words in pathlib.Path(path).read_text(encoding="utf-8")
                   for path in glob.glob(os.path.join(self.journal, "*.jsonl")))

    def test_5_everything_accepted_was_answered_once(self):
        self.load.end(LIMIT_S + 30)
        self.read_answers()
        print(f"{len(self.load.submitter.accepted)} accepted, {self.load.outcomes()}, "
              f"{self.load.collector.copies} copies; {len(self.answers)} one by one", flush=True)
        self.all_completed(self.load.submitter.accepted)
        self.assertEqual(self.load.collector.different, [])
        self.assertEqual({task: len(answers) for task, answers in self.answers.items() if len(answers) != 1}, {})
        self.until(lambda: not left_in(self.load.address, ["juggler.tasks", "juggler.results"]), "queues are empty", 20)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
