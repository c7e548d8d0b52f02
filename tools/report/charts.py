"""The charts of an evaluation's report, each as SVG text. Needs matplotlib; knows no HTML."""

import io
import re
import zlib

import matplotlib
import matplotlib.ticker

matplotlib.use("svg")
import matplotlib.pyplot as plt  # noqa: E402

# Okabe and Ito's colours, told apart with every common colour blindness; shapes tell them apart too.
COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#555555", "#000000"]
MARKERS = ["o", "s", "^", "D", "v", "P", "X", "*", "<", ">", "h", "p", "8", "d", "H", "$+$", "$x$"]
JUGGLER = "#0072B2"
GREY = "#6b6b6b"

plt.rcParams.update({
    "svg.fonttype": "path",
    "svg.hashsalt": "juggler",
    "font.family": "DejaVu Sans",
    "font.size": 9.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": GREY,
    "axes.labelcolor": "#222222",
    "axes.grid": True,
    "grid.color": "#e4e4e4",
    "grid.linewidth": 0.7,
    "axes.axisbelow": True,
    "xtick.color": "#444444",
    "ytick.color": "#444444",
    "legend.frameon": False,
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
})


def svg(figure):
    """The figure as one <svg> element that scales with the page."""
    text = io.StringIO()
    figure.savefig(text, format="svg", bbox_inches="tight", metadata={"Date": None})
    plt.close(figure)
    body = text.getvalue()
    body = body[body.index("<svg"):]
    width = float(re.search(r'width="([\d.]+)pt"', body).group(1))
    body = re.sub(r'<svg height="[^"]+"', "<svg", body, count=1)
    # Ids repeat between figures of one page.
    mark = f"f{zlib.crc32(body.encode()):x}"
    body = re.sub(r'id="', f'id="{mark}', body)
    body = re.sub(r'href="#', f'href="#{mark}', body)
    body = re.sub(r'url\(#', f'url(#{mark}', body)
    body = re.sub(r'width="[\d.]+pt"', f'style="width:100%;max-width:{width * 1.33:.0f}px"', body, count=1)
    return re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.S)


class Look:
    """One colour and shape per policy, the same in every chart of the page."""

    def __init__(self, policies):
        self.policies = list(policies)

    def colour(self, policy):
        if policy == "juggler":
            return JUGGLER
        others = [p for p in self.policies if p != "juggler"]
        at = others.index(policy) if policy in others else 0
        return (COLOURS[1:])[at % (len(COLOURS) - 1)]

    def marker(self, policy):
        if policy == "juggler":
            return "o"
        others = [p for p in self.policies if p != "juggler"]
        at = others.index(policy) if policy in others else 0
        return MARKERS[1 + at % (len(MARKERS) - 1)]


def mean(row, figure):
    entry = row["mean"].get(figure)
    return None if entry is None else entry["mean"]


def half(row, figure):
    entry = row["mean"].get(figure)
    return 0.0 if entry is None or entry["half_width"] is None else entry["half_width"]


def trade_off(group, look):
    """Energy against latency; the accuracy stands beside each point."""
    rows = [r for r in group["rows"] if mean(r, "energy_mj_per_task") is not None]
    figure, axes = plt.subplots(figsize=(7.4, 3.9))
    for row in rows:
        x, y = mean(row, "energy_mj_per_task"), mean(row, "latency_ms_p50")
        ours = row["policy"].startswith("juggler")
        axes.errorbar(x, y, xerr=half(row, "energy_mj_per_task"), yerr=half(row, "latency_ms_p50"),
                      linestyle="none", marker=look.marker(row["policy"]), color=look.colour(row["policy"]),
                      markersize=8 if ours else 6, elinewidth=0.8, capsize=2,
                      label=f'{row["policy"]}  ({mean(row, "accuracy_percent"):.1f} %)',
                      markeredgecolor="white", markeredgewidth=0.6, zorder=3 if ours else 2)
    axes.set_xlabel("energy above idle, mJ per completed task")
    axes.set_ylabel("median latency, ms")
    axes.set_xlim(left=0)
    axes.set_ylim(bottom=0)
    axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), fontsize=8.5, title="mean top-1 accuracy",
                title_fontsize=8.5, alignment="left")
    return svg(figure)


