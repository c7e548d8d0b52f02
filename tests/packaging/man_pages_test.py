"""The man pages: every command and every flag of the golden help texts is named; mandoc has no complaint.

    man_pages_test.py SOURCE_FOLDER
"""

import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

SOURCE = pathlib.Path()


class ManPages(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.help = SOURCE / "tests/golden/expected"
        cls.folder = tempfile.TemporaryDirectory()
        cls.out = pathlib.Path(cls.folder.name)
        subprocess.run([sys.executable, SOURCE / "packaging/man/make_man.py", cls.help, cls.out, "1.2.3"],
                       check=True)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def page(self, program):
        return (self.out / f"{program}.1").read_text(encoding="utf-8")

    def commands(self, stem):
        text = (self.help / f"{stem}.txt").read_text(encoding="utf-8")
        listed = text.split("Subcommands:\n", 1)[1].split("\n\n", 1)[0]
        return [line.split()[0] for line in listed.splitlines()]

    def test_every_command_has_its_part(self):
        for program, stem in (("juggler", "help"), ("juggler-consumer", "help-consumer")):
            names = self.commands(stem)
            self.assertGreater(len(names), 0)
            for name in names:
                escaped = name.replace("-", "\\-")
                self.assertTrue(f".SS {program} {escaped}\n" in self.page(program), name)

    def test_every_flag_is_named_in_the_part_of_its_command(self):
        seen = 0
        for file in sorted(self.help.glob("help*.txt")):
            consumer = file.stem.startswith("help-consumer")
            program = "juggler-consumer" if consumer else "juggler"
            command = file.stem.removeprefix("help-consumer" if consumer else "help").strip("-").replace("_", " ")
            page = self.page(program)
            part = page
            if command:
                escaped = command.replace("-", "\\-")
                part = page.split(f".SS {program} {escaped}\n", 1)[1].split("\n.S", 1)[0]
            for flag in re.findall(r"^  (?:-\w,)?(--[a-z-]+)", file.read_text(encoding="utf-8"), re.MULTILINE):
                if flag != "--help":
                    seen += 1
                    self.assertTrue(flag.replace("-", "\\-") in part, f"{file.name}: {flag}")
        self.assertGreater(seen, 50)

    def test_a_name_and_its_text_are_kept_apart(self):
        # Longer than its column: the text comes in the next line; exactly as long: after one space.
        self.assertRegex(self.page("juggler-consumer"), r"\n\.B \\-\\-engine TEXT:\{[a-z,]+\}=onnx\n[A-Z]")
        self.assertRegex(self.page("juggler"), r"\n\.B \\-\\-seeds N:INT in \[1 \\- 1000\]\n[A-Z]")

    @unittest.skipUnless(shutil.which("mandoc"), "mandoc is not installed")
    def test_mandoc_has_no_complaint(self):
        for program in ("juggler", "juggler-consumer"):
            done = subprocess.run(["mandoc", "-Tlint", "-Wwarning", self.out / f"{program}.1"],
                                  capture_output=True, text=True, check=False)
            self.assertEqual(done.stdout + done.stderr, "")


if __name__ == "__main__":
    SOURCE = pathlib.Path(sys.argv.pop())
    unittest.main()
