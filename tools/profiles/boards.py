"""One function per board: which published figures it starts from, and which rules fill the rest.

The rules themselves are in rules.py; the citations of single figures in figures.csv.
"""

from rules import (Batching, Board, FP32_OVER_FP16, Interval, number, POWER_SPREAD, Processor,
                   product, RESNEXT_CPU, SMALL, source, TORCH2TRT_ERROR, within)

LOUDVA = "iloudaros/LoudVA@2b4b15ef results/*tegrastats* (statistics computed from the logs)"


def share_of(one, eight):
    return (8 - number(eight) / number(one)) / 7


def share_by_throughput(board):
    """LoudVA's share: by throughputs, because its latency at concurrency 8 contains the queue."""
    one, eight = (number(f"{board}-loudva-inception_v3-b{b}", "throughput_ips") for b in (1, 8))
    return (8 - 8 * one / eight) / 7


SUPER = {f"{n}-{p}": tuple(f"orin-nano-super-{p}-{n}-b{b}" for b in (1, 8))
         for n in ("resnet18", "resnet50", "mobilenet_v2") for p in ("fp16", "int8")}
MAXP = {b: tuple(f"{b}-maxp-int8-resnet50-b{n}" for n in (1, 8)) for b in ("xavier-nx", "agx-orin")}
MAXQ = tuple(f"xavier-nx-maxq-int8-resnet50-b{n}" for n in (1, 8))
# Every share measured on a Jetson: their range is the error of carrying one to another network.
SHARES = sorted([share_of(*ids) for ids in (*SUPER.values(), *MAXP.values(), MAXQ)]
                + [share_by_throughput(board) for board in ("nano", "xavier-nx")])


def dynamic_growth(ids):
    """Dynamic power at batch 8 over batch 1: what rule W's factor for batches rests on."""
    one, eight = (number(i, "power_w") - number(i, "idle_w") for i in ids)
    return eight / one


GROWTH = (dynamic_growth(("nano-loudva-inception_v3-b1", "nano-loudva-inception_v3-b8")),
          dynamic_growth(MAXQ))
assert 1.0 < GROWTH[0] and GROWTH[1] < 1.3, GROWTH


