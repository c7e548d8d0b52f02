#!/usr/bin/env python3
"""The style check must be able to fail: one planted violation for each rule, and clean code."""

import pathlib
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import check_style  # noqa: E402


def complaints(files):
    """What the checker says of a project that consists of these files."""
    with tempfile.TemporaryDirectory() as root:
        for path, text in files.items():
            file = pathlib.Path(root) / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        checker = check_style.Checker(root)
        checker.run()
        return checker.complaints


class PlantedViolations(unittest.TestCase):
    def expect(self, path, text, what, instead):
        found = complaints({path: text})
        self.assertEqual(len(found), 1, found)
        self.assertIn(what, found[0])
        self.assertIn(instead, found[0])

    def expect_clean(self, path, text):
        self.assertEqual(complaints({path: text}), [])

    def test_clean_code_passes(self):
        self.expect_clean("src/core/a.h", "#pragma once\n#include <vector>\n#include \"core/b.h\"\n")
        self.expect_clean("src/apps/a.cc", '#include "amqp/session.h"\n#include <thread>\n')

    def test_upper_layer(self):
        self.expect("src/core/a.cc", '#include "wire/messages.h"\n', "src/core includes src/wire",
                    "turn the dependency round")
        self.expect("src/wire/a.cc", '#include "runtime/clock.h"\n', "src/wire includes src/runtime",
                    "turn the dependency round")
        self.expect("src/runtime/a.cc", '#include "amqp/session.h"\n',
                    "src/runtime includes src/amqp", "port of src/runtime")
        self.expect("src/inference/a.cc", '#include "amqp/session.h"\n',
                    "src/inference includes src/amqp", "port of src/runtime")

    def test_two_types_of_one_name(self):
        def header(name, space, kind="struct"):
            return (f"#pragma once\nnamespace {space} {{\nvoid f() {{\n}}\n{kind} {name} {{\n}};\n"
                    f"}}  // namespace {space}\n")

        found = complaints({"src/apps/a.h": header("Member", "juggler"),
                            "src/core/b.h": header("Member", "juggler", "class")})
        self.assertEqual(len(found), 1, found)
        self.assertIn("juggler::Member is defined in src/apps/a.h too", found[0])
        own = ("namespace juggler {\nnamespace {\nvoid f() {\n}\nstruct Own {\n};\n"
               "}  // namespace\n}  // namespace juggler\n")
        self.assertEqual(complaints({"src/apps/a.cc": own, "src/apps/b.cc": own,
                                     "src/sim/c.h": header("Link", "juggler::sim"),
                                     "src/core/c.h": header("Link", "juggler")}), [])

    def test_banned_includes_of_core(self):
        for header in ("thread", "mutex", "atomic", "random", "iostream", "fstream", "chrono"):
            self.expect("src/core/a.cc", f"#include <{header}>\n", f"<{header}> in src/core",
                        check_style.CORE_INCLUDES[header])
            self.expect_clean("src/runtime/a.cc", f"#include <{header}>\n")

    def test_banned_words_of_core(self):
        self.expect("src/core/a.cc", "auto t = steady_clock::now();\n", "`::now(`", "Time now")
        self.expect("src/core/a.cc", 'auto t = std::getenv("HOME");\n', "`getenv`", "config struct")
        self.expect("src/core/a.cc", "int i = rand();\n", "`rand(`", "Rng&")
        self.expect_clean("src/core/a.cc", "// never rand() or ::now()\nint operand(int);\n")
        self.expect_clean("src/core/a.cc", 'const char* text = "rand()";\n')

    def test_iterated_unordered_container(self):
        declared = "std::unordered_map<int, std::vector<int>> open_;\n"
        self.expect("src/core/a.cc", declared + "for (const auto& [k, v] : open_) {}\n",
                    "unordered container open_", "std::map")
        self.expect("src/core/a.cc", declared + "auto at = this->open_.begin();\n",
                    "unordered container open_", "sorted vector")
        self.expect_clean("src/core/a.cc", declared + "auto at = open_.find(3);\n")
        found = complaints({
            "src/core/a.h": "#pragma once\n" + declared,
            "src/core/a.cc": "for (const auto& one : other.open_) {}\n"})
        self.assertEqual(len(found), 1, found)

    def test_libraries(self):
        self.expect("src/apps/a.cc", "#include <amqp.h>\n", "includes amqp.h", "Transport port")
        self.expect("tests/unit/a.cc", "#include <rabbitmq-c/amqp.h>\n", "amqp.h", "Transport port")
        self.expect_clean("src/amqp/a.cc", "#include <amqp.h>\n")
        self.expect("src/apps/a.cc", "#include <onnxruntime_cxx_api.h>\n", "onnxruntime",
                    "InferenceEngine")
        self.expect_clean("src/inference/onnx_session.cc", "#include <onnxruntime_cxx_api.h>\n")

    def test_long_line(self):
        self.expect_clean("src/core/a.cc", "//" + "x" * 98 + "\n")
        self.expect("src/core/a.cc", "//" + "x" * 99 + "\n", "101 columns", "break the line")

    def test_header_without_pragma_once(self):
        self.expect("src/core/a.h", "#ifndef A\n#define A\n#endif\n", "no `#pragma once`",
                    "first line")

    def test_using_namespace(self):
        self.expect("tests/unit/a.cc", "using namespace std;\n", "`using namespace`", "name what")
        self.expect_clean("tests/unit/a.cc", "// using namespace std;\n")
        self.expect_clean("src/apps/a.cc", "using namespace juggler;"
                          "  // NOLINT(google-build-using-namespace): in main\n")

    def test_wrong_root_is_an_error(self):
        with tempfile.TemporaryDirectory() as root:
            sys.argv = ["check_style.py", root]
            self.assertEqual(check_style.main(), 2)


if __name__ == "__main__":
    unittest.main()
