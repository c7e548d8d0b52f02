#!/usr/bin/env python3
"""Writes profiles/*.toml, which twins run from, and the tables of docs/profiles.md.

Published figures are in figures.csv and tails.csv beside this file, each with its source. What no
source gives is filled in by the rules of rules.py, for each board of boards.py, and is marked
`derived` or `assumed`, with an interval that carries the errors of the rule.

    make_profiles.py           write what differs
    make_profiles.py --check   write nothing; exit 1 if what is committed differs

It measures nothing and reads nothing but its own two tables.
"""

import argparse
import sys
import textwrap
from pathlib import Path

sys.dont_write_bytecode = True   # leaves no cache in the source tree

import boards  # noqa: E402
from rules import (FIGURES, LITE, TAILS, WEIGHTS_MB, WIDTH, memory_bytes, significant,  # noqa: E402
                   used_figures)

ROOT = Path(__file__).resolve().parent.parent.parent

def quoted(text):
    assert "\n" not in text and all(ord(c) < 128 for c in text), text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def whole(x, kind):
    """Published figures keep their digits; what a rule gives has three."""
    return round(x) if kind == "published" else round(significant(x))


def scaled(interval, kind):
    """Milliseconds or millijoules to whole thousandths: value, low, high."""
    value = whole(interval.value * 1000, kind)
    low = min(round(significant(interval.low * 1000)), value)
    high = max(round(significant(interval.high * 1000)), value)
    return value, low, high


def profile_lines(processor, r):
    ratio, _ = TAILS[processor.tails]
    mean, low, high = scaled(r.latency_ms, r.kind)
    p95 = max(mean, whole(1000 * (r.p95_ms or r.latency_ms.value * ratio.value), "derived"))
    energy, energy_low, energy_high = scaled(r.energy_mj, r.energy_kind)
    load = (processor.load_ms + 1000 * WEIGHTS_MB[r.network] * WIDTH[r.precision]
            / processor.load_mb_per_s)
    return [
        "",
        "[[processor.profile]]",
        f"variant = {quoted(r.network + '-' + r.precision)}",
        f"batch = {r.batch}",
        f"latency_us_mean = {mean}",
        f"latency_us_p95 = {p95}",
        f"latency_us_low = {low}",
        f"latency_us_high = {high}",
        f"kind = {quoted(r.kind)}",
        f"source = {quoted(r.source)}",
        f"rule = {quoted(r.rule)}",
        f"energy_uj = {energy}",
        f"energy_uj_low = {energy_low}",
        f"energy_uj_high = {energy_high}",
        f"energy_kind = {quoted(r.energy_kind)}",
        f"energy_source = {quoted(r.energy_source)}",
        f"energy_rule = {quoted(r.energy_rule)}",
        f"memory_bytes = {memory_bytes(r.network, r.precision, r.batch)}  # assumed",
        f"load_us = {round(significant(load * 1000))}  # assumed",
        "samples = 0",
    ]


HEAD = """\
# {title}.
# What inference costs on it, for twins and for first predictions.
#
# Written by tools/profiles/make_profiles.py from published figures and the rules of
# docs/profiles.md: change those, not this file. Nothing here was measured by Juggler (samples = 0).
# kind: published = a source gives the figure; derived = computed from published figures by a rule
# whose error is known; assumed = nothing better exists. low and high: the interval of the mean.
#
{notes}#
# p95: where a row's rule does not name its own source, p95 = ratio x mean, the ratio being the
# average over published runs of the same kind of processor (tools/profiles/tails.csv):
{tails}# Model time only, 224x224 pictures (Lite1 240x240, Lite2 260x260).
# Energy is above idle and per batch.
# memory_bytes and load_us of a profile are assumed (docs/profiles.md) and may be off by 3 times.
"""


def board_text(board):
    tails = ""
    for p in board.processors:
        ratio, runs = TAILS[p.tails]
        tails += (f"#   {p.id}: {ratio.value:.2f} [{ratio.low:.2f}-{ratio.high:.2f}], "
                  f"{runs} runs ({p.tails})\n")
    notes = "".join(f"# {line}\n" for line in board.notes)
    mw = lambda w: round(w * 1000)  # noqa: E731
    lines = [
        HEAD.format(title=board.title, notes=notes, tails=tails),
        "format = 1",
        f"board = {quoted(board.name)}",
        f"title = {quoted(board.title)}",
        *textwrap.wrap(f"Memory for inference, {board.memory_comment}.", 98,
                       initial_indent="# ", subsequent_indent="# "),
        f"memory_bytes = {board.memory_bytes}",
        "",
        "[power]",
        f"idle_mw = {mw(board.idle_w.value)}",
        f"idle_mw_low = {mw(board.idle_w.low)}",
        f"idle_mw_high = {mw(board.idle_w.high)}",
        f"scope = {quoted(board.scope)}",
        f"kind = {quoted(board.power_kind)}",
        f"source = {quoted(board.power_source)}",
        "",
        "# For decisions only: power or energy at the board's input = factor x the figure above.",
        "[power.to_board_input]",
        f"factor = {board.factor.value}",
        f"factor_low = {board.factor.low}",
        f"factor_high = {board.factor.high}",
        f"kind = {quoted(board.factor_kind)}",
        f"source = {quoted(board.factor_source)}",
    ]
    for p in board.processors:
        lines += [
            "",
            "[[processor]]",
            f"id = {quoted(p.id)}",
            f"kind = {quoted(p.kind)}",
            f"runtime = {quoted(p.runtime)}",
            "window_batches = 2",
            f"batch_max = {max(r.batch for r in p.rows)}",
        ]
        for r in sorted(p.rows, key=lambda r: (r.network, r.precision, r.batch)):
            lines += profile_lines(p, r)
    return "\n".join(lines) + "\n"


