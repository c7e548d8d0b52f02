"""The load for Celery: as bench/floor/client.cc, with the same options and the same line of JSON.

Results are collected oldest first, which is the order in which one worker process answers.
"""

import argparse
import collections
import hashlib
import json
import random
import sys
import time

from celery_app import noop


def percentile(sorted_values, share):
    return sorted_values[int(share * (len(sorted_values) - 1) + 0.5)]


def parse_arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--outstanding", type=int, default=1)
    parser.add_argument("--batch", type=int, default=0)
    parser.add_argument("--payload-bytes", type=int, default=1024)
    parser.add_argument("--warmup-s", type=float, default=0.5)
    parser.add_argument("--warmup-count", type=int, default=50)
    parser.add_argument("--min-s", type=float, default=2)
    parser.add_argument("--min-count", type=int, default=500)
    return parser.parse_args()


class Load:
    def __init__(self, options):
        self.options = options
        source = random.Random(20240607)
        count = min(1009, (16 << 20) // options.payload_bytes)
        self.payloads = [source.randbytes(options.payload_bytes) for _ in range(count)]
        self.answers = [hashlib.sha256(payload).hexdigest()[:16] for payload in self.payloads]
        self.pending = collections.deque()
        self.submitted = 0
        self.latencies_us = []

    def submit(self):
        payload = self.payloads[self.submitted % len(self.payloads)]
        started = time.perf_counter()
        result = noop.apply_async((payload,))
        self.pending.append((started, self.submitted, result))
        self.submitted += 1

    def collect(self):
        """Waits for the oldest task; returns when it was submitted and when its answer was here."""
        started, number, result = self.pending.popleft()
        answer = result.get(timeout=30)
        now = time.perf_counter()
        if answer != self.answers[number % len(self.answers)]:
            sys.exit(f"a wrong answer for task {number}: {answer}")
        return started, now

    def batch(self):
        begun = time.perf_counter()
        while self.submitted < self.options.batch:
            self.submit()
        now = begun
        while self.pending:
            started, now = self.collect()
            self.latencies_us.append(1e6 * (now - started))
        return now - begun

    def window(self):
        options = self.options
        begun = time.perf_counter()
        answered, measured_from, now = 0, None, begun
        while True:
            while len(self.pending) < options.outstanding:
                self.submit()
            started, now = self.collect()
            answered += 1
            if measured_from is None:
                if answered >= options.warmup_count and now - begun >= options.warmup_s:
                    measured_from = now
                continue
            self.latencies_us.append(1e6 * (now - started))
            if len(self.latencies_us) >= options.min_count and now - measured_from >= options.min_s:
                break
        while self.pending:
            self.collect()
        return now - measured_from


def main():
    options = parse_arguments()
    load = Load(options)
    if options.batch:
        noop.apply_async((load.payloads[0],)).get(timeout=30)  # Connects: part of the warm-up.
    seconds = load.batch() if options.batch else load.window()
    values = sorted(load.latencies_us)
    print(json.dumps({
        "samples": len(values), "tasks": load.submitted, "seconds": round(seconds, 4),
        "tasks_per_s": round(len(values) / seconds, 1), "p50_us": round(percentile(values, 0.5)),
        "p90_us": round(percentile(values, 0.9)), "p99_us": round(percentile(values, 0.99)),
        "max_us": round(values[-1])}))


if __name__ == "__main__":
    main()
