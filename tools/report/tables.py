#!/usr/bin/env python3
"""The tables of docs/evaluation.md out of what `juggler evaluate` wrote.

    tables.py RESULTS.json...                a row per scenario, load and policy
    tables.py --differences RESULTS.json...  from each case's reference, paired by seed
    tables.py --use-this RESULTS.json...     per scenario with at least 8 policies: the one to use, where it puts the
                                             work, what the others cost (choice.py); docs/configurations.md

Means and 95 % intervals are `juggler evaluate`'s own. A row in which a task was lost or a promise broken has no
figures: it is named on standard error, and the exit status is 1.
"""

import argparse
import json
import sys

import choice

ABSOLUTE = (("on time %", "mean", "on_time_percent", 2, True), ("mJ per task", "mean", "energy_mj_per_task", 1, True),
            ("x bound", "mean", "energy_over_bound", 3, True), ("x fluid", "mean", "energy_over_fluid_bound", 3, True),
            ("p50 ms", "mean", "latency_ms_p50", 1, False), ("p99 ms", "mean", "latency_ms_p99", 0, False),
            ("top-1 %", "mean", "accuracy_percent", 2, False))
DIFFERENCES = (("on time, points", "difference", "on_time_percent", 2, True),
               ("energy %", "difference_percent", "energy_mj_per_task", 1, True),
               ("p50 %", "difference_percent", "latency_ms_p50", 1, True),
               ("top-1, points", "difference", "accuracy_percent", 2, True))

COSTS = (("energy %", "energy_percent", 1), ("on time, points", "on_time_points", 2), ("p50 ms", "p50_ms", 1),
         ("top-1, points", "accuracy_points", 2))

SIMULATED = """**Simulated.** The boards' times and energies are profiles with sources, not measurements of a fleet.

- The policy to use is the one with the least energy of those within half a point of the best on-time share.
- Values are means over the seeds ± half the 95 % confidence interval (Student's t).
- *mJ per task* is energy above idle, at the boards' inputs, per completed task.
- *Where the work goes*: shares of the tasks that ran, and how much of the run's time a processor was computing or
  loading, warm-up included.
- *Instead*: the other policies, as differences from the one to use, paired by seed. First those within the half point,
  by energy; then the rest, by on-time share. The worst are last.
"""


def plus_minus(entry, digits, sign=""):
    if entry is None:
        return "-"
    text = f"{round(entry['mean'], digits) + 0.0:{sign}.{digits}f}"  # + 0.0: no negative zero
    return text if entry["half_width"] is None else f"{text} ± {entry['half_width']:.{digits}f}"


def title_of(group):
    return group["scenario"] + (f" at {group['load']:.0%}" if group.get("load") else "")


def cell(row, of, name, digits, interval):
    entry = row[of].get(name)
    if entry is None:
        return "-"
    text = f"{entry['mean']:.{digits}f}"
    return f"{text} ± {entry['half_width']:.{digits}f}" if interval and entry["count"] > 1 else text


def table(case, columns, differences):
    """Prints it; returns the rows that have no figures."""
    unusable = []
    print("| scenario | policy | " + " | ".join(column[0] for column in columns) + " |")
    print("|---|---|" + "--:|" * len(columns))
    for group in case["groups"]:
        title = title_of(group)
        for row in group["rows"]:
            if row["broken"]:
                unusable.append(f"{title}, {row['policy']}: {'; '.join(row['problems'])}")
            elif not (differences and row["policy"] == case["reference"]):
                name = f"**{row['policy']}**" if row["policy"] == "juggler" else row["policy"]
                print(f"| {title} | {name} | " + " | ".join(cell(row, *column[1:]) for column in columns) + " |")
                title = ""
    return unusable


def measured_seconds(results, group):
    """How long each run of the scenario was measured for."""
    return next(run["duration_us"] for run in results["runs"] if run["scenario"] == group["scenario"]) / 1e6


def percent(value):
    return "< 0.1" if 0.0 < value < 0.05 else f"{value:.1f}"


def use_this(results, case, group, pick):
    """One deployment's section: the configuration, what it gives, where the work goes, what deviating costs."""
    meta, mean = results["meta"], pick["mean"]
    print(f"\n## {group['scenario'].partition('/')[0]}\n")
    print(f"**Use `{pick['policy']}`:** `{choice.command(pick)}`\n")
    print(f"Simulated: `{title_of(group)}`, {meta['seeds']} seeds, juggler {meta['juggler']}, {meta['machine']}, "
          f"{meta['date'][:10]}.\n{choice.mean_of(pick, 'offered') / measured_seconds(results, group):.0f} tasks/s "
          f"offered. The best on-time share of all policies is {choice.best_on_time(group):.2f} %.\n")
    heads = ["mJ per task", f"x {case['bound']} bound", "on time %", "p50 ms", "p99 ms", "top-1 %"]
    cells = [plus_minus(mean["energy_mj_per_task"], 1), plus_minus(mean["energy_over_bound"], 3),
             plus_minus(mean["on_time_percent"], 2), plus_minus(mean["latency_ms_p50"], 1),
             plus_minus(mean["latency_ms_p99"], 0), plus_minus(mean["accuracy_percent"], 2)]
    print("| " + " | ".join(heads) + " |\n|" + "--:|" * len(heads) + "\n| " + " | ".join(cells) + " |\n")
    print("| where the work goes | boards | tasks % | busy % |\n|---|--:|--:|--:|")
    for place in choice.work(results, case, group, pick):
        print(f"| {place['board']} {place['processor']} | {place['devices']} | {percent(place['tasks_percent'])} | "
              f"{percent(place['utilisation_percent'])} |")
    print("\n| instead | " + " | ".join(head for head, _, _ in COSTS) + " |\n|---|" + "--:|" * len(COSTS))
    for row, costs in choice.deviations(results, case, group, pick):
        cells = [plus_minus(costs[name], digits, "+") for _, name, digits in COSTS]
        print(f"| {row['policy']} | " + " | ".join(cells) + " |")


def configurations(results, name):
    """Prints the sections of a file; returns what is missing."""
    if not results["meta"]["complete"]:
        return [f"{name}: stopped before the end"]
    unusable, found = [], False
    for case in results["cases"]:
        for group in case["groups"]:
            unusable += [f"{title_of(group)}, {row['policy']}: {'; '.join(row['problems'])}" for row in group["rows"]
                         if row["broken"]]
            pick = choice.choose(group)
            if pick is not None:
                found = True
                use_this(results, case, group, pick)
    return unusable if found else unusable + [f"{name}: no scenario with {choice.POLICIES_MIN} policies"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("results", nargs="+", metavar="RESULTS.json")
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--differences", action="store_true", help="from each case's reference, paired by seed")
    kind.add_argument("--use-this", action="store_true", help="which policy to use, what others cost")
    options = parser.parse_args()
    unusable = []
    if options.use_this:
        print(SIMULATED, end="")
    for name in options.results:
        with open(name, encoding="utf-8") as file:
            results = json.load(file)
        if options.use_this:
            unusable += configurations(results, name)
            continue
        for case in results["cases"]:
            columns = DIFFERENCES if options.differences else ABSOLUTE
            unusable += table(case, columns, options.differences)
    for row in unusable:
        print(f"no figures: {row}", file=sys.stderr)
    return 1 if unusable else 0


if __name__ == "__main__":
    sys.exit(main())
