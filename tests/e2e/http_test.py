#!/usr/bin/env python3
"""The HTTP interface before a real fleet: what a client is answered, what is refused and when, and what
happens to tasks when the server is killed.

  http_test.py BUILD_DIR MODELS_DIR PHOTOS_DIR
"""

import base64
import concurrent.futures
import http.client
import json
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import time
import unittest

from fleet import Fleet

BUILD, MODELS, PHOTOS = (os.path.abspath(place) for place in sys.argv[1:4])
JUGGLER = os.path.join(BUILD, "juggler")
VARIANT = "efficientnet_lite0-int8"


class Server:
    """`juggler serve` of its own, beside that of `juggler up`."""

    def __init__(self, fleet, *arguments):
        self.process = subprocess.Popen(
            [JUGGLER, "serve", "--json", "--home", fleet.home, *arguments], env=fleet.environment,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        started = json.loads(self.process.stdout.readline())
        assert started["event"] == "started", started
        self.port = int(started["http"].rsplit(":", 1)[1])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        self.said = self.process.communicate(timeout=30)[1]


def ask(port, method, path, body=None, headers=None, timeout=60):
    """(status, headers, body) of one request."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request(method, path, body=body, headers=headers or {})
        reply = connection.getresponse()
        return reply.status, reply.headers, reply.read()
    finally:
        connection.close()


def ask_json(port, method, path, body=None, headers=None):
    status, _headers, text = ask(port, method, path, body, headers)
    return status, json.loads(text)


def raw(port, data, until=b"\r\n\r\n", timeout=20):
    """What comes back for these bytes, and after how long."""
    begun = time.monotonic()
    with socket.create_connection(("127.0.0.1", port), timeout=timeout) as connection:
        connection.sendall(data)
        answer = b""
        while until not in answer:
            part = connection.recv(65536)
            if not part:
                break
            answer += part
    return answer, time.monotonic() - begun


class Http(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.fleet = Fleet(BUILD, MODELS, ["--id", "here", "--variants", VARIANT, "--json"]).__enter__()
        cls.addClassCleanup(cls.fleet.__exit__)
        cls.fleet.await_devices(1, 200)
        cls.fleet.await_said('"event":"ready"', 100)
        address = cls.fleet.events("ready")[0]["http"]
        cls.port = int(address.rsplit(":", 1)[1])
        with open(os.path.join(PHOTOS, "chelsea.png"), "rb") as file:
            cls.photo = file.read()
        end = time.monotonic() + 30
        while ask(cls.port, "GET", "/v2/health/ready")[0] != 200:
            assert time.monotonic() < end, "not ready"
            time.sleep(0.1)

    def infer(self, **more):
        picture = {"name": "image", "datatype": "BYTES", "shape": [1],
                   "data": [base64.b64encode(self.photo).decode()]}
        return json.dumps({"inputs": [picture], **more})

    def completed(self):
        """How many tasks the controller has completed."""
        time.sleep(1.1)  # an answer to this question serves others for a second
        return ask_json(self.port, "GET", "/v1/status")[1]["completed"]

    def explained(self, reply, status):
        """An error says what, why and what to do."""
        self.assertEqual(reply[0], status, reply[1])
        self.assertTrue(reply[1]["error"])
        return reply[1]

    def test_a_picture_both_ways_has_the_same_answer(self):
        status, easy = ask_json(self.port, "POST", "/v1/classify?id=easy-1&deadline_ms=20000", self.photo)
        self.assertEqual((status, easy["id"], easy["task"]), (200, "easy-1", "local/easy-1"))
        self.assertEqual(easy["outcome"]["outcome"], "completed")
        best = easy["outcome"]["labels"][0]
        status, infer = ask_json(
            self.port, "POST", "/v2/models/imagenet/infer",
            self.infer(id="infer-1", parameters={"deadline_ms": 20000, "min_accuracy": 70.5, "priority": 1}))
        self.assertEqual(status, 200, infer)
        output = infer["outputs"][0]
        self.assertEqual(infer["id"], "infer-1")
        self.assertEqual(output["shape"], [1, 5])
        score, index, label = output["data"][0].split(":")
        self.assertEqual((int(index), label), (best["index"], best["label"]))
        self.assertAlmostEqual(float(score), best["score"], places=3)
        self.assertEqual(infer["parameters"]["variant"], VARIANT)
        why = self.fleet.ask("explain", infer["parameters"]["task"])
        self.assertEqual(why["requirements"]["priority"], 9)

    def test_the_binary_extension_as_tritonclient_sends_it(self):
        head = json.dumps({"inputs": [{"name": "image", "datatype": "BYTES", "shape": [1, 1],
                                       "parameters": {"binary_data_size": len(self.photo) + 4}}],
                           "parameters": {"binary_data_output": True}}).encode()
        body = head + struct.pack("<I", len(self.photo)) + self.photo
        status, headers, text = ask(self.port, "POST", "/v2/models/auto/infer", body,
                                    {"Inference-Header-Content-Length": str(len(head)),
                                     "Content-Type": "application/octet-stream"})
        self.assertEqual(status, 200, text[:300])
        size = int(headers["Inference-Header-Content-Length"])
        output = json.loads(text[:size])["outputs"][0]
        self.assertEqual(output["parameters"]["binary_data_size"], len(text) - size)
        length, = struct.unpack_from("<I", text, size)
        self.assertRegex(text[size + 4:size + 4 + length].decode(), r"^0\.\d+:\d+:\w+")

    def test_accepted_now_and_fetched_later(self):
        status, headers, text = ask(self.port, "POST", "/v1/tasks?id=later", self.photo)
        self.assertEqual((status, headers["Location"]), (202, "/v1/tasks/later"), text)
        end = time.monotonic() + 30
        state = {}
        while state.get("state") != "done" and time.monotonic() < end:
            status, state = ask_json(self.port, "GET", headers["Location"])
            self.assertEqual(status, 200)
            time.sleep(0.05)
        self.assertEqual(state["outcome"]["outcome"], "completed")
        self.explained(ask_json(self.port, "GET", "/v1/tasks/never"), 404)

    def test_the_same_id_is_one_task(self):
        before = self.completed()
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            replies = list(pool.map(lambda _: ask_json(self.port, "POST", "/v1/classify?id=same", self.photo),
                                    range(4)))
        replies.append(ask_json(self.port, "POST", "/v1/classify?id=same", self.photo))
        for reply in replies:
            self.assertEqual(reply[0], 200)
            self.assertEqual(reply[1]["outcome"], replies[0][1]["outcome"])
        self.assertEqual(self.completed(), before + 1)

    def test_what_cannot_be_met_is_said_with_its_reason(self):
        reply = ask_json(self.port, "POST", "/v1/classify?min_accuracy=99.9", self.photo)
        self.assertIn("no device can meet", self.explained(reply, 503)["why"])

    def test_two_lengths_or_two_tokens_are_one_that_is_wrong(self):
        body = b"GET /v1/status HTTP/1.1\r\nHost: localhost\r\n\r\n"
        for lengths in ("Content-Length: 1\r\nContent-Length: %d" % len(body),
                        "Content-Length: %d\r\nTransfer-Encoding: chunked" % len(body)):
            head = f"POST /v1/classify HTTP/1.1\r\nHost: localhost\r\n{lengths}\r\n\r\n".encode()
            answer, _ = raw(self.port, head + body, until=b"never")
            self.assertRegex(answer.split(b"\r\n")[0], rb" 4(00|11) ")
            self.assertEqual(answer.count(b"HTTP/1.1 "), 1, "what follows is no request")

    def test_a_server_that_ends_answers_whoever_waits(self):
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            with Server(self.fleet, "--listen", "127.0.0.1:0") as server:
                waiting = [pool.submit(ask_json, server.port, "POST", f"/v1/classify?id=end-{n}", self.photo)
                           for n in range(60)]
                time.sleep(0.3)
            replies = [one.result() for one in waiting if one.exception() is None]
        self.assertEqual(server.process.returncode, 0)
        self.assertIn(200, {status for status, _ in replies})
        for status, reply in replies:
            self.assertIn(status, (200, 503), reply)
            self.assertTrue(status == 200 or reply["next"], reply)

    def test_bad_requests(self):
        for path, body, status in (
                ("/v1/classify?min_accuracy=700", self.photo, 400),
                ("/v1/classify?min_acuracy=7", self.photo, 400),
                ("/v1/classify?id=a%2Fb", self.photo, 400),
                ("/v1/classify", b"", 400),
                ("/v1/classify", self.photo[:20], 400),
                ("/v1/classify", b"GIF89a nothing of the kind", 415),
                ("/v2/models/auto/infer", b"{", 400),
                ("/v2/models/auto/infer", b"[" * 1_000_000, 400),
                ("/v2/models/auto/infer", json.dumps({"inputs": []}), 400),
                ("/v2/models/no-such/infer", self.infer(), 503),
                ("/v2/models/a/b/infer", self.infer(), 404)):
            with self.subTest(path=path):
                self.explained(ask_json(self.port, "POST", path, body), status)
        self.explained(ask_json(self.port, "PUT", "/v1/classify", self.photo), 405)
        self.explained(ask_json(self.port, "GET", "/v2/models/no-such"), 404)
        self.explained(ask_json(self.port, "POST", "/v1/classify", iter([b"x"]),
                                {"Transfer-Encoding": "chunked"}), 411)

    def test_limits_hold_before_anything_is_read(self):
        head = "POST /v1/classify HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n"
        answer, _ = raw(self.port, head.format(8 * 1024 * 1024 + 1).encode())
        self.assertIn(b" 413 ", answer.split(b"\r\n")[0])
        # Headers without an end: the server gives up at 32 KiB, and its memory stays where it is.
        pid = self.fleet.pid_of("serve")
        before = resident_kib(pid)
        with socket.create_connection(("127.0.0.1", self.port), timeout=20) as connection:
            with self.assertRaises(OSError):
                connection.sendall(b"GET / HTTP/1.1\r\n")
                for number in range(200_000):
                    connection.sendall(b"x-%d: y\r\n" % number)
        answer, _ = raw(self.port, b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n\r\n")
        self.assertRegex(answer.split(b"\r\n")[0], rb" 4(14|31) ")
        self.assertLess(resident_kib(pid) - before, 4096)

    def test_other_sites_and_other_names_are_not_served(self):
        for headers in ({"Host": "evil.example"}, {"Origin": "http://evil.example"}):
            reply = ask_json(self.port, "POST", "/v1/classify", self.photo, headers)
            self.explained(reply, 403)
        status, headers, _ = ask(self.port, "GET", "/v2")
        self.assertEqual(status, 200)
        self.assertNotIn("Access-Control-Allow-Origin", headers)

    def test_what_the_fleet_is(self):
        self.assertEqual(ask_json(self.port, "GET", "/v2/health/live"), (200, {"live": True}))
        self.assertEqual(ask_json(self.port, "GET", "/v2")[1]["name"], "juggler")
        status, model = ask_json(self.port, "GET", "/v2/models/" + VARIANT)
        self.assertEqual((status, model["inputs"][0]["datatype"]), (200, "BYTES"))
        self.assertEqual(ask_json(self.port, "GET", f"/v2/models/{VARIANT}/versions/1"), (200, model))
        self.assertEqual(ask(self.port, "GET", f"/v2/models/{VARIANT}/versions/2")[0], 404)
        self.assertEqual(ask_json(self.port, "GET", "/v2/models/auto/ready")[1]["ready"], True)
        for what in ("status", "devices", "models"):
            status, here = ask_json(self.port, "GET", "/v1/" + what)
            self.assertEqual(status, 200)
            self.assertEqual(here.keys(), self.fleet.ask(what).keys())
        status, headers, text = ask(self.port, "GET", "/metrics")
        self.assertEqual(status, 200)
        self.assertTrue(headers["Content-Type"].startswith("text/plain; version=0.0.4"))
        self.assertIn('juggler_device_up{device="here"', text.decode())
        for line in text.decode().splitlines():
            self.assertRegex(line, r'^# (HELP|TYPE) \w+ .+$|^\w+(\{\w+="[^"]*"(,\w+="[^"]*")*\})? \d+$')

    def test_tokens(self):
        tokens = os.path.join(self.fleet.folder.name, "tokens")
        alice = json.loads(self.run_juggler("token", "new", "alice", "--file", tokens, "--json").stdout)["token"]
        bob = self.run_juggler("token", "new", "bob", "--file", tokens).stdout.strip()
        self.assertEqual(os.stat(tokens).st_mode & 0o777, 0o600)
        with open(tokens, encoding="utf-8") as file:
            self.assertNotIn(alice, file.read())

        def asked(token, method, path, body=None):
            return ask_json(server.port, method, path, body, {"Authorization": "Bearer " + token})

        with Server(self.fleet, "--listen", "0.0.0.0:0", "--token-file", tokens) as server:
            self.explained(ask_json(server.port, "GET", "/v1/status"), 401)
            self.assertEqual(ask(server.port, "GET", "/v2/health/live")[0], 200)
            begun = time.monotonic()
            wrong = alice[:-1] + ("_" if alice[-1] != "_" else "-")
            self.explained(asked(wrong, "GET", "/v1/status"), 401)
            self.assertGreater(time.monotonic() - begun, 0.9, "who guesses waits")
            answer, _ = raw(server.port, b"POST /v1/classify HTTP/1.1\r\nHost: x\r\nContent-Length: 8000000\r\n\r\n")
            self.assertIn(b" 401 ", answer.split(b"\r\n")[0], "before the body comes")
            self.explained(asked(wrong, "POST", "/v1/classify", b"x" * 2_000_000), 401)
            chunked = ask_json(server.port, "POST", "/v1/classify", iter([b"x" * 100_000] * 5),
                               {"Authorization": "Bearer " + wrong})
            self.explained(chunked, 401)
            self.assertEqual(asked(alice, "POST", "/v1/tasks?id=mine", self.photo)[0], 202)
            self.assertEqual(asked(alice, "GET", "/v1/tasks/mine")[0], 200)
            self.explained(asked(bob, "GET", "/v1/tasks/mine"), 404)
            status, own = asked(bob, "POST", "/v1/classify?id=mine", self.photo)
            self.assertEqual((status, own["task"]), (200, "bob/mine"))
            self.assertIn("juggler_http_wrong_tokens_total 3\n",
                          ask(server.port, "GET", "/metrics", headers={"Authorization": "Bearer " + bob})[2].decode())
            with open(tokens, "r+", encoding="utf-8") as file:  # bob's line goes
                lines = file.readlines()
                file.seek(0)
                file.truncate()
                file.writelines(line for line in lines if not line.startswith("bob:"))
            end = time.monotonic() + 10
            while asked(bob, "GET", "/v1/status")[0] != 401 and time.monotonic() < end:
                time.sleep(0.2)
            self.explained(asked(bob, "GET", "/v1/status"), 401)
            self.assertEqual(asked(alice, "GET", "/v1/status")[0], 200)
            with open(tokens, "w", encoding="utf-8") as file:  # and the last of them
                file.write("# nobody\n")
            end = time.monotonic() + 10
            while asked(alice, "GET", "/v1/status")[0] != 401 and time.monotonic() < end:
                time.sleep(0.2)
            self.explained(asked(alice, "GET", "/v1/status"), 401)
        self.assertNotIn(alice, server.said)
        self.assertIn("a wrong token from 127.0.0.1", server.said)

    def test_beyond_the_loopback_nothing_starts_without_tokens(self):
        for address in ("0.0.0.0:0", "[::]:0", "192.0.2.1:0"):
            done = self.run_juggler("serve", "--listen", address, status=2)
            self.assertIn("--token-file", done.stderr)
        empty = os.path.join(self.fleet.folder.name, "empty")
        with open(empty, "w", encoding="utf-8"):
            pass
        done = self.run_juggler("serve", "--listen", "0.0.0.0:0", "--token-file", empty, status=2)
        self.assertIn("holds no token", done.stderr)
        done = self.run_juggler("serve", "--listen", f"127.0.0.1:{self.port}", "--home", self.fleet.home, status=3)
        self.assertIn("cannot listen", done.stderr)

    def run_juggler(self, *arguments, status=0):
        done = subprocess.run([JUGGLER, *arguments], env=self.fleet.environment, capture_output=True, text=True,
                              timeout=30, check=False)
        self.assertEqual(done.returncode, status, done.stderr)
        return done

    def test_a_client_that_drips_is_cut_off_and_disturbs_nobody(self):
        with socket.create_connection(("127.0.0.1", self.port), timeout=60) as slow:
            slow.sendall(b"POST /v1/classify HTTP/1.1\r\nHost: localhost\r\n")
            begun = time.monotonic()
            self.assertEqual(ask_json(self.port, "POST", "/v1/classify", self.photo)[0], 200)
            slow.settimeout(2)
            ended = False
            while not ended and time.monotonic() - begun < 60:
                try:
                    slow.sendall(b"x: y\r\n")  # never idle, never done
                    ended = slow.recv(100) == b""
                except socket.timeout:
                    pass
                except OSError:
                    ended = True
            self.assertTrue(ended)
            self.assertLess(time.monotonic() - begun, 45)

    def test_a_client_that_goes_away_loses_nothing(self):
        head = (f"POST /v1/classify?id=gone HTTP/1.1\r\nHost: localhost\r\n"
                f"Content-Length: {len(self.photo)}\r\n\r\n").encode()
        before = self.completed()
        with socket.create_connection(("127.0.0.1", self.port), timeout=20) as connection:
            connection.sendall(head + self.photo)
            time.sleep(0.05)
        end = time.monotonic() + 20
        while self.completed() == before and time.monotonic() < end:
            pass
        self.assertEqual(self.completed(), before + 1, "nobody waits for it, and it is served")
        status, again = ask_json(self.port, "POST", "/v1/classify?id=gone", self.photo)
        self.assertEqual((status, again["outcome"]["outcome"]), (200, "completed"))

    def test_a_server_that_is_killed_loses_no_task(self):
        before = self.completed()
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            with Server(self.fleet, "--listen", "127.0.0.1:0") as server:
                first = [pool.submit(ask_json, server.port, "POST", f"/v1/classify?id=kill-{n}", self.photo)
                         for n in range(40)]
                time.sleep(0.3)
                server.process.kill()
                ended = [one for one in first if one.exception() is None]
            self.assertLess(len(ended), 40, "it was killed too late")
            again = list(pool.map(
                lambda n: ask_json(self.port, "POST", f"/v1/classify?id=kill-{n}&deadline_ms=60000", self.photo),
                range(40)))
        self.assertEqual([status for status, _ in again], [200] * 40)
        self.assertEqual(self.completed() - before, 40, "each is one task")

    def test_a_dead_server_is_started_again_by_up(self):
        os.kill(self.fleet.pid_of("serve"), signal.SIGKILL)
        end = time.monotonic() + 30
        status = 0
        while status != 200 and time.monotonic() < end:
            try:
                status = ask(self.port, "GET", "/v2/health/ready")[0]
            except OSError:
                time.sleep(0.1)
        self.assertEqual(status, 200)

    def test_the_examples_of_the_document(self):
        with open(os.path.join(os.path.dirname(__file__), "../../docs/http.md"), encoding="utf-8") as file:
            examples = re.findall(r"^curl [^\n]*<<END\n.*?^END$|^curl [^\n]*", file.read(),
                                  re.MULTILINE | re.DOTALL)
        local = [one for one in examples if "127.0.0.1:8000" in one]
        self.assertGreater(len(local), 4)
        for example in local:
            with self.subTest(example=example):
                command = example.replace("127.0.0.1:8000", f"127.0.0.1:{self.port}").replace(
                    "photo.jpg", os.path.join(PHOTOS, "chelsea.png"))
                done = subprocess.run(["bash", "-c", "set -o pipefail; " + command.replace("curl ", "curl -sSf ")],
                                      capture_output=True, text=True, timeout=60, check=False)
                self.assertEqual(done.returncode, 0, done.stderr + done.stdout)


def resident_kib(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return int(re.search(r"VmRSS:\s+(\d+)", file.read())[1])


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
