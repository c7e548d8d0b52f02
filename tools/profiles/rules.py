"""The rules by which board profiles are filled in, and the published figures they start from.

docs/profiles.md names each rule by its letter (M, A, B, L, X, P, H, W) and says where its error
comes from. Nothing here knows a particular board: see boards.py.
"""

import csv
import math
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent

# ---------------------------------------------------------------------------------- intervals


@dataclass(frozen=True)
class Interval:
    """A value with the ends of its interval. All values here are positive."""

    value: float
    low: float
    high: float

    def __post_init__(self):
        assert 0 < self.low <= self.value <= self.high, self

    def text(self, unit=""):
        return f"{self.value:.3g}{unit} [{self.low:.3g}-{self.high:.3g}]"


def within(value, factor):
    return Interval(value, value / factor, value * factor)


def product(*factors):
    """Multiplies; the errors are taken as independent, so their logarithms add in quadrature."""
    value = math.prod(f.value for f in factors)
    low = math.sqrt(sum(math.log(f.value / f.low) ** 2 for f in factors))
    high = math.sqrt(sum(math.log(f.high / f.value) ** 2 for f in factors))
    return Interval(value, value * math.exp(-low), value * math.exp(high))


def significant(x, digits=3):
    return round(x, digits - 1 - math.floor(math.log10(abs(x))))


# ------------------------------------------------------------------------- published figures


def read_table(name):
    with open(HERE / name, newline="", encoding="utf-8") as f:
        return list(csv.DictReader(f))


FIGURES = {row["id"]: row for row in read_table("figures.csv")}
used_figures = set()


def figure(figure_id):
    used_figures.add(figure_id)
    return FIGURES[figure_id]


def number(figure_id, column="latency_ms"):
    return float(figure(figure_id)[column])


def source(*figure_ids):
    texts = []
    for i in figure_ids:
        row = figure(i)
        mode = row["power_mode"] or "power mode not stated"
        text = f"{row['source']} ({row['runtime']}, {mode}; {row['method']})"
        if text not in texts:
            texts.append(text)
    return "; ".join(texts)


def p95_between(p90, p99):
    """p95 on the line through p90 and p99 in log(latency) against log(share above)."""
    return p90 * (p99 / p90) ** math.log10(2)


def tail_ratio(family):
    """p95 over mean: the average over the published runs of the family, and its range."""
    ratios = []
    for row in read_table("tails.csv"):
        if row["family"] != family:
            continue
        p95 = (float(row["p95_ms"]) if row["p95_ms"]
               else p95_between(float(row["p90_ms"]), float(row["p99_ms"])))
        ratios.append(p95 / float(row["mean_ms"]))
    ratio = Interval(round(sum(ratios) / len(ratios), 2), min(ratios), max(ratios))
    return ratio, len(ratios)


TAILS = {name: tail_ratio(name) for name in ("jetson-gpu", "jetson-cpu", "pi-cpu")}

# ------------------------------------------------------------------------- rules and their errors

AGREEMENT = 1.5        # rule M: independent measurements of one configuration agree within this
AGREEMENT_SEVERAL = 1.12   # rule M: floor where several sources agree (spreads 2, 5, 19, 48 %)
TORCH2TRT_ERROR = 2.08     # rule A: 90th percentile of the error, torch2trt family
NCNN_ERROR = 2.3           # rule A: 90th percentile of the error, ncnn with many threads

LITE = {                   # rule L: latency as a multiple of MobileNetV3-Large
    "efficientnet_lite0": Interval(2.0, 1.3, 3.0),
    "efficientnet_lite1": Interval(2.8, 1.7, 4.2),
    "efficientnet_lite2": Interval(3.9, 2.4, 5.8),
}
LITE_SOURCE = ("multiply-adds 407, 631, 899 M: tensorflow/tpu@07e173cc "
               "models/official/efficientnet/lite/README.md; MobileNetV3-Large 217 M: "
               "torchvision 0.21.0 weights metadata")
RESNEXT_GPU = Interval(1.4, 1.03, 2.0)                    # rule X, on GPUs: assumed
RESNEXT_CPU = {"pi": 1.56, "nano": 1.52}                  # rule X, on CPUs: PyTorch, batch 32
RESNEXT_LOW = 1.03                                        # ratio of multiply-adds
RESNEXT_SOURCE = ("ratio: isabellyrocha/edgetune (PyTorch on the CPU, batch 32, single figures); "
                  "multiply-adds 4.23 and 4.089 G: torchvision 0.21.0 weights metadata")
