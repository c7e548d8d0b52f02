#!/usr/bin/env python3
"""Rules for the project's Dockerfiles and compose file, and the proof that each rule can fail.

    lint.py SOURCE_FOLDER
"""

import pathlib
import re
import sys
import tempfile
import unittest

import yaml

import dockerfile

SOURCE = pathlib.Path()
KNOWN = {"FROM", "ARG", "ENV", "COPY", "RUN", "USER", "VOLUME", "WORKDIR", "ENTRYPOINT", "CMD", "EXPOSE", "HEALTHCHECK"}


def faults_of(path):
    found = []
    instructions = dockerfile.read(path)
    words = [one.word for one in instructions]
    for one in instructions:
        if one.word not in KNOWN:
            found.append(f"{one.line}: {one.word} is not used here")
        if one.word == "FROM" and not one.rest.startswith("${BASE}"):
            found.append(f"{one.line}: the base is an argument, so that users can name their own")
        if one.word == "ARG" and one.rest.startswith("BASE=") and not re.search(r":[\w.-]+$", one.rest):
            found.append(f"{one.line}: the base has no tag")
        if one.word == "ARG" and one.rest.startswith("TARGETARCH="):
            found.append(f"{one.line}: a default of TARGETARCH stands before what the builder says")
        if one.word in ("ENTRYPOINT", "CMD") and one.words() is None:
            found.append(f"{one.line}: {one.word} goes through a shell, which gets the signals")
        if one.word == "RUN" and "apt-get" in one.rest:
            for part, why in (("apt-get update", "in the same layer, else an old list is used"),
                              ("--no-install-recommends", "small images"),
                              ("rm -rf ", "the lists stay in the layer")):
                if part not in one.rest:
                    found.append(f"{one.line}: no `{part.strip()}`: {why}")
        if one.word in ("ENV", "ARG") and re.search(r"PASS|SECRET|TOKEN|amqps?://", one.rest):
            found.append(f"{one.line}: a secret would be in the image")
    if "ENTRYPOINT" not in words:
        found.append("no ENTRYPOINT")
    users = [one.rest for one in instructions if one.word == "USER"]
    if not users or users[-1] in ("root", "0"):
        found.append("it runs as root")
    return found


def compose_faults(text, commands):
    """Of a compose file: what it names and does not have, what is laxer than the run lines of the page."""
    compose = yaml.safe_load(text)
    found = []
    for name, service in compose["services"].items():
        for kind in ("secrets", "configs"):
            for one in service.get(kind, []):
                source = one if isinstance(one, str) else one["source"]
                if source not in compose.get(kind, {}):
                    found.append(f"{name}: no {source} under {kind}")
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            if not source.startswith((".", "/")) and source not in compose.get("volumes", {}):
                found.append(f"{name}: no {source} under volumes")
        for other in service.get("depends_on", {}):
            if "healthcheck" not in compose["services"].get(other, {}):
                found.append(f"{name}: waits for {other}, which says nothing of its health")
        if re.search(r"PASS|TOKEN|amqps?://[^ ]*:[^ ]*@", str(service.get("environment", "")) + str(service.get("command", ""))):
            found.append(f"{name}: a secret in its environment or command")
        if service["image"] == "juggler":
            if not (service.get("read_only") and service.get("cap_drop") == ["ALL"]
                    and "no-new-privileges:true" in service.get("security_opt", [])):
                found.append(f"{name}: may do more than it needs")
            if service.get("command", ["controller"])[0] not in commands:
                found.append(f"{name}: {service['command'][0]} is no command of juggler")
    return found


class Compose(unittest.TestCase):
    def setUp(self):
        self.text = (SOURCE / "containers/compose.yaml").read_text(encoding="utf-8")
        expected = SOURCE / "tests/golden/expected"
        self.commands = {file.stem.removeprefix("help-") for file in expected.glob("help-*.txt")}

    def test_ours_is_whole(self):
        self.assertEqual(compose_faults(self.text, self.commands), [])

    def test_each_rule_can_fail(self):
        for before, after in (("        target: broker\n    volumes:", "        target: broker\n      - nobody\n    volumes:"),
                              ("source: rabbitmq", "source: other"), ("- models:/var", "- nowhere:/var"),
                              ("healthcheck:", "x-healthcheck:"), ('["keeper"', '["no-such"'),
                              ('"--broker-file", "/run/secrets/broker"]', '"--broker", "amqp://a:b@broker"]'),
                              ('cap_drop: ["ALL"]', "cap_drop: []")):
            self.assertIn(before, self.text)
            self.assertNotEqual(compose_faults(self.text.replace(before, after, 1), self.commands), [], before)


class Dockerfiles(unittest.TestCase):
    def test_ours_follow_the_rules(self):
        files = sorted(SOURCE.glob("containers/*/Dockerfile"))
        self.assertGreaterEqual(len(files), 3)
        for file in files:
            self.assertEqual(faults_of(file), [], file)

    def test_each_rule_can_fail(self):
        good = ('ARG BASE=debian:trixie-slim\nFROM ${BASE}\nRUN apt-get update \\\n'
                ' && apt-get install -y --no-install-recommends x && rm -rf /var/lib/apt/lists/*\n'
                'USER juggler\nENTRYPOINT ["/usr/bin/x"]\n')
        broken = {
            "tag": good.replace(":trixie-slim", ""), "argument": good.replace("${BASE}", "debian:12"),
            "root": good.replace("USER juggler\n", ""), "shell": good.replace('["/usr/bin/x"]', "/usr/bin/x"),
            "update": good.replace("apt-get update", "true"), "lists": good.replace("rm -rf /var/lib/apt/lists/*", "true"),
            "recommends": good.replace("--no-install-recommends", ""), "ADD": good + "ADD a b\n",
            "secret": good + "ENV BROKER_PASSWORD=x\n", "ENTRYPOINT": good.replace("ENTRYPOINT", "CMD"),
            "TARGETARCH": good.replace("FROM", "ARG TARGETARCH=amd64\nFROM"),
        }
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "Dockerfile"
            path.write_text(good, encoding="utf-8")
            self.assertEqual(faults_of(path), [])
            for rule, text in broken.items():
                path.write_text(text, encoding="utf-8")
                self.assertEqual(len(faults_of(path)), 1, rule)


if __name__ == "__main__":
    SOURCE = pathlib.Path(sys.argv.pop())
    unittest.main()
