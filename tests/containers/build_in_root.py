#!/usr/bin/env python3
"""Builds an image without a container engine: each COPY and RUN in a root of the same distribution, then
the entry point as the image's user.

    build_in_root.py DOCKERFILE ROOT [NAME=VALUE...]     NAME=VALUE: build arguments

ROOT is a clean root that tests/packaging/root.sh has opened (containers_test.sh does). As root.
"""

import glob
import json
import os
import pathlib
import shlex
import shutil
import subprocess
import sys

import dockerfile

LIBRARY = pathlib.Path(__file__).resolve().parents[1] / "packaging" / "root.sh"


class Image:
    def __init__(self, root, arguments):
        self.root = pathlib.Path(root)
        self.given = arguments
        self.values = {}  # of ARG and ENV, as far as the build has come
        self.environment = {}
        self.user, self.entry, self.command = "root", [], []

    def run(self, words, user="root"):
        """A command inside, with the environment of the image."""
        if user != "root":
            words = ["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups", *words]
        values = {**self.values, **self.environment}
        passed = " ".join(f"{name}={shlex.quote(value)}" for name, value in values.items())
        script = f"source {shlex.quote(str(LIBRARY))}; in_root \"$@\""
        return subprocess.run(["bash", "-c", script, "-", str(self.root), *words], check=False, text=True,
                              capture_output=True, env={**os.environ, "PASS": passed})

    def apply(self, one):
        text = dockerfile.filled(one.rest, self.values) if one.word in ("COPY", "FROM") else one.rest
        handler = getattr(self, f"on_{one.word.lower()}")
        handler(one, text)

    def on_from(self, _one, text):
        print(f"[containers]   from {text}: {(self.root / 'etc/debian_version').read_text().strip()} here")

    def on_arg(self, _one, text):
        name, _, default = text.partition("=")
        self.values[name] = self.given.get(name, default)

    def on_env(self, _one, text):
        self.environment.update(word.split("=", 1) for word in shlex.split(text))

    def on_copy(self, one, text):
        *sources, target = shlex.split(text)
        folder = self.root / target.lstrip("/")
        folder.mkdir(parents=True, exist_ok=True)
        for pattern in sources:
            files = glob.glob(pattern)
            if not files:
                raise SystemExit(f"line {one.line}: nothing is called {pattern}")
            for file in files:
                shutil.copy(file, folder)

    def on_run(self, one, text):
        done = self.run(["sh", "-c", text])
        if done.returncode != 0:
            raise SystemExit(f"line {one.line}: RUN ended with {done.returncode}\n{(done.stdout + done.stderr)[-3000:]}")
        print(f"[containers]   line {one.line}: RUN done")

    def on_user(self, _one, text):
        self.user = text

    def on_volume(self, one, _text):
        for folder in one.words():
            if not (self.root / folder.lstrip("/")).is_dir():
                raise SystemExit(f"line {one.line}: {folder} is not made: it would be root's, not the user's")

    def on_entrypoint(self, one, _text):
        self.entry = one.words()

    def on_cmd(self, one, _text):
        self.command = one.words()

    def must_stop_at(self, word, more):
        """Its command, as it is, must come as far as what is mounted at run time and say that it is missing."""
        done = self.run([*self.entry, *self.command, *more], self.user)
        said = (done.stdout + done.stderr).strip()
        if done.returncode == 0 or word not in said:
            raise SystemExit(f"without what is mounted it ended with {done.returncode}, and said:\n{said[-2000:]}")
        print(f"[containers]   its command, as {self.user}: {said.splitlines()[-1][:110]}")


def check_program(image):
    """The entry point is a program of ours: its version, then its own command without what is mounted."""
    done = image.run([*image.entry, "--version"], image.user)
    if done.returncode != 0:
        raise SystemExit(f"{image.entry} --version: {done.returncode}\n{done.stdout}{done.stderr}")
    print(f"[containers]   entry point, as {image.user}: {done.stdout.splitlines()[0]}")
    name = ["--id", "board"] if image.entry[0].endswith("juggler-consumer") else []  # else of consumer.toml
    # A consumer has no login before it has joined, and says how to get one; the others' is a file that is mounted.
    image.must_stop_at("no broker was named" if name else "/run/secrets/broker", name)
    library = image.environment.get("ORT_LIBRARY")
    if library:
        loads = image.run(["python3", "-c", f"import ctypes; ctypes.CDLL('{library}').OrtGetApiBase"], image.user)
        if loads.returncode != 0:
            raise SystemExit(f"{library} cannot be loaded: {loads.stderr}")
        print(f"[containers]   {library} can be loaded")


def findings(image, *arguments):
    done = image.run(["juggler", "doctor", "--json", *arguments], image.user)
    return {one["what"]: one for one in json.loads(done.stdout)["findings"]}


def check_what_is_hidden(image):
    """A container hides the device tree: the doctor says which mount shows it, and with it finds the board."""
    (image.root / ".dockerenv").touch()
    (image.root / "sys/firmware").mkdir(parents=True, exist_ok=True)
    masked = findings(image)["board"]
    if "/sys:/host/sys" not in masked["remedy"]:
        raise SystemExit(f"where the device tree is hidden the doctor does not say what to mount: {masked}")
    print(f"[containers]   with /sys/firmware hidden: {masked['found'][:60]}; {masked['remedy'][:80]}")
    unpack_tree("tests/fixtures/orin-nano-jp6.tree", image.root / "host")
    found = findings(image, "--host-root", "/host")["board"]
    if "Orin Nano" not in found["found"]:
        raise SystemExit(f"below /host the board is not found: {found}")
    print(f"[containers]   with the mounts of docs/containers.md: {found['found'][:90]}")
    # Since 24.0.7 Docker hides powercap too: a PC's meter is found below /host alone.
    unpack_tree("tests/fixtures/x86-rapl.tree", image.root / "pc")
    seen = {root: findings(image, *more)["power meter"]["found"] for root, more in
            (("hidden", ()), ("mounted", ("--host-root", "/pc")))}
    if "rapl" in seen["hidden"] or "rapl" not in seen["mounted"]:
        raise SystemExit(f"powercap, hidden and mounted: {seen}")
    print(f"[containers]   powercap hidden: {seen['hidden'][:50]}; mounted: {seen['mounted'][:50]}")


def unpack_tree(tree, folder):
    """`path = text` and `path -> target` (tests/support/host_tree.h)."""
    for line in pathlib.Path(tree).read_text(encoding="utf-8").splitlines():
        path, mark, text = line.partition(" = ")
        if mark and not line.startswith("#"):
            file = folder / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(text.encode().decode("unicode_escape").encode("latin-1"))


def main(words):
    if len(words) < 2:
        print(__doc__, file=sys.stderr)
        return 2
    image = Image(words[1], dict(word.split("=", 1) for word in words[2:]))
    print(f"[containers] {words[0]}")
    for one in dockerfile.read(words[0]):
        image.apply(one)
    if not image.entry[0].startswith("/usr/bin/juggler"):
        image.must_stop_at("No such file or directory", [])  # of the socket, which the consumer makes
    else:
        check_program(image)
    if image.entry == ["/usr/bin/juggler"]:
        check_what_is_hidden(image)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
