"""Exports every network to ONNX, fp32: opset 13, batch dimension free.

usage: export_networks.py PHOTOS PACKAGES CACHE OUT
Writes OUT/NETWORK-fp32.onnx, OUT/imagenet-labels.txt and OUT/weights.json ("pretrained" or
"synthetic" by network). A network that fails is named and left out, and the exit status is 1.
Needs Debian's python3-torchvision.
"""

import functools
import json
import sys
import warnings
from pathlib import Path

import torch

import weights
import workers
from networks import NETWORKS, Network


def export(model: torch.nn.Module, network: Network, file: Path) -> None:
    example = torch.zeros(1, 3, network.size, network.size)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            model,
            example,
            str(file),
            opset_version=13,
            input_names=["input"],
            output_names=["logits"],
            dynamic_axes={"input": {0: "batch"}, "logits": {0: "batch"}},
        )


def load_and_export(
    online: bool, photos: Path, packages: Path, cache: Path, out: Path, network: Network
) -> str:
    """Returns "pretrained" or "synthetic"."""
    torch.set_num_threads(1)  # workers.py runs one process per core.
    if network.is_lite:
        model, origin = weights.load_lite(network, packages), "pretrained"
    else:
        model, origin = weights.load_torchvision(network, online, photos, cache)
    export(model, network, out / f"{network.name}-fp32.onnx")
    return origin


def main() -> int:
    photos, packages, cache, out = map(Path, sys.argv[1:5])
    online = weights.internet_reached(NETWORKS[-1])
    print(
        "[models] torchvision's server",
        (
            "answers: trained weights (about 310 MB)"
            if online
            else "does not answer: synthetic weights for its networks, marked so"
        ),
        flush=True,
    )
    origin = {}
    job = functools.partial(load_and_export, online, photos, packages, cache, out)
    for network, found, error, seconds in workers.for_each(job, NETWORKS):
        if error:
            print(f"[models] MISSING: {network.name}: {error}", flush=True)
            continue
        origin[network.name] = found
        print(f"[models] {network.name}-fp32, {found}: {seconds:.1f} s", flush=True)
    (out / "weights.json").write_text(json.dumps(origin, indent=1) + "\n")
    from torchvision.models._meta import _IMAGENET_CATEGORIES

    labels = "".join(f"{label}\n" for label in _IMAGENET_CATEGORIES)
    (out / "imagenet-labels.txt").write_text(labels)
    return 0 if len(origin) == len(NETWORKS) else 1


if __name__ == "__main__":
    sys.exit(main())
