#!/usr/bin/python3
"""Makes one self-contained page of an evaluation's results.

    make_report.py results.json report.html

The figures, intervals and differences come from results.json as they are; nothing is computed here
but what to use and what other choices cost (choice.py). `juggler evaluate` calls it.
"""

import html
import json
import sys

import choice

try:
    import charts
except ModuleNotFoundError as missing:
    print(f"the report needs {missing.name}: apt install python3-matplotlib", file=sys.stderr)
    sys.exit(3)  # another Python of this machine may have it

STYLE = """
:root { color-scheme: light; }
body { font: 16px/1.5 system-ui, "Segoe UI", "DejaVu Sans", sans-serif; color: #1b1b1b; background: #fff;
       max-width: 72rem; margin: 2rem auto 4rem; padding: 0 1.2rem; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 .3rem; }
h2 { font-size: 1.35rem; margin: 3rem 0 .2rem; padding-top: .8rem; border-top: 2px solid #0072B2; }
h3 { font-size: 1.05rem; margin: 1.8rem 0 .3rem; }
p { margin: .4rem 0; max-width: 46rem; }
.about { color: #555; }
.simulated { display: inline-block; background: #fff3d6; color: #6b4500; border: 1px solid #e6c680;
             border-radius: 4px; padding: 0 .5rem; font-size: .85rem; }
.meta { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1rem; font-size: .85rem; color: #444;
        margin: 1rem 0; }
.meta b { font-weight: 600; } code { font: .92em ui-monospace, "DejaVu Sans Mono", monospace; }
.use { border: 1px solid #b7d3e6; background: #f3f9fd; border-radius: 6px; padding: .7rem 1rem; margin: .8rem 0; }
.use .pick { font-size: 1.1rem; font-weight: 600; }
table { border-collapse: collapse; font-size: .8rem; margin: .7rem 0; font-variant-numeric: tabular-nums; }
th, td { padding: .22rem .45rem; text-align: right; border-bottom: 1px solid #e6e6e6; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; } th { font-weight: 600; color: #444; border-bottom: 1px solid #999; }
th { vertical-align: bottom; } tr.group td { font-weight: 600; padding-top: .7rem; border-bottom-color: #999; }
ul.about { font-size: .85rem; margin: .2rem 0; } tr.ours td { background: #f0f7fc; font-weight: 600; } tr.broken td { color: #a33; }
td.good { color: #00694a; } td.bad { color: #a34300; }
td .pm { color: #777; font-weight: 400; } .wide { overflow-x: auto; }
figure { margin: 1rem 0; } figcaption { font-size: .85rem; color: #555; max-width: 46rem; }
svg { height: auto; display: block; }
nav { font-size: .9rem; margin: 1rem 0; columns: 2; } nav a { display: block; color: #0072B2; text-decoration: none; }
@media print { body { max-width: none; margin: 0; font-size: 11pt; } h2 { break-after: avoid; }
  figure, table, .use { break-inside: avoid; } nav { display: none; } .wide { overflow: visible; } }
"""


def text(value):
    return html.escape(str(value))


def number(entry, digits, percent=False):
    if entry is None:
        return "–"
    value = f'{entry["mean"]:{"+" if percent else ""}.{digits}f}'
    if entry["half_width"] is None:
        return value
    return f'{value} <span class="pm">± {entry["half_width"]:.{digits}f}</span>'


def differs(entry):
    """-1, 0 or 1: whether the interval of a difference leaves out zero, and on which side."""
    if entry is None or entry["half_width"] is None or abs(entry["mean"]) <= entry["half_width"]:
        return 0
    return 1 if entry["mean"] > 0 else -1


def title_of(group):
    return group["scenario"] + (f' at {group["load"] * 100:g} % load' if group["load"] else "")


COLUMNS = [("on time, %", "on_time_percent", 2), ("p50, ms", "latency_ms_p50", 1), ("p99, ms", "latency_ms_p99", 1),
           ("energy, mJ", "energy_mj_per_task", 1), ("× bound", "energy_over_bound", 3),
           ("× fluid bound", "energy_over_fluid_bound", 3), ("top-1, %", "accuracy_percent", 2)]


