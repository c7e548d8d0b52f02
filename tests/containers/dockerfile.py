"""Reads a Dockerfile: its instructions with build arguments filled in. No more of the language than ours use."""

import pathlib
import re


class Instruction:
    def __init__(self, line, word, rest):
        self.line, self.word, self.rest = line, word, rest

    def words(self):
        """The exec form, ["a", "b"]; None where it is a shell's line."""
        text = self.rest.strip()
        if not (text.startswith("[") and text.endswith("]")):
            return None
        return re.findall(r'"((?:[^"\\]|\\.)*)"', text)


def read(path):
    """Instructions with continued lines joined and comments left out."""
    instructions, pending, start = [], "", 0
    for number, line in enumerate(pathlib.Path(path).read_text(encoding="utf-8").splitlines(), 1):
        if line.lstrip().startswith("#") or (not line.strip() and not pending):
            continue
        start = start if pending else number
        pending += line.rstrip().removesuffix("\\") + (" " if line.rstrip().endswith("\\") else "")
        if line.rstrip().endswith("\\"):
            continue
        word, _, rest = pending.strip().partition(" ")
        instructions.append(Instruction(start, word, rest.strip()))
        pending = ""
    return instructions


def filled(text, values):
    """$NAME and ${NAME} of build arguments and ENV; a shell's own variables are left alone."""
    def value(match):
        return values.get(match.group(1) or match.group(2), match.group(0))

    return re.sub(r"\$(?:\{(\w+)\}|(\w+))", value, text)
