"""Writes OUT/catalogue.toml: one [[variant]] per ONNX file in OUT; its keys: docs/models.md.

usage: write_catalogue.py OUT
Needs nothing but Python: it also describes what was made where the int8 tools could not be had.
"""

import datetime
import hashlib
import json
import sys
from pathlib import Path

from networks import NETWORKS, Accuracy, Network

HEAD = """\
# Model variants, made by setup/models. docs/models.md explains the keys.
format = 1
generated = "{now}"
"""

VARIANT = """
[[variant]]
id = "{id}"
model = "imagenet"
network = "{network.name}"
precision = "{precision}"
file = "{file.name}"
sha256 = "{sha256}"
size_bytes = {size}
weights = "{weights}"
top1_percent = {accuracy.percent}
top1_kind = "{accuracy.kind}"
top1_source = "{accuracy.source}"
labels = "imagenet-labels.txt"
macs_m = {network.macs_m}
licence = "{network.licence}"
{remark}[variant.input]
name = "input"
width = {network.size}
height = {network.size}
resize_shorter_px = {network.resize_shorter}
mean = [{mean}]
std = [{std}]
[variant.output]
name = "logits"
kind = "logits"
"""


def floats(values) -> str:
    return ", ".join(f"{value:.9g}" for value in values)


def variant(file: Path, network: Network, precision: str, weights: str, agreement) -> str:
    accuracy: Accuracy = getattr(network, precision)
    content = file.read_bytes()
    remark = ""
    if agreement:
        remark = (
            f"# Same label as {network.name}-fp32 on {agreement['same']} of {agreement['views']} "
            "views of the photographs;\n"
            f"# where fp32 is confident: {agreement['confident_same']} of "
            f"{agreement['confident']}.\n"
        )
    return VARIANT.format(
        id=f"{network.name}-{precision}",
        network=network,
        precision=precision,
        file=file,
        sha256=hashlib.sha256(content).hexdigest(),
        size=len(content),
        weights=weights,
        accuracy=accuracy,
        remark=remark,
        mean=floats(network.mean),
        std=floats(network.std),
    )


def main() -> None:
    out = Path(sys.argv[1])
    weights = json.loads((out / "weights.json").read_text())
    agreement_file = out / "agreement.json"
    agreement = json.loads(agreement_file.read_text()) if agreement_file.exists() else {}
    now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    text = HEAD.format(now=now)
    for network in NETWORKS:
        for precision in ("fp32", "fp16", "int8"):
            file = out / f"{network.name}-{precision}.onnx"
            if network.name in weights and file.exists():
                text += variant(
                    file,
                    network,
                    precision,
                    weights[network.name],
                    agreement.get(f"{network.name}-{precision}"),
                )
    unfinished = out / "catalogue.toml.new"
    unfinished.write_text(text)
    unfinished.rename(out / "catalogue.toml")


if __name__ == "__main__":
    main()
