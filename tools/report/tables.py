#!/usr/bin/env python3
"""The tables of docs/evaluation.md out of what `juggler evaluate` wrote.

    tables.py RESULTS.json...                a row per scenario, load and policy
    tables.py --differences RESULTS.json...  from each case's reference, paired by seed

Means and 95 % intervals are `juggler evaluate`'s own. A row in which a task was lost or a promise broken has no
figures: it is named on standard error, and the exit status is 1.
"""

import argparse
import json
import sys

ABSOLUTE = (("on time %", "mean", "on_time_percent", 2, True), ("mJ per task", "mean", "energy_mj_per_task", 1, True),
            ("x bound", "mean", "energy_over_bound", 3, True), ("x fluid", "mean", "energy_over_fluid_bound", 3, True),
            ("p50 ms", "mean", "latency_ms_p50", 1, False), ("p99 ms", "mean", "latency_ms_p99", 0, False),
            ("top-1 %", "mean", "accuracy_percent", 2, False))
DIFFERENCES = (("on time, points", "difference", "on_time_percent", 2, True),
               ("energy %", "difference_percent", "energy_mj_per_task", 1, True),
               ("p50 %", "difference_percent", "latency_ms_p50", 1, True),
               ("top-1, points", "difference", "accuracy_percent", 2, True))


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
        title = group["scenario"] + (f" at {group['load']:.0%}" if group.get("load") else "")
        for row in group["rows"]:
            if row["broken"]:
                unusable.append(f"{title}, {row['policy']}: {'; '.join(row['problems'])}")
            elif not (differences and row["policy"] == case["reference"]):
                name = f"**{row['policy']}**" if row["policy"] == "juggler" else row["policy"]
                print(f"| {title} | {name} | " + " | ".join(cell(row, *column[1:]) for column in columns) + " |")
                title = ""
    return unusable


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("results", nargs="+", metavar="RESULTS.json")
    parser.add_argument("--differences", action="store_true", help="from each case's reference, paired by seed")
    options = parser.parse_args()
    unusable = []
    for name in options.results:
        with open(name, encoding="utf-8") as file:
            for case in json.load(file)["cases"]:
                columns = DIFFERENCES if options.differences else ABSOLUTE
                unusable += table(case, columns, options.differences)
    for row in unusable:
        print(f"no figures: {row}", file=sys.stderr)
    return 1 if unusable else 0


if __name__ == "__main__":
    sys.exit(main())
