"""`juggler simulate`, `evaluate` and `plan` from outside: figures, files, exit statuses, errors.

    commands_test.py JUGGLER
"""

import csv
import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

JUGGLER = ""

SCENARIO = """
duration_s = 3
warm_up_s = 0.5
load = 0.3
[[device]]
board = "raspberry-pi-5"
count = 2
[[class]]
name = "any"
deadline_ms = 2000
"""

EVALUATION = """
seeds = 2
[[case]]
name = "Two rules"
scenarios = ["{scenario}"]
loads = ["20%", "40%"]
policies = ["juggler", "round-robin"]
reference = "round-robin"
timeline = true
"""

DEMAND = """
duration_s = 3
[[class]]
name = "any"
rate_hz = 10
deadline_ms = 1000
[[offer]]
board = "raspberry-pi-5"
price = 80
[[offer]]
board = "jetson-orin-nano"
price = 249
"""

DEVICE = {
    "board": "test-board", "device": "pi-1", "incarnation": 1, "memory_bytes": 1 << 30, "minor": 0,
    "processors": [{"batch_max": 1, "id": "cpu0", "kind": "cpu", "window_batches": 2, "profiles": [
        {"evidence": "measured", "variant": "n-fp32", "points": [
            {"batch": 1, "latency_us_mean": 20000, "latency_us_p95": 22000, "energy_evidence": "measured",
             "energy_scope": "board-input", "energy_uj": 90000, "energy_uj_high": 99000,
             "energy_uj_low": 80000}]}]}],
    "variants": [{"accuracy_evidence": "published", "accuracy_percent": 75.0, "id": "n-fp32",
                  "model": "imagenet", "network": "n", "precision": "fp32", "weights": "pretrained"}],
}


def journal_lines(tasks, deadlines=(200000,)):
    """A run with one device and so many tasks, 50 ms apart. Its digests are made up."""
    yield {"journal": 2, "config": {}, "juggler": "0.0", "policy": "juggler", "run": "r", "segment": 1,
           "unix_s": 1767225600}

    def step(at, event, **fields):
        return {"at_us": 1000000 + at, "digest": "0", "event": event, **fields}

    yield step(0, "lead-begun", epoch=1, predecessor=0)
    yield step(1000, "hello", device=DEVICE)
    for i in range(tasks):
        yield step(10000 + 50000 * i, "submitted", connection=1, tag=i, task={
            "deadline_us": deadlines[i % len(deadlines)], "id": str(i), "model": "auto", "payload": i + 1,
            "payload_bytes": 9000, "payload_height": 9, "payload_kind": "jpeg", "payload_width": 9,
            "priority": 0, "reply_to": "q", "submitter": "user:a", "top_k": 5})
    for at in range(1000000, 50000 * tasks + 1000000, 1000000):
        yield step(at, "heartbeat", heartbeat={"device": "pi-1", "incarnation": 1})