def orin_nano():
    # Scaled from MAXN_SUPER on the same board: the share hardly depends on the clock.
    share = {variant: share_of(*ids) for variant, ids in SUPER.items()}
    share["resnext50_32x4d-fp16"] = share["resnet50-fp16"]
    share[""] = share["mobilenet_v2-fp16"]
    gpu = Processor(
        "gpu0", "gpu", "TensorRT FP16 (JetPack 6.0), power mode not stated", "jetson-gpu",
        Interval(7, 4, 11),
        "no classifier measurement is public for this board; bounded by MLPerf Orin NX MaxQ at the "
        "wall (mlcommons/cm4mlperf-results@84d8b84c: 19.4 mJ per stream, 1.42 ms p90, ResNet50 "
        "INT8) and by the idle readings of [power]",
        400, 100,
        batching=Batching(share, SHARES[0], SHARES[-1], ("orin-nano-super-fp16-resnet50-b8",)))
    for n in ("resnet18", "resnet50", "mobilenet_v3_large", "mobilenet_v3_small"):
        gpu.published(f"orin-nano-netspresso-fp16-{n}")
    squeezenet(gpu, "resnet18")
    for n in ("resnet18", "resnet50"):
        int8, fp16 = f"orin-nano-super-int8-{n}-b1", f"orin-nano-super-fp16-{n}-b1"
        ratio = within(number(int8) / number(fp16), 1.2)
        base = gpu.find(n, "fp16")
        gpu.add(n, "int8", product(base.latency_ms, ratio), "derived",
                f"{base.source}; ratio: {source(int8, fp16)}",
                f"P: {ratio.text()} x {n}-fp16 of this file (INT8 over FP16 in MAXN_SUPER, same "
                "board); ratio's error x1.2 assumed")
    gpu.resnext_gpu("fp16")
    gpu.lites("fp16")
    gpu.batches()
    cpu = Processor(
        "cpu0", "cpu", "ncnn FP16/INT8, 6 threads, power mode not stated", "jetson-cpu",
        Interval(5, 2.5, 9),
        "assumed: nothing is published; six Cortex-A78AE set beside the four Cortex-A76 of the "
        "Raspberry Pi 5", 150, 100)
    for n in ("resnet18", "resnet50", "squeezenet1_1"):
        cpu.published(f"orin-nano-ncnn-fp16-{n}")
        cpu.published(f"orin-nano-ncnn-int8-{n}")
    cpu.published("orin-nano-ncnn-fp16-mobilenet_v3_large")
    cpu.lites("fp16")
    return Board(
        "jetson-orin-nano", "Jetson Orin Nano 8GB, power mode not stated (about 625 MHz GPU)",
        5_300_000_000,
        "published, one reading: 7620 MB total less 2513 MB in use on an idle desktop (a "
        "tegrastats line, L4T 36; its address was not recorded)",
        Interval(3.5, 2.2, 5.0), "module-rail", "assumed",
        "VDD_IN. Low end 2.18 W in a stripped configuration (NVIDIA developer forum thread "
        "348662); one stock reading 4.74 W with the GPU at 0 % (a tegrastats line; its address was "
        "not recorded). The value is for the 15 W mode",
        Interval(1.23, 1.1, 1.4), "derived",
        "geometric mean of two pairs: 2.6 W board against 2.18 W VDD_IN (NVIDIA developer forum "
        "thread 348662, Joulescope) = 1.19; 37.0 W board against 29.0 W VDD_IN (ARK Electronics "
        "carrier documentation, Just A Jetson rev 2.0 with Orin NX 16GB) = 1.28. The interval is "
        "ours: another carrier, fan and peripherals",
        [gpu, cpu],
        ["The latencies are those of one power mode, which their source does not state. In",
         "MAXN_SUPER the same board is about 2.6 times faster (onnxsim/onnxsim@752a3dc1: ResNet50",
         "FP16 1.81 ms GPU time against 4.80 ms here); only ratios are taken from there."])


def squeezenet(gpu, base_network):
    """Rule A with the AGX Xavier as the neighbour."""
    s, b = "agx-xavier-torch2trt-fp16-squeezenet1_1", f"agx-xavier-torch2trt-fp16-{base_network}"
    ratio = number(s) / number(b)
    base = gpu.find(base_network, "fp16")
    gpu.add("squeezenet1_1", "fp16", within(base.latency_ms.value * ratio, TORCH2TRT_ERROR),
            "derived", f"{base.source}; ratio: {source(s, b)}",
            f"A: {ratio:.3g} x {base_network}-fp16 of this file (AGX Xavier's ratio); interval "
            f"/{TORCH2TRT_ERROR} to x{TORCH2TRT_ERROR} (90th percentile of the rule's error)")


