#!/usr/bin/env python3
"""Same seed, same run, whoever compiled it: simulates scenarios with several builds, compares digests.

    compare.py LABEL=COMMAND...       COMMAND is split into words; `juggler`, or an emulator before it

A digest covers every event and action of a run, field by field. Counts and energies are compared
too, so that a digest which covers too little does not hide a difference. Exit status: 0 all equal,
1 a difference or a program that failed, 2 usage.
"""

import json
import shlex
import subprocess
import sys

# Every policy, every fault, lossy networks, what was learnt wrongly. Small loads and few devices: one
# of the programs runs in an emulator.
CASES = [
    ("home/burst, every policy", ["home/burst", "--policy", "all", "--load", "0.004"]),
    ("pair/chaos", ["pair/chaos", "--load", "0.05", "--seeds", "3"]),
    ("campus/chaos", ["campus/chaos", "--load", "0.004", "--seeds", "3"]),
    ("roadside/vanish", ["roadside/vanish", "--load", "0.02", "--seeds", "2"]),
    ("home/overload, uncertain boards", ["home/overload", "--load", "0.02", "--draws", "--seeds", "2"]),
    ("workbench/throttle, goal latency", ["workbench/throttle", "--load", "0.02", "--goal", "latency"]),
    ("wrong-about-nano", ["wrong-about-nano"]),
]
COMPARED = ["digest", "policy", "seed", "offered", "completed", "on_time", "rejected_by_reason", "energy_uj"]
LIMIT_S = 900


def runs_of(command, arguments):
    """What `juggler simulate` says of each run, or the sentence why there is nothing."""
    words = [*shlex.split(command), "simulate", *arguments, "--bound", "none", "--json"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    # 1 is an expectation of the scenario that this small load does not meet: the run is there.
    if done.returncode not in (0, 1) or not done.stdout:
        return None, f"{shlex.join(words)} ended with {done.returncode}: {done.stderr.strip()[-300:]}"
    document = json.loads(done.stdout)
    if not document["complete"] or not document["runs"]:
        return None, f"{shlex.join(words)} is not complete"
    if any(run["completed"] == 0 or run["broken"] for run in document["runs"]):
        return None, f"{shlex.join(words)}: a run without an answer, or with a broken promise"
    return [{key: run[key] for key in COMPARED} for run in document["runs"]], None


def differences(one, other):
    """In words: which run and which figure differs first."""
    if len(one) != len(other):
        return f"{len(one)} runs, {len(other)} runs"
    for left, right in zip(one, other):
        for key in COMPARED:
            if left[key] != right[key]:
                return f"{left['policy']}, seed {left['seed']}: {key} {left[key]}, {right[key]}"
    return None


def compare(name, arguments, programs):
    """Prints the case; returns how many things are wrong."""
    faults = 0
    first = None
    for label, command in programs:
        runs, problem = runs_of(command, arguments)
        if problem:
            print(f"  {name:36} {label:24} FAILED: {problem}", flush=True)
            faults += 1
            continue
        first = first or (label, runs)
        note = differences(first[1], runs)
        tasks = sum(run["offered"] for run in runs)
        shown = " ".join(run["digest"] for run in runs[:2]) + (" ..." if len(runs) > 2 else "")
        verdict = "" if runs is first[1] else "equal" if note is None else f"DIFFERS from {first[0]}: {note}"
        print(f"  {name:36} {label:24} {len(runs):3} runs {tasks:7} tasks  {shown}  {verdict}", flush=True)
        faults += note is not None
    return faults


def main(words):
    programs = [tuple(word.split("=", 1)) for word in words]
    if len(programs) < 2 or any(len(program) != 2 for program in programs):
        print(__doc__, file=sys.stderr)
        return 2
    faults = sum(compare(name, arguments, programs) for name, arguments in CASES)
    labels = ", ".join(label for label, _ in programs)
    if faults:
        print(f"digests: {faults} differences between {labels}")
        return 1
    print(f"digests: {len(CASES)} cases are equal on {labels}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