def table_row(case, row, columns):
    if row["broken"]:
        return (f'<tr class="broken"><td>{text(row["policy"])}</td><td colspan="{len(columns) + 2}">broke a promise: '
                f'{text("; ".join(row["problems"][:2]))}</td></tr>')
    same = row["policy"] == case["reference"]
    body = f'<td>{text(row["policy"])}</td>' + "".join(
        f'<td>{number(row["mean"][name], digits)}</td>' for _, name, digits in columns)
    against = ((row["difference_percent"]["energy_mj_per_task"], -1, 1, " %"),
               (row["difference"]["on_time_percent"], 1, 2, ""))
    for entry, good, digits, unit in against:
        kind = differs(entry)
        mark = "" if same or kind == 0 else ' class="good"' if kind == good else ' class="bad"'
        cell = "" if same else "–" if entry is None else number(entry, digits, True) + unit
        body += f"<td{mark}>{cell}</td>"
    return f'<tr{" class=ours" if row["policy"] == "juggler" else ""}>{body}</tr>'


def table(case, groups):
    """One table; several groups stand under headings of their own."""
    columns = [c for c in COLUMNS if not (c[1] == "energy_over_fluid_bound" and case["bound"] != "hindsight")]
    heads = ["policy"] + [c[0] for c in columns]
    reference = text(case["reference"])
    heads = "".join(f"<th>{text(name)}</th>" for name in heads)
    heads += f"<th>energy against<br>{reference}</th><th>on time against<br>it, points</th>"
    rows = []
    for group in groups:
        if len(groups) > 1:
            rows.append(f'<tr class="group"><td colspan="{len(columns) + 3}">{text(title_of(group))}</td></tr>')
        rows += [table_row(case, row, columns) for row in group["rows"]]
    problems = [f'{title_of(g)}, {r["policy"]}, {what}' for g in groups for r in g["rows"] if not r["broken"]
                for what in r["problems"]]
    notes = "".join(f"<li>{text(problem)}</li>" for problem in problems[:8])
    notes = f'<p class="about">Not as the scenario expects:</p><ul class="about">{notes}</ul>' if notes else ""
    return (f'<div class="wide"><table><thead><tr>{heads}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>'
            + notes)


def figure(svg, caption):
    return f"<figure>{svg}<figcaption>{text(caption)}</figcaption></figure>" if svg else ""


COSTS = (("energy_percent", 1, " %"), ("on_time_points", 2, ""), ("p50_ms", 1, " ms"), ("accuracy_points", 2, ""))


def use_this(results, case, group):
    """The policy to take, and what the others cost instead (choice.py)."""
    pick = choice.choose(group)
    if pick is None:
        return ""
    lines = []
    for row, costs in choice.deviations(results, case, group, pick):
        cells = [text(row["policy"])]
        cells += [number(costs[name], digits, True) + unit if costs[name] else "–" for name, digits, unit in COSTS]
        lines.append("<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>")
    mean = {name: choice.mean_of(pick, name) for name in
            ("energy_mj_per_task", "on_time_percent", "latency_ms_p50", "accuracy_percent")}
    about = (f'{mean["energy_mj_per_task"]:.1f} mJ per task, {mean["on_time_percent"]:.2f} % on time, '
             f'median {mean["latency_ms_p50"]:.1f} ms, mean top-1 {mean["accuracy_percent"]:.2f} %')
    return (f'<div class="use"><div class="pick">Use {text(pick["policy"])}: <code>{text(choice.command(pick))}</code>'
            f'</div><p>{about}. The least energy among those within half a point of the best on-time share '
            f"({choice.best_on_time(group):.2f} %).</p><table><thead><tr><th>what it costs to deviate</th>"
            "<th>energy</th><th>on time, points</th><th>p50</th><th>top-1, points</th></tr></thead><tbody>"
            + "".join(lines) + "</tbody></table></div>")


def loads_of(case):
    """Groups of the same scenario under several loads."""
    by_scenario = {}
    for group in case["groups"]:
        by_scenario.setdefault(group["scenario"], []).append(group)
    return {name: groups for name, groups in by_scenario.items() if len(groups) > 2 and groups[0]["load"]}