FP32_OVER_FP16 = Interval(1.41, 1.0, 2.0)                 # rule H
POWER_SPREAD = 1.3         # a published power may be off by 30 % (mlcommons/inference_results_v3.0
#                            issue 10: a retest of one board drew 32 % more)

# Memory and load time are assumed throughout: see memory_bytes() and load_us().
WEIGHTS_MB = {  # fp32; torchvision 0.21.0 weights metadata; Lite: 4 bytes x parameters
    "resnet18": 44.7, "resnet50": 97.8, "resnext50_32x4d": 95.8, "mobilenet_v3_large": 21.1,
    "mobilenet_v3_small": 9.8, "squeezenet1_1": 4.7, "efficientnet_lite0": 18.8,
    "efficientnet_lite1": 21.6, "efficientnet_lite2": 24.4,
}
ACTIVATIONS_MB = {  # fp32, per picture: assumed
    "resnet18": 10, "resnet50": 25, "resnext50_32x4d": 30, "mobilenet_v3_large": 12,
    "mobilenet_v3_small": 6, "squeezenet1_1": 10, "efficientnet_lite0": 12,
    "efficientnet_lite1": 16, "efficientnet_lite2": 22,
}
WIDTH = {"fp32": 1.0, "fp16": 0.5, "int8": 0.25}
SMALL = {"mobilenet_v3_large", "mobilenet_v3_small", "squeezenet1_1", *LITE}


def memory_bytes(network, precision, batch):
    """Assumed: twice the weights (file and packed form), activations, 20 MB of runtime."""
    width = WIDTH[precision]
    megabytes = 2 * WEIGHTS_MB[network] * width + ACTIVATIONS_MB[network] * width * batch + 20
    return math.ceil(megabytes) * 1_000_000


# ---------------------------------------------------------- what a board is made of


@dataclass
class Batching:
    """Rule B: t(b) = t(1) * (share + b * (1 - share)); share = the fixed part of one picture."""

    share: dict            # variant -> share; "" = all others
    low: float
    high: float
    basis: tuple           # ids of the figures it comes from

    def ratio(self, network, precision, batch):
        s = self.share.get(f"{network}-{precision}", self.share[""])
        at = lambda share: share + batch * (1 - share)  # noqa: E731
        return s, Interval(at(s), at(max(self.high, s)), at(min(self.low, s)))


@dataclass
class Row:
    network: str
    precision: str
    batch: int
    latency_ms: Interval
    kind: str
    source: str
    rule: str
    p95_ms: float = 0.0            # 0: by the family's ratio
    energy_mj: Interval = None     # None: dynamic power x latency
    energy_kind: str = ""
    energy_source: str = ""
    energy_rule: str = ""
    dynamic_w: Interval = None     # instead of the processor's
    dynamic_source: str = ""


