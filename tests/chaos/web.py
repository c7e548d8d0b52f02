"""The web client of a chaos run: hands tasks to `juggler serve` over HTTP, whose own connection to the broker is hurt,
and asks until each has its outcome. The server submits again what is open whenever its connection comes back."""

import http.client
import json
import random
import threading
import time
import uuid

ERRORS = (OSError, http.client.HTTPException, ValueError)


class WebClient(threading.Thread):
    """At a rate: POST /v1/tasks until the server has said 202, then GET until the outcome is there. A server that was
    killed knows nothing of its tasks: they are handed over again, under the same id."""

    def __init__(self, port, rate_hz, payload, seed):
        super().__init__(daemon=True)
        self.port = port
        self.rate_hz = rate_hz
        self.payload = payload
        self.random = random.Random(seed)
        self.accepted = set()
        self.outcomes = {}
        self.again = 0  # handed over again
        self.stopping = threading.Event()
        self.problem = None

    def ask(self, method, path, body=None):
        """The answer's status and JSON; status 0 where there is no server, or it does not answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=3)
        try:
            connection.request(method, path, body)
            response = connection.getresponse()
            return response.status, json.loads(response.read() or b"{}")
        except ERRORS:
            return 0, {}
        finally:
            connection.close()

    def hand_over(self, task):
        status, answer = self.ask("POST", f"/v1/tasks?id={task}&deadline_ms=20000", self.payload)
        if status == 202:
            self.accepted.add(task)
        elif status not in (0, 429, 502, 503, 504):
            raise AssertionError(f"POST /v1/tasks: {status} {answer}")

    def look(self, task):
        status, answer = self.ask("GET", f"/v1/tasks/{task}")
        if status == 404:
            self.again += 1
            self.hand_over(task)
        elif status == 200 and answer["state"] == "done":
            self.outcomes[task] = answer["outcome"]

    def waiting(self):
        return sorted(self.accepted - set(self.outcomes))

    def run(self):
        try:
            due = time.monotonic()
            while not self.stopping.is_set() or self.waiting():
                if not self.stopping.is_set() and time.monotonic() >= due:
                    due = max(due + self.random.expovariate(self.rate_hz), time.monotonic() - 1)
                    self.hand_over(str(uuid.UUID(int=self.random.getrandbits(128))))
                for task in self.waiting()[:20]:
                    self.look(task)
                time.sleep(0.05)
        except Exception as problem:  # pylint: disable=broad-exception-caught
            self.problem = problem  # a mistake, of the harness or of the server: a failure

    def stop(self, limit_s):
        """Waits for what is open; returns what never got its outcome."""
        self.stopping.set()
        self.join(limit_s)
        return self.waiting()