def section(results, case, at, look):
    parts = [f'<h2 id="case{at}">{text(case["name"])} <span class="simulated">simulated</span></h2>',
             f'<p class="about">{text(case["about"])}</p>']
    ablation = any("-no-" in r["policy"] for g in case["groups"] for r in g["rows"])
    small = all(len(g["rows"]) < choice.POLICIES_MIN and not g.get("timelines") for g in case["groups"])
    if case["bound"] != "none" and small and not ablation:
        kind = case["bound"]
        only = (" Only where at least 99 % were on time." if kind == "hindsight" else
                " The fluid bound knows no waiting and no deadlines: it lies below what is possible.")
        parts.append(figure(charts.bars(case["groups"], "energy_over_bound", f"energy over the {kind} bound", 1.0),
                            "How many times the least possible energy: nobody can be left of the line." + only))
    for name, groups in loads_of(case).items():
        parts.append(figure(charts.against_load(groups, look), f"{name}: on-time share and energy against load."))
    if ablation:
        parts.append(figure(charts.bars(case["groups"], "energy_mj_per_task", "energy, mJ per completed task"),
                            "What each part of the policy earns: without it, this much energy."))
    plain = [g for g in case["groups"] if len(g["rows"]) < choice.POLICIES_MIN and not g.get("timelines")]
    if plain:
        parts.append(table(case, plain))
    for group in (g for g in case["groups"] if g not in plain):
        parts.append(f"<h3>{text(title_of(group))}</h3>")
        if len(group["rows"]) >= choice.POLICIES_MIN:
            parts.append(use_this(results, case, group))
            parts.append(figure(charts.trade_off(group, look), "Energy, latency and accuracy: left and low is better."))
            parts.append(figure(charts.latencies(group, look), "Latency of completed tasks."))
        if group.get("timelines"):
            parts.append(figure(charts.timeline(group, look), "Second by second; shaded: the fault."))
        parts.append(table(case, [group]))
    return "\n".join(parts)


def page(results):
    meta = results["meta"]
    policies = []
    for case in results["cases"]:
        for group in case["groups"]:
            policies += [r["policy"] for r in group["rows"] if r["policy"] not in policies]
    look = charts.Look(policies)
    rows = [("command", f'<code>{text(meta["command"])}</code>'), ("Juggler", text(meta["juggler"])),
            ("date", text(meta["date"])), ("machine", text(meta["machine"])),
            ("built as", text(meta["version"].strip().replace("\n", " · "))),
            ("runs", f'{len(results["runs"])}, {meta["seeds"]} seeds each'
             + ("" if meta["complete"] else " (stopped before the end)"))]
    details = "".join(f"<b>{name}</b><span>{body}</span>" for name, body in rows)
    links = "".join(f'<a href="#case{at}">{text(case["name"])}</a>' for at, case in enumerate(results["cases"]))
    quick = ("<p><b>A quick look: short runs and few seeds. The figures are noisy.</b></p>" if meta["quick"] else "")
    sections = "\n".join(section(results, case, at, look) for at, case in enumerate(results["cases"]))
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Juggler, simulated: {text(results["evaluation"])}</title><style>{STYLE}</style></head><body>
<h1>Juggler: evaluation “{text(results["evaluation"])}”</h1>
<p><span class="simulated">simulated</span> {text(results["about"])}</p>{quick}
<div class="meta">{details}</div>
<p>The production controller, consumers and messages ran in virtual time over simulated boards, whose times and
energies are profiles with sources, not measurements of this fleet. Energy is what inference takes above idle, at
the boards’ inputs. Values are means over the seeds ± half the 95&nbsp;% confidence interval (Student’s t);
differences are paired by seed, and coloured where their interval leaves out zero. On time counts all that was
offered: what was refused or came late is a miss.</p>
<nav>{links}</nav>
{sections}
</body></html>
"""


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    with open(sys.argv[1], encoding="utf-8") as file:
        results = json.load(file)
    with open(sys.argv[2], "w", encoding="utf-8") as file:
        file.write(page(results))


if __name__ == "__main__":
    main()
