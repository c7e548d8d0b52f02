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
