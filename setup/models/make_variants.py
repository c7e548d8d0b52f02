"""Makes the fp16 and int8 files beside each fp32 file, and compares their labels with fp32's.

usage: make_variants.py PHOTOS OUT
Needs onnx and onnxruntime (requirements.txt). Writes OUT/agreement.json: for each variant made, on how
many of how many views its label is fp32's. A pretrained variant below AGREEMENT_MIN is named and
left out.
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

CALIBRATION_SEED = 1
COMPARISON_SEED = 2  # Other views than those calibrated on, of the same photographs.
# Views per photograph, calibration and comparison. Synthetic networks have no labels to keep, so a
# few views do.
VIEWS = {"pretrained": (6, 10), "synthetic": (1, 2)}
AGREEMENT_MIN = {"fp16": 0.97, "int8": 0.75}


def labels(file: Path, views: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    batches = np.split(views, range(10, len(views), 10))
    return np.concatenate([session.run(["logits"], {"input": batch})[0].argmax(1) for batch in batches])


def make_files(network: Network, photos: Path, views_per_photo: int, out: Path) -> list[str]:
    """Rewrites the fp32 file, makes the others; returns the precisions made beside fp32."""
    fp32 = out / f"{network.name}-fp32.onnx"
    model = onnx.load(fp32)
    if graphs.fold_padding(model):
        onnx.save(model, fp32)
    onnx.save(graphs.with_fp16_weights(model), out / f"{network.name}-fp16.onnx")
    if not network.int8:
        return ["fp16"]
    views = pictures.views(photos, network, views_per_photo, CALIBRATION_SEED)
    if pictures.photographs(photos):
        views = np.concatenate([pictures.plain(photos, network), views])
    graphs.quantise(fp32, out / f"{network.name}-int8.onnx", views)
    return ["fp16", "int8"]


def make_and_compare(origin: dict, photos: Path, out: Path, network: Network) -> dict[str, tuple[int, int]]:
    """By precision: how many of how many views have fp32's label."""
    calibration, comparison = VIEWS[origin[network.name]]
    precisions = make_files(network, photos, calibration, out)
    views = pictures.views(photos, network, comparison, COMPARISON_SEED)
    expected = labels(out / f"{network.name}-fp32.onnx", views)
    return {precision: (int((labels(out / f"{network.name}-{precision}.onnx", views) == expected).sum()), len(views))
            for precision in precisions}


def main() -> None:
    onnxruntime.set_default_logger_severity(3)
    logging.disable(logging.WARNING)  # The quantiser advises a preparation that the exporter has done.
    photos, out = map(Path, sys.argv[1:3])
    origin = json.loads((out / "weights.json").read_text())
    agreement = {}
    job = functools.partial(make_and_compare, origin, photos, out)
    for network, found, error, seconds in workers.for_each(job, [n for n in NETWORKS if n.name in origin]):
        if error:
            print(f"[models] MISSING: fp16 and int8 of {network.name}: {error}", flush=True)
            for precision in ("fp16", "int8"):
                (out / f"{network.name}-{precision}.onnx").unlink(missing_ok=True)
            continue
        for precision, (same, total) in found.items():
            if origin[network.name] == "pretrained" and same < AGREEMENT_MIN[precision] * total:
                print(f"[models] MISSING: {network.name}-{precision}: only {same} of {total} labels are fp32's", flush=True)
                (out / f"{network.name}-{precision}.onnx").unlink()
                continue
            agreement[f"{network.name}-{precision}"] = [same, total]
        shown = ", ".join(f"{precision} {same}/{total}" for precision, (same, total) in found.items())
        print(f"[models] {network.name}: labels as fp32: {shown}: {seconds:.1f} s", flush=True)
    (out / "agreement.json").write_text(json.dumps(agreement, indent=1) + "\n")


if __name__ == "__main__":
    main()
