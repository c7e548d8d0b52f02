"""Runs every variant of the catalogue on the photographs, as juggler-consumer would; prints a table.

usage: check_labels.py PHOTOS MODELS
Per variant: on how many of the photographs with a known truth its first label is right, how often
it is fp32's, the labels, and the shortest of 20 runs on one thread. Fails if a file is not the one
that the catalogue describes, or a pretrained variant names fewer than RIGHT_MIN photographs rightly.
Needs Python 3.11 and onnxruntime (var/python).
"""

import hashlib
import os
import sys
import time
import tomllib
from pathlib import Path

import numpy as np
import onnxruntime

import pictures
from networks import Network, network
from sessions import open_session

RUNS = 20
RIGHT_MIN = 0.6


def shortest_run_ms(session: onnxruntime.InferenceSession, picture: np.ndarray) -> float:
    durations = []
    for _ in range(RUNS):
        begin = time.perf_counter()
        session.run(["logits"], {"input": picture})
        durations.append(time.perf_counter() - begin)
    return 1000 * min(durations)


def agrees_with_catalogue(variant: dict, described: Network) -> bool:
    """The catalogue says what networks.py says: preprocessing below is networks.py's."""
    asked = variant["input"]
    return (
        asked["width"] == described.size
        and asked["resize_shorter_px"] == described.resize_shorter
        and np.allclose(asked["mean"], described.mean)
        and np.allclose(asked["std"], described.std)
    )


def main() -> int:
    photos, models = map(Path, sys.argv[1:3])
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    onnxruntime.set_default_logger_severity(3)
    truths = {
        photo["file"]: photo["truth"]
        for photo in tomllib.loads((photos / "SOURCES.toml").read_text())["photo"]
    }
    names = [name for name, _ in pictures.photographs(photos)]
    known = [index for index, name in enumerate(names) if truths.get(name)]
    labels = (models / "imagenet-labels.txt").read_text().splitlines()
    expected, failures = {}, 0
    for variant in tomllib.loads((models / "catalogue.toml").read_text())["variant"]:
        file = models / variant["file"]
        described = network(variant["network"])
        sound = hashlib.sha256(file.read_bytes()).hexdigest() == variant[
            "sha256"
        ] and agrees_with_catalogue(variant, described)
        views = pictures.plain_and_varied(photos, described, 0, 0)
        session = open_session(file)
        found = [labels[index] for index in session.run(["logits"], {"input": views})[0].argmax(1)]
        expected.setdefault(variant["network"], found)  # fp32 comes first.
        same = sum(label == other for label, other in zip(found, expected[variant["network"]]))
        right = sum(found[index] in truths[names[index]] for index in known)
        pretrained = variant["weights"] == "pretrained"
        if not sound or (pretrained and right < RIGHT_MIN * len(known)):
            failures += 1
        print(
            f"{variant['id']:24} {variant['weights']:10} {variant['size_bytes'] / 1e6:6.1f} MB "
            f"{shortest_run_ms(session, views[:1]):7.1f} ms  "
            f"right {right if pretrained else '-'}/{len(known)}  "
            f"as fp32 {same}/{len(names)}{'' if sound else '  NOT AS THE CATALOGUE SAYS'}"
        )
        if pretrained:
            print(
                "    "
                + ", ".join(f"{Path(name).stem}: {label}" for name, label in zip(names, found))
            )
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
