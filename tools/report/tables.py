#!/usr/bin/env python3
"""The tables of docs/evaluation.md out of what `juggler evaluate` wrote.

    tables.py RESULTS.csv...              a row per scenario, load and policy
    tables.py --against POLICY RESULTS.csv...   differences from that policy, paired by seed

Means with 95 % intervals by Student's t. A run that lost a task or broke a promise has no figures: it is named
on standard error, and the exit status is 1.
"""

import argparse
import collections
import csv
import math
import sys

# Two-sided 95 % quantiles of Student's t, by degrees of freedom.
T95 = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262)


def quantile(degrees):
    return T95[degrees - 1] if degrees <= len(T95) else 1.96 + 2.4 / degrees


def mean(values):
    return sum(values) / len(values)


def half_width(values):
    if len(values) < 2:
        return None
    middle = mean(values)
    variance = sum((value - middle) ** 2 for value in values) / (len(values) - 1)
    return quantile(len(values) - 1) * math.sqrt(variance / len(values))


def estimate(values, digits):
    values = [float(value) for value in values if value != ""]
    if not values:
        return "-"
    half = half_width(values)
    text = f"{mean(values):.{digits}f}"
    return text if half is None else f"{text} ± {half:.{digits}f}"


def read(files):
    """Rows by (scenario, load), then policy, then seed; a later file's row takes the place of an earlier one's."""
    table, unusable = collections.OrderedDict(), []
    for name in files:
        with open(name, newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                place = (row["scenario"], row["load"])
                if int(row["lost"]) or int(row["broken"]):
                    unusable.append(f"{name}: {row['scenario']} {row['policy']} seed {row['seed']}")
                    table.get(place, {}).get(row["policy"], {}).pop(row["seed"], None)
                    continue
                table.setdefault(place, collections.OrderedDict()).setdefault(row["policy"], {})[row["seed"]] = row
    return table, unusable


def title(place):
    return f"{place[0]} at {float(place[1]):.0%}" if place[1] else place[0]


def absolute(table):
    print("| scenario | policy | on time % | mJ per task | x bound | x fluid | p50 ms | p99 ms | top-1 % |")
    print("|---|---|--:|--:|--:|--:|--:|--:|--:|")
    for place, policies in table.items():
        first = title(place)
        for policy, seeds in policies.items():
            def of(column, digits, rows=tuple(seeds.values())):
                return estimate([row[column] for row in rows], digits)
            name = f"**{policy}**" if policy == "juggler" else policy
            print(f"| {first} | {name} | {of('on_time_percent', 2)} | {of('energy_mj_per_task', 1)} | "
                  f"{of('energy_over_bound', 3)} | {of('energy_over_fluid_bound', 3)} | "
                  f"{of('latency_ms_p50', 1).split(' ')[0]} | {of('latency_ms_p99', 0).split(' ')[0]} | "
                  f"{of('accuracy_percent', 2).split(' ')[0]} |")
            first = ""


def relative(table, reference):
    print("| scenario | policy | on time, points | energy % | p50 % | top-1, points |")
    print("|---|---|--:|--:|--:|--:|")
    for place, policies in table.items():
        first, base = title(place), policies.get(reference)
        for policy, seeds in policies.items():
            both = sorted(set(seeds) & set(base or {}))
            if policy == reference or not both:
                continue

            def pairs(column, seeds=seeds, both=both):
                of = [(seeds[s][column], base[s][column]) for s in both]
                return [(float(a), float(b)) for a, b in of if a != "" and b not in ("", "0")]

            def points(column, digits, pairs=pairs):
                return estimate([a - b for a, b in pairs(column)], digits)

            def percent(column, pairs=pairs):
                return estimate([100 * (a / b - 1) for a, b in pairs(column)], 1)

            print(f"| {first} | {policy} | {points('on_time_percent', 2)} | {percent('energy_mj_per_task')} | "
                  f"{percent('latency_ms_p50')} | {points('accuracy_percent', 2)} |")
            first = ""


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("results", nargs="+", metavar="RESULTS.csv")
    parser.add_argument("--against", metavar="POLICY", help="differences from this policy, paired by seed")
    options = parser.parse_args()
    table, unusable = read(options.results)
    if options.against:
        relative(table, options.against)
    else:
        absolute(table)
    for row in unusable:
        print(f"no figures: {row}", file=sys.stderr)
    return 1 if unusable else 0


if __name__ == "__main__":
    sys.exit(main())
