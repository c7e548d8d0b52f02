"""The load of bench/kills.py for Celery: tasks at a rate, and their answers. Prints one line of JSON."""

import argparse
import collections
import json
import random
import threading
import time

from celery.exceptions import TimeoutError as NotYet
from celery_kills_app import app, work


class Load:
    def __init__(self, options):
        self.options = options
        self.accepted = {}  # number -> when the client was told that it is accepted
        self.answered = {}
        self.refused = 0
        self.errors = collections.Counter()  # of the library, while answers were awaited
        self.pending = []
        self.lock = threading.Lock()
        self.over = threading.Event()

    def submit(self):
        draw = random.Random(self.options.seed)
        begun = due = time.monotonic()
        number = 0
        while due < begun + self.options.seconds:
            time.sleep(max(0.0, due - time.monotonic()))
            try:
                result = work.apply_async((number,))
                with self.lock:
                    self.accepted[number] = time.monotonic()
                    self.pending.append((number, result))
            except Exception:  # pylint: disable=broad-exception-caught
                self.refused += 1  # the library said so: never accepted
            number += 1
            # Who was held up does not make up for more than half a second, as the other load.
            due = max(due + draw.expovariate(self.options.rate), time.monotonic() - 0.5)

    def collect(self):
        while not self.over.is_set():
            with self.lock:
                pending = list(self.pending)
            if not pending:
                time.sleep(0.05)
                continue
            try:
                pending[0][1].get(timeout=0.2)
            except NotYet:
                pass
            except Exception as problem:  # pylint: disable=broad-exception-caught
                self.errors[f"{type(problem).__name__}: {problem}"[:120]] += 1
                time.sleep(0.2)  # the connection is lost; the library makes another
            now = time.monotonic()
            done = {number for number, result in pending if result._cache is not None}  # pylint: disable=protected-access
            for number in done:
                self.answered[number] = now
            with self.lock:
                self.pending = [one for one in self.pending if one[0] not in done]
                if pending[0][0] not in done:  # the next one in turn: this answer may never come
                    self.pending.append(self.pending.pop(0))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rate", type=float, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--settle", type=float, required=True, help="then it waits so long for answers")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    app.set_current()
    load = Load(options)
    collector = threading.Thread(target=load.collect, daemon=True)
    collector.start()
    load.submit()
    end = time.monotonic() + options.settle
    while load.pending and time.monotonic() < end:
        time.sleep(0.1)
    load.over.set()
    print(json.dumps({"accepted": load.accepted, "answered": load.answered, "refused": load.refused,
                      "errors": load.errors}))


if __name__ == "__main__":
    main()
