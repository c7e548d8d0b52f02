#!/usr/bin/env python3
"""Writes the networks of the model catalogue as TorchScript, for torch_worker.py.

usage: export_torchscript.py PHOTOS PACKAGES CACHE OUT NETWORK...
The same weights as set-up gave the catalogue (setup/models/weights.py): trained ones where
torchvision's server is asked for them with JUGGLER_ONLINE=1 or the network is an EfficientNet-Lite,
else the seeded ones. Writes OUT/NETWORK-fp32.pt. Needs python3-torchvision.
"""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "setup" / "models"))

import torch  # noqa: E402

import weights  # noqa: E402
from networks import network  # noqa: E402


def main() -> int:
    photos, packages, cache, out = map(Path, sys.argv[1:5])
    if not sys.argv[5:]:
        print(__doc__, file=sys.stderr)
        return 2
    out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)  # as set-up does: synthetic weights depend on the order of sums
    online = os.environ.get("JUGGLER_ONLINE") == "1"
    for name in sys.argv[5:]:
        described = network(name)
        if described.is_lite:
            model = weights.load_lite(described, packages)
        else:
            model, _ = weights.load_torchvision(described, online, photos, cache)
        with torch.no_grad():
            traced = torch.jit.trace(model, torch.zeros(1, 3, described.size, described.size))
            traced.save(str(out / f"{name}-fp32.pt"))
        print(f"{name}-fp32.pt", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
