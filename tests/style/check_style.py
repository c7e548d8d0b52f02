#!/usr/bin/env python3
"""Checks the rules of this project that no compiler checks. Each ban prints its replacement.

usage: check_style.py ROOT
"""

import pathlib
import re
import sys

COLUMNS_MAX = 100

# What each folder of src/ may include, besides itself: the layers of the design, lower ones first.
LAYERS = {
    "core": [],
    "wire": ["core"],
    "runtime": ["core", "wire"],
    "files": ["core"],
    "faults": ["core"],
    "amqp": ["core", "wire", "runtime", "files"],
    "inference": ["core", "wire", "runtime", "files"],
    "telemetry": ["core", "wire", "runtime", "files"],
    "bounds": ["core"],
    "sim": ["core", "wire", "runtime", "files"],
    "evaluation": ["core", "wire", "runtime", "files", "sim", "bounds"],
    "http": ["core", "wire", "runtime", "files"],
    "apps": ["core", "wire", "runtime", "files", "faults", "amqp", "inference", "telemetry", "sim",
             "bounds", "evaluation", "http"],
}

CORE_INCLUDES = {
    "thread": "core has no threads: send an event to the state machine",
    "mutex": "core has no threads: nothing there needs a lock",
    "atomic": "core has no threads: nothing there is shared",
    "random": "its distributions differ between compilers: use core/rng.h",
    "iostream": "core does no I/O: return an action",
    "fstream": "core does no I/O: return an action",
    "chrono": "core reads no clock: time is an argument, of the types in core/units.h",
}

CORE_WORDS = [
    (re.compile(r"::now\s*\("), "`::now(`", "core reads no clock: take `Time now` as an argument"),
    (re.compile(r"\bgetenv\b"), "`getenv`", "core has no environment: put it into a config struct"),
    (re.compile(r"\brand\s*\("), "`rand(`", "not the same everywhere: take an `Rng&` (core/rng.h)"),
]

# Headers of a library and the files that may include them. The benchmarks compare with the bare
# libraries, and the tests of the real broker look at it past our own code.
LIBRARIES = [
    (re.compile(r"^(rabbitmq-c/)?amqp(_\w+)?\.h$"), re.compile(r"^src/amqp/|^bench/|^tests/integration/"),
     "only src/amqp knows the broker's library: use the Transport port (runtime/transport.h)"),
    (re.compile(r"onnxruntime"), re.compile(r"^src/inference/onnx_|^bench/|^tests/unit/inference_"),
     "only src/inference/onnx_* knows ONNX Runtime: use InferenceEngine (runtime/engine.h)"),
    (re.compile(r"^microhttpd\.h$"), re.compile(r"^src/http/library\.h$"),
     "only src/http/library.h knows the HTTP library: use Server (http/server.h)"),
    (re.compile(r"^(coin/)?(Clp|Cbc|Coin|Osi|Cgl)\w+\.h(pp)?$"), re.compile(r"^src/bounds/linear\.cc$"),
     "only src/bounds/linear.cc knows the solver: use LinearProgram (bounds/linear.h)"),
]

INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]')
UNORDERED = re.compile(r"\bunordered_(?:multi)?(?:map|set)\s*<")
UNORDERED_NAME = re.compile(r"[>&*\s]+(\w+)\s*(?:GUARDED_BY\([^)]*\)\s*)?(?:;|=|\{|,|\)|:|$)")


def without_comments(text):
    """The text with comments and the insides of strings blanked, line by line as before."""
    pattern = re.compile(r'//[^\n]*|/\*.*?\*/|R"\((?:.*?)\)"|"(?:\\.|[^"\\\n])*"|'
                         r"'(?:\\.|[^'\\\n])+'", re.DOTALL)

    def blank(match):
        found = match.group(0)
        if found.startswith("/"):
            return re.sub(r"[^\n]", " ", found)
        return '""' + "\n" * found.count("\n")

    return pattern.sub(blank, text)


def unordered_names(code):
    """The variables and members that are unordered containers."""
    names = set()
    for match in UNORDERED.finditer(code):
        depth, at = 1, match.end()
        while at < len(code) and depth > 0:
            depth += {"<": 1, ">": -1}.get(code[at], 0)
            at += 1
        declared = UNORDERED_NAME.match(code[at - 1:at + 80])
        if declared:
            names.add(declared.group(1))
    return names