def check_rows(board):
    """Arithmetic that must hold whatever the tables say."""
    for p in board.processors:
        p.fill_energy()
        seen = {}
        for r in p.rows:
            key = (r.network, r.precision)
            assert (key, r.batch) not in seen, (board.name, key, r.batch)
            seen[key, r.batch] = r
            assert r.latency_ms.low <= r.latency_ms.value <= r.latency_ms.high
            assert 1.0 <= r.energy_mj.value / r.latency_ms.value <= 50, (board.name, r)
        for (key, batch), r in seen.items():
            bigger = seen.get((key, batch * 2))
            if bigger:   # a larger batch takes longer, but no longer per picture
                assert r.latency_ms.value < bigger.latency_ms.value <= 2 * r.latency_ms.value
        assert p.kind == "cpu" or all((k, 8) in seen for k, _ in seen)
    has = {r.network for p in board.processors for r in p.rows}
    assert set(LITE) <= has, (board.name, "a twin must serve the pretrained variants")


# --------------------------------------------------------------------------- tables of the page


def watts(interval):
    return f"{interval.value:g} [{interval.low:g}-{interval.high:g}]"


def board_table(boards):
    lines = ["| board | idle W | above idle while busy W | scope | to board input x |",
             "|---|---|---|---|---|"]
    for b in boards:
        busy = "; ".join(f"{p.id} {watts(p.dynamic_w)} assumed" for p in b.processors)
        lines.append(f"| {b.name} | {watts(b.idle_w)} {b.power_kind} | {busy} | {b.scope} | "
                     f"{watts(b.factor)} {b.factor_kind} |")
    return lines


def conversion_table(boards):
    lines = ["| board | from | factor | kind | basis |", "|---|---|---|---|---|"]
    for b in boards:
        lines.append(f"| {b.name} | {b.scope} | {watts(b.factor)} | {b.factor_kind} | "
                     f"{b.factor_source}. |")
    return lines


def figure_table(boards):
    marks = {"published": "P", "derived": "D", "assumed": "A"}
    lines = []
    for b in boards:
        lines += ["", f"**{b.name}**: {b.title}", "",
                  "| variant | processor | ms [interval] | p95 ms | mJ above idle [interval] |",
                  "|---|---|--:|--:|--:|"]
        for p in b.processors:
            for r in sorted(p.rows, key=lambda r: (r.network, r.precision)):
                if r.batch != 1:
                    continue
                ratio, _ = TAILS[p.tails]
                t, e = r.latency_ms, r.energy_mj
                p95 = max(t.value, r.p95_ms or t.value * ratio.value)
                lines.append(f"| {r.network}-{r.precision} | {p.id} | {marks[r.kind]} "
                             f"{t.text()} | {p95:.3g} | {marks[r.energy_kind]} {e.text()} |")
    return lines


def tail_table():
    lines = ["| family | runs | p95 / mean | range |", "|---|--:|--:|---|"]
    for name, (ratio, runs) in TAILS.items():
        lines.append(f"| {name} | {runs} | {ratio.value:.2f} | {ratio.low:.2f}-{ratio.high:.2f} |")
    return lines


def with_tables(page, tables):
    """Replaces what stands between `<!-- table NAME -->` and `<!-- end -->`."""
    for name, lines in tables.items():
        begin, end = f"<!-- table {name} -->\n", "<!-- end -->"
        head, rest = page.split(begin, 1)
        _, tail = rest.split(end, 1)
        page = head + begin + "\n".join(lines).strip("\n") + "\n" + end + tail
    return page


def main():
    parser = argparse.ArgumentParser(description="Writes profiles/*.toml.")
    parser.add_argument("--check", action="store_true",
                        help="compare with what is committed; write nothing")
    check = parser.parse_args().check

    fleet = boards.all_boards()
    for board in fleet:
        check_rows(board)
    unused = sorted(set(FIGURES) - used_figures)
    assert not unused, f"figures.csv has rows that no profile uses: {unused}"

    wanted = {ROOT / "profiles" / f"{b.name}.toml": board_text(b) for b in fleet}
    page = ROOT / "docs" / "profiles.md"
    if page.exists():
        wanted[page] = with_tables(page.read_text(encoding="utf-8"), {
            "boards": board_table(fleet), "conversions": conversion_table(fleet),
            "tails": tail_table(), "figures": figure_table(fleet)})

    different = [path for path, text in wanted.items()
                 if not path.exists() or path.read_text(encoding="utf-8") != text]
    if check:
        for path in different:
            print(f"differs: {path.relative_to(ROOT)}: run tools/profiles/make_profiles.py",
                  file=sys.stderr)
        return 1 if different else 0
    for path in different:
        path.write_text(wanted[path], encoding="utf-8")
        print(f"wrote {path.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
