"""Photographs as network input: the catalogue's preprocessing, and varied views of few photographs.

The preprocessing is the one that juggler-consumer does (shorter side, centre crop, normalise); the
views serve to calibrate batch normalisation and int8 ranges, and to compare variants.
"""

from pathlib import Path

import numpy as np
from PIL import Image

from networks import Network


def photographs(folder: Path) -> list[tuple[str, Image.Image]]:
    files = sorted(file for file in folder.glob("*") if file.suffix in (".jpg", ".png"))
    return [(file.name, Image.open(file).convert("RGB")) for file in files]


def resized_and_cropped(picture: Image.Image, network: Network) -> Image.Image:
    scale = network.resize_shorter / min(picture.size)
    picture = picture.resize([max(1, round(side * scale)) for side in picture.size], Image.BILINEAR)
    left, top = ((side - network.size) // 2 for side in picture.size)
    return picture.crop((left, top, left + network.size, top + network.size))


def normalised(pictures: list[Image.Image], network: Network) -> np.ndarray:
    """NCHW, RGB, float32."""
    pixels = np.stack([np.asarray(picture, dtype=np.float32) for picture in pictures]) / 255
    pixels = (pixels - np.float32(network.mean)) / np.float32(network.std)
    return np.ascontiguousarray(pixels.transpose(0, 3, 1, 2))


def varied_view(picture: Image.Image, network: Network, rng: np.random.Generator) -> Image.Image:
    """A random crop of 30 to 100 % of each side, flipped half of the time, lighter or darker."""
    sides = [
        max(1, round(side * share)) for side, share in zip(picture.size, rng.uniform(0.3, 1.0, 2))
    ]
    left, top = (int(rng.integers(0, whole - part + 1)) for whole, part in zip(picture.size, sides))
    view = picture.crop((left, top, left + sides[0], top + sides[1]))
    view = view.resize((network.size, network.size), Image.BILINEAR)
    if rng.random() < 0.5:
        view = view.transpose(Image.FLIP_LEFT_RIGHT)
    light = rng.uniform(0.7, 1.3)
    return view.point(lambda value: min(255, round(value * light)))


def noise_picture(rng: np.random.Generator) -> Image.Image:
    """Coloured blobs, for machines without photographs."""
    small = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
    return Image.fromarray(small).resize((320, 320), Image.BICUBIC)


def views(folder: Path, network: Network, per_photo: int, seed: int) -> np.ndarray:
    """Every photograph `per_photo` times, each time another view; the same for the same seed."""
    rng = np.random.default_rng(seed)
    pictures = [picture for _, picture in photographs(folder)] or [
        noise_picture(rng) for _ in range(9)
    ]
    return normalised(
        [varied_view(picture, network, rng) for picture in pictures for _ in range(per_photo)],
        network,
    )


def plain_and_varied(folder: Path, network: Network, per_photo: int, seed: int) -> np.ndarray:
    """Every photograph as it is (if there are any), then its varied views."""
    as_they_are = [resized_and_cropped(picture, network) for _, picture in photographs(folder)]
    if not as_they_are:
        return views(folder, network, per_photo + 1, seed)
    plain = normalised(as_they_are, network)
    return np.concatenate([plain, views(folder, network, per_photo, seed)]) if per_photo else plain