def types_outside_functions(text):
    """(qualified name, line) of each type that is defined at the level of a named namespace."""
    spaces = []
    for number, line in enumerate(text.splitlines(), 1):
        opened = re.match(r"namespace(?: ([\w:]+))? \{", line)
        if opened:
            spaces.append(opened.group(1))
        elif line.startswith("}  // namespace") and spaces:
            spaces.pop()
        defined = re.match(r"(?:struct|class) (?:[A-Z_]+\([^)]*\) )?(\w+)(?: final)?(?: :[^:;]*)?\s*\{",
                           line)
        if defined and None not in spaces:
            yield "::".join(spaces + [defined.group(1)]), number


class Checker:
    def __init__(self, root):
        self.root = pathlib.Path(root)
        self.complaints = []
        self.types = {}

    def complain(self, path, line, what, instead):
        self.complaints.append(f"{path}:{line}: {what}; {instead}")

    def run(self):
        files = []
        for folder in ("src", "tests", "bench"):
            files += sorted((self.root / folder).rglob("*.h")) + sorted(
                (self.root / folder).rglob("*.cc"))
        unordered = {}
        for file in files:
            path = file.relative_to(self.root).as_posix()
            if path.startswith("src/core/"):
                code = without_comments(file.read_text(encoding="utf-8", errors="replace"))
                unordered.setdefault("core", set()).update(unordered_names(code))
        for file in files:
            path = file.relative_to(self.root).as_posix()
            text = file.read_text(encoding="utf-8", errors="replace")
            self.check_file(path, text, unordered.get("core", set()))
        return len(files)

    def check_file(self, path, text, core_unordered):
        lines = text.splitlines()
        code = without_comments(text)
        for number, line in enumerate(lines, 1):
            if len(line) > COLUMNS_MAX:
                self.complain(path, number, f"{len(line)} columns",
                              f"break the line: at most {COLUMNS_MAX}")
            include = INCLUDE.match(line)
            if include:
                self.check_include(path, number, include.group(1))
        if path.startswith("src/"):
            for name, number in types_outside_functions(text):
                first = self.types.setdefault(name, path)
                if first != path:
                    self.complain(path, number, f"{name} is defined in {first} too",
                                  "two types of one name in one program are undefined behaviour, "
                                  "and nobody warns: rename one")
        if path.endswith(".h") and "#pragma once" not in lines[:3]:
            self.complain(path, 1, "no `#pragma once`", "make it the first line of the header")
        for number, line in enumerate(code.splitlines(), 1):
            allowed = "NOLINT(google-build-using-namespace)" in lines[number - 1]
            if re.search(r"\busing\s+namespace\b", line) and not allowed:
                self.complain(path, number, "`using namespace`",
                              "name what is used: `using test::device;`")
            if path.startswith("src/core/"):
                self.check_core_line(path, number, line, core_unordered)

    def check_include(self, path, number, header):
        parts = path.split("/")
        if parts[0] == "src":
            layer, wanted = parts[1], header.split("/")[0]
            allowed = LAYERS.get(layer, []) + [layer]
            if "/" in header and wanted in LAYERS and wanted not in allowed:
                self.complain(path, number, f"src/{layer} includes src/{wanted} ({header})",
                              "an upper layer: turn the dependency round, with an event, an action "
                              "or a port of src/runtime")
            if layer == "core" and header in CORE_INCLUDES:
                self.complain(path, number, f"<{header}> in src/core", CORE_INCLUDES[header])
        for library, where, instead in LIBRARIES:
            if library.search(header) and not where.search(path):
                self.complain(path, number, f"includes {header}", instead)

    def check_core_line(self, path, number, line, core_unordered):
        for pattern, what, instead in CORE_WORDS:
            if pattern.search(line):
                self.complain(path, number, f"{what} in src/core", instead)
        loop = re.search(r"\bfor\s*\([^;]*:\s*(?:\w+(?:\.|->))*(\w+)\s*\)", line)
        begin = re.search(r"\b(\w+)\s*(?:\.|->)\s*c?begin\s*\(", line)
        for match in (loop, begin):
            if match and match.group(1) in core_unordered:
                self.complain(path, number, f"iterates the unordered container {match.group(1)}",
                              "its order differs between machines: use std::map or a sorted vector")


def main():
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    checker = Checker(sys.argv[1])
    count = checker.run()
    for complaint in checker.complaints:
        print(complaint)
    print(f"{count} files, {len(checker.complaints)} complaints")
    if count == 0:
        print(f"no file under {sys.argv[1]}: is it the root of the project?")
        return 2
    return 1 if checker.complaints else 0


if __name__ == "__main__":
    sys.exit(main())