def nano():
    one, eight = "nano-loudva-inception_v3-b1", "nano-loudva-inception_v3-b8"
    gpu = Processor(
        "gpu0", "gpu", "TensorRT FP16 (JetPack 4.6), power mode not stated", "jetson-gpu",
        Interval(4.5, 3.0, 5.3),
        f"{LOUDVA}: Inception-v3, GPU at least 90 % busy, POM_5V_IN 6.33 W at 921 MHz and 4.75 W "
        "at 691 MHz, less 1.04 W idle; another network and runtime, with its CPU work", 600, 50,
        batching=Batching({"": share_by_throughput("nano")}, 0.20, SHARES[-1], (one, eight)))
    for n in ("resnet18", "resnet50"):
        gpu.published(f"nano-netspresso-fp16-{n}", also=(f"nano-torch2trt-fp16-{n}",))
    gpu.published("nano-netspresso-fp16-mobilenet_v3_large")
    gpu.published("nano-netspresso-fp16-mobilenet_v3_small")
    gpu.published("nano-torch2trt-fp16-squeezenet1_1")
    gpu.resnext_gpu("fp16")
    gpu.lites("fp16")
    gpu.batches()
    cpu = Processor(
        "cpu0", "cpu", "ncnn FP32/INT8, 4 threads, power mode not stated", "jetson-cpu",
        Interval(2.75, 1.5, 5.0),
        "assumed: nothing is published; four Cortex-A57 set beside the four Cortex-A72 of the "
        "Raspberry Pi 4", 200, 50)
    for n in ("resnet18", "resnet50", "squeezenet1_1"):
        cpu.published(f"nano-ncnn-fp32-{n}")
        cpu.published(f"nano-ncnn-int8-{n}")
    cpu.published("nano-ncnn-fp32-mobilenet_v3_large")
    cpu.resnext_cpu("fp32", RESNEXT_CPU["nano"])
    cpu.lites("fp32")
    return Board(
        "jetson-nano", "Jetson Nano 4GB, power mode not stated (MAXN assumed)", 2_100_000_000,
        "published, one reading: 3964 MB total less 1923 MB in use (a tegrastats line, JetPack "
        "4.6.1; its address was not recorded)",
        Interval(1.04, 1.0, 1.7), "module-rail", "published",
        f"POM_5V_IN, median of idle samples, p95 1.7 W: {LOUDVA}",
        Interval(1.10, 1.0, 1.3), "assumed",
        "no pair of readings is published; the carrier feeds the module's 5 V rail from its 5 V "
        "input, so that only the carrier's own load and its fan are missing",
        [gpu, cpu],
        ["Power comes from logs at a stated clock (921 MHz, the maximum); the latencies' sources",
         "do not state the power mode, and MAXN is assumed."])


def xavier_nx():
    one, eight = MAXP["xavier-nx"]
    gpu = Processor(
        "gpu0", "gpu", "TensorRT FP16 (JetPack 4.6, power mode not stated); INT8 in MaxP",
        "jetson-gpu", Interval(7.5, 4.5, 11.5),
        f"{LOUDVA}: Inception-v3, VDD_IN 6.9-7.4 W at 1007 MHz in one set, 11.8-14.4 W at 1109 MHz "
        "in another, less 2.2-2.8 W idle; MLPerf Xavier_NX_TRT_MaxQ 10.5-13.0 W at the wall",
        400, 100,
        batching=Batching({"": share_of(one, eight)}, SHARES[0], SHARES[-1], (one, eight)))
    for n in ("resnet18", "resnet50", "mobilenet_v3_large", "mobilenet_v3_small"):
        gpu.published(f"xavier-nx-netspresso-fp16-{n}")
    squeezenet(gpu, "resnet18")
    gpu.published(one)
    gpu.published(eight)
    gpu.resnext_gpu("fp16")
    gpu.lites("fp16")
    gpu.batches()
    return Board(
        "jetson-xavier-nx", "Jetson Xavier NX 8GB, power mode not stated", 5_300_000_000,
        "assumed: as the Orin Nano 8GB",
        Interval(2.5, 2.2, 2.8), "module-rail", "published",
        f"VDD_IN, middle of the devices' idle medians: {LOUDVA}",
        Interval(1.23, 1.0, 1.6), "assumed",
        "as the Jetson Orin Nano; the wide interval because idle is 2.2-2.8 W on VDD_IN but "
        "4.5-5.6 W at the wall (MLPerf Xavier_NX_TRT_MaxQ), power supply included",
        [gpu],
        ["The INT8 rows are MLPerf's MaxP (maximum performance); the FP16 rows do not state their",
         "mode. The ratio of the two (0.59) is what INT8 gives elsewhere, so they are kept",
         "together."])


