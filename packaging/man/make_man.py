#!/usr/bin/env python3
"""Writes the man pages juggler(1) and juggler-consumer(1).

    make_man.py HELP_FOLDER OUT_FOLDER VERSION

What the programs say of themselves, `--help` as the golden tests hold it (HELP_FOLDER has a help*.txt
for each command), is the body of a page; so a page needs no program to run, which matters when arm64
packages are made elsewhere, and it cannot fall behind. What help does not say (files, environment) is
in the `.tail` beside this script.
"""

import os
import pathlib
import re
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
PROGRAMS = {
    "juggler": ("help", "schedule machine-learning inference on a fleet of unlike edge devices"),
    "juggler-consumer": ("help-consumer", "serve inference on an edge device for a Juggler controller"),
}
SECTIONS = ("Positionals", "Options", "Subcommands", "Examples")
# Debian's tools set it, so that two builds of a version are equal.
DATE = time.strftime("%Y-%m-%d", time.gmtime(int(os.environ.get("SOURCE_DATE_EPOCH", time.time()))))
COLUMN = 30  # where CLI11 begins the descriptions


class Help:
    """The text of one `--help`, taken apart."""

    def __init__(self, text):
        self.about, self.after = [], []
        self.usage = ""
        self.entries = {section: [] for section in SECTIONS}
        section = None
        for line in text.splitlines():
            if line.startswith("Usage: "):
                self.usage = line.removeprefix("Usage: ")
            elif line.rstrip(":") in SECTIONS:
                section = line.rstrip(":")
            elif not line.strip():
                continue
            elif line.startswith("  "):
                self._entry(section, line)
            else:
                (self.after if self.usage else self.about).append(line)

    def _entry(self, section, line):
        entries = self.entries[section]
        if section == "Examples":
            entries.append((line.strip(), ""))
        elif line.startswith(" " * COLUMN) and entries:
            name, about = entries[-1]
            entries[-1] = (name, f"{about} {line.strip()}".strip())
        else:
            parts = re.split(r"\s{2,}", line.strip(), maxsplit=1)
            if len(parts) == 1 and line[COLUMN - 1:COLUMN] == " ":  # the name fills its column
                parts = [line[:COLUMN].strip(), line[COLUMN:].strip()]
            entries.append((parts[0], parts[1] if len(parts) > 1 else ""))


def roff(text):
    """Text as roff takes it: dashes that can be copied, no control at the beginning of a line."""
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq").replace("`", "\\(ga")
    return re.sub(r"^\.", "\\\\&.", text)


def tagged(entries):
    lines = []
    for name, about in entries:
        lines += [".TP", f".B {roff(name)}", roff(about)]
    return lines


def examples(entries):
    return [".EX", *(roff(name) for name, _ in entries), ".EE"] if entries else []


def command_part(program, name, text):
    """A subsection: one command with its positionals, options, examples and exit status."""
    part = Help(text)
    lines = [f".SS {program} {roff(name)}", roff(" ".join(part.about)), ".PP", f".B {roff(part.usage)}"]
    options = [entry for entry in part.entries["Options"] if not entry[0].startswith("-h,")]
    lines += tagged(part.entries["Positionals"]) + tagged(options)
    if part.entries["Examples"]:
        lines += [".PP", "Examples:", ".PP", *examples(part.entries["Examples"])]
    if part.after:
        lines += [".PP", roff(" ".join(part.after))]
    return lines


def page(program, folder, version):
    stem, purpose = PROGRAMS[program]
    main = Help((folder / f"{stem}.txt").read_text(encoding="utf-8"))
    lines = [f'.TH {program.upper()} 1 {DATE} "juggler {version}" "User commands"', ".SH NAME",
             f"{roff(program)} \\- {roff(purpose)}", ".SH SYNOPSIS", f".B {roff(main.usage)}",
             ".SH DESCRIPTION", roff(" ".join(main.about)), ".SH OPTIONS", *tagged(main.entries["Options"])]
    lines.append(".SH COMMANDS")
    for name, _ in main.entries["Subcommands"]:
        text = (folder / f"{stem}-{name}.txt").read_text(encoding="utf-8")
        lines += command_part(program, name, text)
        for below, _ in Help(text).entries["Subcommands"]:
            file = folder / f"{stem}-{name}_{below}.txt"
            lines += command_part(program, f"{name} {below}", file.read_text(encoding="utf-8"))
    lines += [".SH EXAMPLES", *examples(main.entries["Examples"])]
    lines += (HERE / f"{program}.tail").read_text(encoding="utf-8").splitlines()
    return "\n".join(line for line in lines if line.strip()) + "\n"


def main(words):
    if len(words) != 3:
        print(__doc__, file=sys.stderr)
        return 2
    folder, out, version = pathlib.Path(words[0]), pathlib.Path(words[1]), words[2]
    out.mkdir(parents=True, exist_ok=True)
    for program in PROGRAMS:
        (out / f"{program}.1").write_text(page(program, folder, version), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