@dataclass
class Processor:
    id: str
    kind: str
    runtime: str
    tails: str
    dynamic_w: Interval
    dynamic_source: str
    load_ms: float
    load_mb_per_s: float
    rows: list = field(default_factory=list)
    batching: Batching = None

    def published(self, figure_id, variant=None, also=()):
        """Rule M, from one figure, or the mean of several sources of the same configuration."""
        row = figure(figure_id)
        ids = (figure_id, *also)
        values = [number(i) for i in ids]
        mean = sum(values) / len(values)
        if also:
            low = min(min(values), mean / AGREEMENT_SEVERAL)
            high = max(max(values), mean * AGREEMENT_SEVERAL)
            rule = ("M: mean of the sources; interval their range, at least /1.12 to x1.12")
        else:
            low, high = mean / AGREEMENT, mean * AGREEMENT
            rule = "M: interval /1.5 to x1.5"
        network, precision = variant or (row["network"], row["precision"].lower())
        new = Row(network, precision, int(row["batch"]), Interval(mean, low, high), "published",
                  source(*ids), rule)
        if row["p90_ms"] and not also:
            new.p95_ms = p95_between(float(row["p90_ms"]), float(row["p99_ms"]))
            new.rule += "; p95 from the source's p90 and p99"
        self.rows.append(new)
        return new

    def add(self, network, precision, latency, kind, text, rule, **more):
        new = Row(network, precision, 1, latency, kind, text, rule, **more)
        self.rows.append(new)
        return new

    def find(self, network, precision, batch=1):
        return next(r for r in self.rows
                    if (r.network, r.precision, r.batch) == (network, precision, batch))

    def resnext_gpu(self, precision):
        base = self.find("resnet50", precision)
        self.add("resnext50_32x4d", precision, product(base.latency_ms, RESNEXT_GPU), "assumed",
                 f"{base.source}; {RESNEXT_SOURCE}",
                 f"X: {RESNEXT_GPU.text()} x resnet50-{precision} of this file")

    def resnext_cpu(self, precision, ratio):
        base = self.find("resnet50", precision)
        value = base.latency_ms.value
        self.add("resnext50_32x4d", precision,
                 Interval(value * ratio, value * RESNEXT_LOW, value * ratio * NCNN_ERROR),
                 "derived", f"{base.source}; {RESNEXT_SOURCE}",
                 f"X: {ratio} x resnet50-{precision} of this file; low end 1.03 x resnet50, "
                 f"high end x{NCNN_ERROR} (90th percentile of rule A, ncnn)")

    def lites(self, precision):
        base = self.find("mobilenet_v3_large", precision)
        for network, multiple in LITE.items():
            self.add(network, precision, product(base.latency_ms, multiple), "assumed",
                     f"{base.source}; {LITE_SOURCE}",
                     f"L: {multiple.text()} x mobilenet_v3_large-{precision} of this file",
                     dynamic_w=base.dynamic_w, dynamic_source=base.dynamic_source)

    def batches(self, up_to=(2, 4, 8)):
        """Adds the batches that no source gives, by rule B."""
        known = {(r.network, r.precision, r.batch) for r in self.rows}
        for one in [r for r in self.rows if r.batch == 1]:
            for batch in up_to:
                if (one.network, one.precision, batch) in known:
                    continue
                if (one.network, one.precision, 8) in known:
                    eight = self.find(one.network, one.precision, 8)
                    slope = (eight.latency_ms.value - one.latency_ms.value) / 7
                    latency = within(one.latency_ms.value + (batch - 1) * slope, AGREEMENT)
                    self.rows.append(Row(
                        one.network, one.precision, batch, latency, "derived",
                        f"{one.source}; {eight.source}",
                        f"B: on the line through batch 1 and 8 of the source "
                        f"({one.latency_ms.value:.4g} and {eight.latency_ms.value:.4g} ms); "
                        "interval /1.5 to x1.5",
                        dynamic_w=one.dynamic_w, dynamic_source=one.dynamic_source))
                    continue
                share, ratio = self.batching.ratio(one.network, one.precision, batch)
                kind = "assumed" if one.kind == "assumed" else "derived"
                self.rows.append(Row(
                    one.network, one.precision, batch, product(one.latency_ms, ratio), kind,
                    f"{one.source}; batching: {source(*self.batching.basis)}",
                    f"B: t(b) = t(1) x (s + b (1-s)), s = {share:.2f} "
                    f"[{self.batching.low:.2f}-{self.batching.high:.2f}]; t(1): {one.rule}",
                    dynamic_w=one.dynamic_w, dynamic_source=one.dynamic_source))

    def fill_energy(self):
        """Rule W: energy above idle = dynamic power x latency, where no source gives it."""
        for r in self.rows:
            if r.energy_mj is not None:
                continue
            power = r.dynamic_w or self.dynamic_w
            doublings = math.log2(r.batch)
            # Larger batches fill the processor: see GROWTH.
            fill = Interval(1 + 0.05 * doublings, 1.0, 1 + 0.1 * doublings)
            r.energy_mj = product(power, fill, r.latency_ms)
            r.energy_kind = "assumed"
            r.energy_source = r.dynamic_source or self.dynamic_source
            r.energy_rule = f"W: {power.text(' W')} above idle x latency"
            if r.batch > 1:
                r.energy_rule += f" x {fill.text()} for batch {r.batch}"


@dataclass
class Board:
    name: str
    title: str
    memory_bytes: int
    memory_comment: str
    idle_w: Interval
    scope: str
    power_kind: str
    power_source: str
    factor: Interval
    factor_kind: str
    factor_source: str
    processors: list
    notes: list
    batch_max: int = 8