class Commands(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def file(self, name, text):
        path = self.folder / name
        path.write_text(text, encoding="utf-8")
        return str(path)

    def juggler(self, *arguments, status=0):
        done = subprocess.run([JUGGLER, *arguments], capture_output=True, text=True, timeout=110, check=False)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return done

    def runs(self, *arguments):
        return json.loads(self.juggler("simulate", *arguments, "--json").stdout)["runs"]

    def test_json_has_a_run_per_policy_and_seed_with_the_same_arrivals(self):
        scenario = self.file("s.toml", SCENARIO)
        runs = self.runs(scenario, "--policy", "juggler,random", "--seeds", "2", "--jobs", "2")
        self.assertEqual([(r["policy"], r["seed"]) for r in runs],
                         [("juggler", 1), ("juggler", 2), ("random", 1), ("random", 2)])
        self.assertEqual(runs[0]["offered"], runs[2]["offered"])
        self.assertNotEqual(runs[0]["digest"], runs[1]["digest"])
        for run in runs:
            self.assertEqual(run["lost"], 0)
            self.assertGreater(run["completed"], 0)
            self.assertGreaterEqual(run["bound"]["ratio"], 1.0)
            self.assertGreater(run["energy_uj"]["total"], run["energy_uj"]["marginal"])
            self.assertGreater(run["decision_ns"]["p99"], 0)

    def test_same_seed_gives_the_same_digest_however_many_threads(self):
        scenario = self.file("s.toml", SCENARIO)
        alone = self.runs(scenario, "--seeds", "3", "--jobs", "1")
        together = self.runs(scenario, "--seeds", "3", "--jobs", "3")
        self.assertEqual([r["digest"] for r in alone], [r["digest"] for r in together])

    def test_expectation_that_is_not_met_gives_status_1(self):
        scenario = self.file("s.toml", SCENARIO + "[expect]\nlatency_ms_p50_max = 0.001\n")
        said = self.juggler("simulate", scenario, status=1).stdout
        self.assertIn("latency_ms_p50_max = 0.001", said)

    def test_mistakes_in_a_file_are_named_with_their_line(self):
        scenario = self.file("s.toml", SCENARIO + "colour = 1\n")
        self.assertIn("s.toml:11:", self.juggler("simulate", scenario, status=2).stderr)
        self.juggler("simulate", "no/such", status=2)
        good = self.file("good.toml", SCENARIO)
        self.assertIn("round-robin", self.juggler("simulate", good, "--policy", "fifo", status=2).stderr)

    def test_evaluate_writes_csv_json_and_a_page(self):
        scenario = self.file("s.toml", SCENARIO)
        evaluation = self.file("e.toml", EVALUATION.format(scenario=scenario))
        out = self.folder / "out"
        self.juggler("evaluate", evaluation, "--out", str(out), "--no-report")
        with open(out / "results.csv", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        self.assertEqual(len(rows), 8)
        results = json.loads((out / "results.json").read_text(encoding="utf-8"))
        self.assertTrue(results["meta"]["complete"])
        self.assertIn("evaluate", results["meta"]["command"])
        groups = results["cases"][0]["groups"]
        self.assertEqual([g["load"] for g in groups], [0.2, 0.4])
        ours = groups[0]["rows"][0]
        seeds = [float(r["energy_mj_per_task"]) for r in rows
                 if r["policy"] == "juggler" and r["load"] == "0.2"]
        self.assertAlmostEqual(ours["mean"]["energy_mj_per_task"]["mean"], sum(seeds) / 2, places=2)
        self.assertIsNotNone(ours["difference_percent"]["energy_mj_per_task"]["half_width"])
        if subprocess.run(["/usr/bin/python3", "-c", "import matplotlib"], capture_output=True,
                          check=False).returncode == 0:
            self.juggler("evaluate", evaluation, "--out", str(out))
            page = (out / "report.html").read_text(encoding="utf-8")
            self.assertIn("simulated", page)
            self.assertGreater(page.count("<svg"), 0)
            self.assertNotIn("src=\"http", page)

    def journal(self, *arguments):
        folder = self.folder / "journal"
        folder.mkdir(exist_ok=True)
        lines = sorted(journal_lines(*arguments), key=lambda line: line.get("at_us", 0))
        (folder / "journal-r-000001.jsonl").write_text(
            "".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
        return str(folder)

    def test_replay_simulates_recorded_traffic_under_both_policies(self):
        done = self.juggler("replay", self.journal(100), "--policy", "round-robin,juggler", "--json")
        runs = json.loads(done.stdout)["runs"]
        self.assertEqual([run["policy"] for run in runs], ["juggler", "round-robin"])
        for run in runs:
            self.assertEqual((run["offered"], run["on_time"]), (100, 100))
        said = self.juggler("replay", self.journal(100), "--policy", "round-robin").stdout
        self.assertIn("Every row is simulated", said)

    def test_replay_brings_many_kinds_of_tasks_together(self):
        said = self.juggler("replay", self.journal(300, range(200001, 200301)), "--policy", "random").stdout
        self.assertIn("rounded down to 2 digits", said)
        self.assertIn("300 tasks in 1 class.", said)

    def test_replay_names_the_first_step_that_differs(self):
        journal = self.journal(3)
        said = self.juggler("replay", journal, status=1).stdout
        self.assertIn("journal-r-000001.jsonl:2", said)
        self.assertIn("lead 1", said)
        self.assertFalse(json.loads(self.juggler("replay", journal, "--json", status=1).stdout)["reproduced"])

    def test_replay_of_what_is_no_journal_says_so(self):
        self.assertIn("there is no journal at", self.juggler("replay", str(self.folder), status=2).stderr)
        self.assertIn("x.jsonl:1: not JSON",
                      self.juggler("replay", self.file("x.jsonl", "hello\n"), status=2).stderr)
        journal = self.journal(3)
        self.assertIn("fifo", self.juggler("replay", journal, "--policy", "fifo", status=2).stderr)
        self.assertIn("lan", self.juggler("replay", journal, "--policy", "random", "--network", "x",
                                          status=2).stderr)

    def test_plan_finds_a_fleet_and_what_it_holds(self):
        plan = json.loads(self.juggler("plan", self.file("d.toml", DEMAND), "--json").stdout)
        self.assertTrue(plan["holds"])
        self.assertGreaterEqual(plan["on_time_percent"], 99)
        self.assertGreaterEqual(plan["cost"], plan["cost_min"])
        self.assertGreater(sum(board["count"] for board in plan["boards"]), 0)
        holds = json.loads(self.juggler("plan", "--holds", self.file("s.toml", SCENARIO), "--seeds", "1",
                                        "--json").stdout)
        best = holds["policies"][0]["holds"]
        self.assertLessEqual(best["rate_hz"], 1.3 * holds["capacity_hz"])
        self.assertGreaterEqual(best["on_time_percent"], 99)


if __name__ == "__main__":
    JUGGLER = sys.argv.pop(1)
    unittest.main()
