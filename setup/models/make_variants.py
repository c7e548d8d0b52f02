"""Makes the fp16 and int8 files beside each fp32 file, and compares their labels with fp32's.

usage: make_variants.py PHOTOS OUT
Needs onnx and onnxruntime (requirements.txt). Writes OUT/agreement.json: for each variant made, how
often its label is fp32's. A pretrained variant below AGREEMENT_MIN is named and left out. The exit
status is 1 if making a file failed.
"""

import functools
import json
import logging
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime

import graphs
import pictures
import workers
from networks import NETWORKS, Network
from sessions import open_session

CALIBRATION_SEED = 1
COMPARISON_SEED = 2  # Other views than those calibrated on, of the same photographs.
# Views per photograph besides itself, for calibration and for comparison. More than 2 to calibrate
# on changed nothing (docs/models.md); synthetic networks have no labels to keep.
VIEWS = {"pretrained": (2, 5), "synthetic": (0, 1)}
CONFIDENT = 0.3  # Where fp32 itself is undecided, another label says little.
AGREEMENT_MIN = {"fp16": 0.97, "int8": 0.9}  # Share of the confident views.


def logits(file: Path, views: np.ndarray) -> np.ndarray:
    session = open_session(file)
    batches = np.split(views, range(5, len(views), 5))
    return np.concatenate([session.run(["logits"], {"input": batch})[0] for batch in batches])


def confidences(scores: np.ndarray) -> np.ndarray:
    """The probability of each view's own label."""
    return 1 / np.exp(scores - scores.max(1, keepdims=True)).sum(1)


def make_files(network: Network, photos: Path, views_per_photo: int, out: Path) -> list[str]:
    """Rewrites the fp32 file, makes the others; returns the precisions made beside fp32."""
    fp32 = out / f"{network.name}-fp32.onnx"
    model = onnx.load(fp32)
    if graphs.fold_padding(model):
        onnx.save(model, fp32)
    onnx.save(graphs.with_fp16_weights(model), out / f"{network.name}-fp16.onnx")
    if not network.int8:
        return ["fp16"]
    views = pictures.plain_and_varied(photos, network, views_per_photo, CALIBRATION_SEED)
    graphs.quantise(fp32, out / f"{network.name}-int8.onnx", views)
    return ["fp16", "int8"]


def make_and_compare(origin: dict, photos: Path, out: Path, network: Network) -> dict[str, dict]:
    """By precision: how many views have fp32's label; of all, and where fp32 is confident."""
    calibration, comparison = VIEWS[origin[network.name]]
    precisions = make_files(network, photos, calibration, out)
    views = pictures.plain_and_varied(photos, network, comparison, COMPARISON_SEED)
    expected = logits(out / f"{network.name}-fp32.onnx", views)
    confident = confidences(expected) >= CONFIDENT
    found = {}
    for precision in precisions:
        same = logits(out / f"{network.name}-{precision}.onnx", views).argmax(1) == expected.argmax(
            1
        )
        found[precision] = {
            "same": int(same.sum()),
            "views": len(views),
            "confident_same": int(same[confident].sum()),
            "confident": int(confident.sum()),
        }
    return found


def main() -> int:
    onnxruntime.set_default_logger_severity(3)
    logging.disable(
        logging.WARNING
    )  # The quantiser advises a preparation that the exporter has done.
    photos, out = map(Path, sys.argv[1:3])
    origin = json.loads((out / "weights.json").read_text())
    agreement, failures = {}, 0
    job = functools.partial(make_and_compare, origin, photos, out)
    for network, found, error, seconds in workers.for_each(
        job, [n for n in NETWORKS if n.name in origin]
    ):
        if error:
            failures = 1
            print(f"[models] MISSING: fp16 and int8 of {network.name}: {error}", flush=True)
            for precision in ("fp16", "int8"):
                (out / f"{network.name}-{precision}.onnx").unlink(missing_ok=True)
            continue
        for precision, counts in found.items():
            least = AGREEMENT_MIN[precision] * counts["confident"]
            if origin[network.name] == "pretrained" and counts["confident_same"] < least:
                print(
                    f"[models] MISSING: {network.name}-{precision}: too few labels agree: {counts}",
                    flush=True,
                )
                (out / f"{network.name}-{precision}.onnx").unlink()
                continue
            agreement[f"{network.name}-{precision}"] = counts
        shown = ", ".join(
            f"{precision} {counts['same']}/{counts['views']}" for precision, counts in found.items()
        )
        print(f"[models] {network.name}: labels as fp32: {shown}: {seconds:.1f} s", flush=True)
    (out / "agreement.json").write_text(json.dumps(agreement, indent=1) + "\n")
    return failures


if __name__ == "__main__":
    sys.exit(main())