def agx_orin():
    one, eight = MAXP["agx-orin"]
    power = Interval(26.5, 12.5, 30)
    gpu = Processor(
        "gpu0", "gpu", "TensorRT FP16 (JetPack 5.0.1, power mode not stated); INT8 in MaxP",
        "jetson-gpu", power,
        "ResNet50 INT8 at the wall: 26.2 mJ / 0.646 ms at MAXN (MLPerf v3.1) less 14 W idle; low "
        "end MaxQ, 27.7 W less 15.2 W (MLPerf v2.0 Orin_TRT_MaxQ)", 300, 200,
        batching=Batching({"": share_of(one, eight)}, SHARES[0], SHARES[-1], (one, eight)))
    idle = Interval(14.0, 12.8, 15.2)
    for n in ("resnet18", "resnet50", "mobilenet_v3_large", "mobilenet_v3_small"):
        gpu.published(f"agx-orin-netspresso-fp16-{n}")
    squeezenet(gpu, "resnet18")
    for i, energy_id, pictures in ((one, "agx-orin-maxn-int8-resnet50-b1", 1),
                                   (eight, "agx-orin-maxn-int8-resnet50-b8", 8)):
        r = gpu.published(i)
        gross = number(energy_id, "energy_j") * 1000 * pictures
        net = gross - idle.value * number(energy_id)
        r.energy_mj = within(net, POWER_SPREAD)
        r.energy_kind = "derived"
        r.energy_source = source(energy_id)
        r.energy_rule = (f"{gross:.4g} mJ at the wall less 14 W x {number(energy_id)} ms; interval "
                         "/1.3 to x1.3")
    gpu.resnext_gpu("fp16")
    gpu.lites("fp16")
    # A large GPU is not filled by a small network.
    less = Interval(0.6, 0.3, 0.9)
    for r in gpu.rows:
        if r.network in SMALL:
            r.dynamic_w = product(power, less)
            r.dynamic_source = (f"{gpu.dynamic_source}; small networks 0.6 [0.3-0.9] of ResNet50's "
                                "(MLPerf CPU runs on boards with many cores), assumed for its GPU")
    gpu.batches()
    return Board(
        "jetson-agx-orin", "Jetson AGX Orin 32GB, power mode not stated", 28_000_000_000,
        "assumed: 32 GB less 4 GB for the system", idle, "wall", "published",
        "MLPerf v2.1 Krai orin rows (12.8-13.2 W, CPU systems) and v2.0 NVIDIA Orin_TRT_MaxQ "
        "(14.7-15.2 W), outside the run's window",
        Interval(0.88, 0.80, 0.95), "assumed", "the power supply's efficiency; no reading",
        [gpu],
        ["The module has no parent rail: software adds three rails, so the published figures at",
         "the wall are kept. The INT8 rows are MLPerf's MaxP."])


def pi4():
    cpu = Processor(
        "cpu0", "cpu", "ncnn FP32/INT8, 4 threads; MobileNetV3 INT8 and MobileNetV3-Small: TFLite "
        "2.7.1, 1.8 GHz", "pi-cpu", Interval(2.75, 1.95, 3.55),
        "MLPerf v1.0-v2.1, Krai, Raspberry Pi 4, CPU: power at the wall less idle over 3 networks, "
        "2 precisions and 2 runtimes", 200, 40)
    for n in ("resnet18", "resnet50", "squeezenet1_1"):
        cpu.published(f"pi4-ncnn-fp32-{n}")
        cpu.published(f"pi4-ncnn-int8-{n}")
    cpu.published("pi4-ncnn-fp32-mobilenet_v3_large")
    for i in ("pi4-tflite-fp32-mobilenet_v3_small", "pi4-tflite-int8-mobilenet_v3_small",
              "pi4-tflite-int8-mobilenet_v3_large"):
        r = cpu.published(i)
        watts = number(i, "power_w") - number(i, "idle_w")
        if i == "pi4-tflite-fp32-mobilenet_v3_small":
            fast, slow = "pi4-netspresso-fp16-mobilenet_v3_small", (
                "pi4-armnn-fp32-mobilenet_v3_small-slowest")
            r.latency_ms = Interval(r.latency_ms.value, number(fast), number(slow))
            r.rule = ("M: interval = range of the sources, 14.194 ms (TFLite FP16) to 28.684 ms "
                      "(ArmNN 21.02); p95 from the source's p90 and p99")
            r.source = source(i, fast, slow)
        r.dynamic_w = within(watts, POWER_SPREAD)
        r.dynamic_source = source(i)
        r.energy_mj = product(r.dynamic_w, r.latency_ms)
        r.energy_kind = "derived"
        r.energy_source = source(i)
        r.energy_rule = (f"({number(i, 'power_w'):.4g} - {number(i, 'idle_w'):.4g} W) x latency; "
                         "power /1.3 to x1.3")
    cpu.resnext_cpu("fp32", RESNEXT_CPU["pi"])
    cpu.lites("fp32")
    cpu.lites("int8")
    return Board(
        "raspberry-pi-4", "Raspberry Pi 4 Model B 4GB", 3_300_000_000,
        "assumed: 4 GB less 0.7 GB for the system",
        Interval(2.9, 1.6, 3.9), "wall", "published",
        "2.9 W in a passive case, 3.9 W with a fan (MLPerf v1.0-v2.1, Krai rpi4 and "
        "rpi4coral-fan.on); 2.2 W by a USB meter (chipwired RPi4 power page); 1.6 W "
        "(geerlingguy/sbc-reviews issue 4)",
        Interval(0.91, 0.75, 1.0), "derived",
        "slope between idle and load of one pair of meters: USB 2.2-2.3 to 5.1-5.4 W while the "
        "wall shows 3.0 to 6.3 W (chipwired RPi4 power page). Totals convert by 0.75-0.83",
        [cpu],
        ["Runtimes differ by up to 2.2 times on this board (ResNet50 FP32: ncnn 263 ms, TFLite",
         "556-593 ms). Batching gains nothing known on four small cores, so batch_max is 1."],
        batch_max=1)