def latencies(group, look):
    """Percentiles of latency, one line per policy, on a logarithmic axis."""
    marks = [("p50", "latency_ms_p50", 9), ("p90", "latency_ms_p90", 6.5),
             ("p95", "latency_ms_p95", 5), ("p99", "latency_ms_p99", 3.5)]
    rows = [r for r in group["rows"] if mean(r, "latency_ms_p50")]
    figure, axes = plt.subplots(figsize=(7.4, 0.28 * len(rows) + 0.9))
    for at, row in enumerate(reversed(rows)):
        values = [max(mean(row, name), 0.01) for _, name, _ in marks]
        colour = JUGGLER if row["policy"].startswith("juggler") else GREY
        axes.plot(values, [at] * len(values), "-", color=colour, linewidth=1.6, alpha=0.55)
        for value, (_, _, size) in zip(values, marks):
            axes.plot(value, at, "o", color=colour, markersize=size)
    axes.set_yticks(range(len(rows)), [r["policy"] for r in reversed(rows)])
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(matplotlib.ticker.LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_minor_locator(matplotlib.ticker.NullLocator())
    axes.xaxis.set_major_formatter(matplotlib.ticker.FuncFormatter(lambda v, _: f"{v:g}"))
    axes.grid(axis="y", visible=False)
    axes.set_xlabel("latency from the scheduled arrival, ms (dots: p50, p90, p95, p99, ever smaller)")
    return svg(figure)


def against_load(groups, look):
    """On-time share and on-time rate over the load."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(8.2, 3.1))
    names = [r["policy"] for r in groups[0]["rows"]]
    for name in names:
        points = [(g["load"] * 100, row) for g in groups for row in g["rows"] if row["policy"] == name]
        points.sort(key=lambda point: point[0])
        style = {"color": look.colour(name), "marker": look.marker(name), "markersize": 5,
                 "linewidth": 2.2 if name == "juggler" else 1.2, "zorder": 3 if name == "juggler" else 2}
        for axes, figure_name in ((left, "on_time_percent"), (right, "energy_mj_per_task")):
            known = [(x, mean(r, figure_name)) for x, r in points if mean(r, figure_name) is not None]
            axes.plot([x for x, _ in known], [y for _, y in known], label=name, **style)
    left.set_ylabel("on time, % of offered")
    left.set_ylim(bottom=max(0, min(left.get_ylim()[0], 90)), top=101)
    right.set_ylabel("energy, mJ per completed task")
    right.set_ylim(bottom=0)
    for axes in (left, right):
        axes.set_xlabel("load, % of capacity")
    figure.tight_layout()
    right.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), fontsize=8.5)
    return svg(figure)


def timeline(group, look):
    """Second by second: misses per policy, and what was offered behind them; faults as bands."""
    lines = group["timelines"]
    figure, (top, bottom) = plt.subplots(2, 1, figsize=(8.2, 3.7), sharex=True,
                                         gridspec_kw={"height_ratios": [1, 1.7]})
    first = next(iter(lines.values()))
    top.fill_between(range(len(first)), [s["offered"] for s in first], step="mid", color="#d9d9d9")
    top.set_ylabel("offered,\ntasks/s")
    top.set_ylim(bottom=0)
    for name, seconds in lines.items():
        shares = [100.0 * s["on_time"] / s["offered"] if s["offered"] else None for s in seconds]
        xs = [i for i, share in enumerate(shares) if share is not None]
        bottom.plot(xs, [shares[i] for i in xs], color=look.colour(name), label=name,
                    linewidth=2.0 if name == "juggler" else 1.1, zorder=3 if name == "juggler" else 2)
    bottom.set_ylabel("on time, %")
    bottom.set_xlabel("seconds from the start (first seed)")
    bottom.set_ylim(-2, 103)
    for fault in group.get("faults", []):
        end = fault["at_s"] + fault["lasts_s"] if fault["lasts_s"] else len(first)
        for axes in (top, bottom):
            axes.axvspan(fault["at_s"], end, color="#E69F00", alpha=0.15, linewidth=0)
        top.text(fault["at_s"], top.get_ylim()[1], f' {fault["kind"]}', va="top", fontsize=8.5, color="#8a5a00")
    bottom.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), fontsize=8.5)
    return svg(figure)


def bars(groups, figure_name, label, line=None):
    """One bar per policy and group with its interval: for bounds and ablations."""
    pairs = [(g, r) for g in groups for r in g["rows"] if mean(r, figure_name) is not None]
    if not pairs:
        return ""
    figure, axes = plt.subplots(figsize=(7.4, 0.26 * len(pairs) + 0.18 * len(groups) + 0.8))
    at, ticks, names = 0.0, [], []
    for group in groups:
        title = group["scenario"] + (f', {group["load"] * 100:g} %' if group["load"] else "")
        for row in group["rows"]:
            value = mean(row, figure_name)
            if value is None:
                continue
            ours = row["policy"] == "juggler"
            axes.barh(-at, value, xerr=half(row, figure_name), height=0.75,
                      color=JUGGLER if ours else "#b5b5b5", error_kw={"elinewidth": 0.9, "capsize": 2})
            ticks.append(-at)
            names.append(f'{title}   {row["policy"]}' if row is group["rows"][0] else row["policy"])
            at += 1
        at += 0.6
    axes.set_yticks(ticks, names, fontsize=8.5)
    axes.grid(axis="y", visible=False)
    axes.set_xlabel(label)
    if line is not None:
        axes.axvline(line, color="#D55E00", linewidth=1.2)
    return svg(figure)
