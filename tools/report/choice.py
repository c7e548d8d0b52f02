"""Which policy of a scenario to use, where it puts the work, and what each other policy costs instead.

Reads what `juggler evaluate` wrote and prints nothing: make_report.py and tables.py show it.
"""

import math

POLICIES_MIN = 8  # with fewer a scenario is a comparison, not a choice
ON_TIME_MARGIN = 0.5  # points below the best on-time share that energy may be saved for

# Student's t, p = 0.975, as in src/evaluation/statistics.cc; more seeds than it knows count as 31.
STUDENT_T95 = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131,
               2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042)

# What a deviation costs: how one run says it, and whether the cost is a share.
MEASURES = {"energy_percent": (lambda run: run["energy_uj"]["completed"] / run["completed"], True),
            "on_time_points": (lambda run: 100.0 * run["on_time"] / run["offered"], False),
            "p50_ms": (lambda run: run["latency_us"]["p50"] / 1000.0, False),
            "accuracy_points": (lambda run: run["accuracy_percent_mean"], False)}


def mean_of(row, name):
    entry = row["mean"].get(name)
    return None if entry is None else entry["mean"]


def candidates(group):
    """The rows one could use: with figures, and no ablation."""
    return [row for row in group["rows"] if not row["broken"] and mean_of(row, "energy_mj_per_task") is not None
            and "-no-" not in row["policy"]]


def best_on_time(group):
    return max(mean_of(row, "on_time_percent") for row in candidates(group))


def choose(group):
    """The row to use: the least energy of those nearly as often on time as the best.

    returns  None where the scenario has too few policies to choose from.
    """
    rows = candidates(group)
    if len(group["rows"]) < POLICIES_MIN or len(rows) < 3:
        return None
    best = best_on_time(group)
    return min(rows, key=lambda row: _badness(row, best))


def deviations(results, case, group, pick):
    """(row, {measure: estimate}) for each other row, by how much worse a choice it would be.

    The differences are paired by seed: each is a mean with half its 95 % interval. An estimate is None where a run
    completed nothing, or what it completed has no energy.
    """
    chosen = _runs_of(results, case, group, pick)
    best = best_on_time(group)
    others = sorted((row for row in candidates(group) if row is not pick), key=lambda row: _badness(row, best))
    return [(row, {name: _difference(chosen, _runs_of(results, case, group, row), *measure)
                   for name, measure in MEASURES.items()}) for row in others]


def work(results, case, group, row):
    """Where a policy puts the work: dictionaries per board and processor, in the order of the results.

    Shares and utilisations are those of whole runs, warm-up included, means over the seeds; a utilisation is also
    the mean over the board's devices, and loading counts as busy.
    """
    runs = list(_runs_of(results, case, group, row).values())
    places = {}
    for run in runs:
        all_tasks = sum(processor["tasks"] for device in run["devices"] for processor in device["processors"])
        for device in run["devices"]:
            for processor in device["processors"]:
                place = places.setdefault((device["board"], processor["id"]),
                                          {"devices": set(), "share": 0.0, "busy": []})
                place["devices"].add(device["id"])
                place["share"] += processor["tasks"] / max(all_tasks, 1) / len(runs)
                place["busy"].append(processor["utilisation"])
    return [{"board": board, "processor": processor, "devices": len(place["devices"]),
             "tasks_percent": 100.0 * place["share"],
             "utilisation_percent": 100.0 * sum(place["busy"]) / len(place["busy"])}
            for (board, processor), place in places.items()]


def command(row):
    """How a live controller gets this policy. A goal that stood in the scenario's `weights` is not known here."""
    return f"juggler controller --policy {row['policy']}"


def _badness(row, best):
    on_time = mean_of(row, "on_time_percent")
    short = best - on_time if on_time < best - ON_TIME_MARGIN else 0.0
    return short, mean_of(row, "energy_mj_per_task")


def _runs_of(results, case, group, row):
    return {run["seed"]: run for run in results["runs"]
            if (run["case"], run["scenario"], run["load"], run["policy"])
            == (case["name"], group["scenario"], group["load"], row["policy"])}


def _difference(chosen, other, measure, relative):
    pairs = [(chosen[seed], other[seed]) for seed in chosen if seed in other]
    if not pairs or any(run["completed"] == 0 for pair in pairs for run in pair):
        return None
    values = []
    for mine, its in pairs:
        base = measure(mine)
        if relative and base <= 0:
            return None
        values.append(100.0 * (measure(its) / base - 1.0) if relative else measure(its) - base)
    mean = sum(values) / len(values)
    half_width = None
    if len(values) > 1:
        deviation = math.sqrt(sum((value - mean) ** 2 for value in values) / (len(values) - 1))
        half_width = STUDENT_T95[min(len(values) - 1, len(STUDENT_T95)) - 1] * deviation / math.sqrt(len(values))
    return {"mean": mean, "half_width": half_width, "count": len(values)}