def pi5():
    cpu = Processor(
        "cpu0", "cpu", "ncnn FP16/INT8, 4 threads; MobileNetV3-Small: TFLite; FP32 by rule H",
        "pi-cpu", Interval(5, 3.5, 6.5),
        "Compute Module 5 and Pi 500 (same BCM2712): stress-ng 8.5-9 W, HPL 9.4-11.5 W, idle "
        "2.4-3.1 W (geerlingguy/sbc-reviews issues 58, 60), at the wall; about the stress-ng "
        "level, as on the Raspberry Pi 4", 150, 80)
    for n in ("resnet18", "resnet50", "squeezenet1_1"):
        cpu.published(f"pi5-ncnn-fp16-{n}")
        cpu.published(f"pi5-ncnn-int8-{n}")
    cpu.published("pi5-ncnn-fp16-mobilenet_v3_large")
    cpu.published("pi5-netspresso-fp16-mobilenet_v3_small")
    cpu.resnext_cpu("fp16", RESNEXT_CPU["pi"])
    for base in [r for r in cpu.rows if r.precision == "fp16"]:
        cpu.add(base.network, "fp32", product(base.latency_ms, FP32_OVER_FP16), "assumed",
                base.source,
                f"H: {FP32_OVER_FP16.text()} x {base.network}-fp16 of this file "
                "(half the vector lanes: at most twice the time)")
    cpu.lites("fp16")
    cpu.lites("fp32")
    return Board(
        "raspberry-pi-5", "Raspberry Pi 5 8GB", 7_000_000_000,
        "assumed: 8 GB less 1 GB for the system",
        Interval(2.7, 2.4, 3.1), "board-input", "assumed",
        "Compute Module 5 2.4 W, Pi 500 3.1 W (geerlingguy/sbc-reviews issues 58, 60: at the wall, "
        "meter not recorded); a Pi 5's own rails, converted by jfikar/RPi5-power@3261e296 "
        "(1.1451 x sum + 0.5879 W), give 2.76 W",
        Interval(1.0, 0.75, 1.0), "assumed",
        "already the board's input; the low end allows for the basis having been read at the wall, "
        "before the power supply",
        [cpu],
        ["No clean power figure of the Pi 5 itself is published. INT8 EfficientNet-Lite has no",
         "row: the only INT8 MobileNetV3-Large figure published is an outlier (slower than FP16)."],
        batch_max=1)


def all_boards():
    return [orin_nano(), nano(), xavier_nx(), agx_orin(), pi4(), pi5()]
