#!/usr/bin/env python3
"""Kills a RabbitMQ that compacts its message store all the time, and looks whether confirmed messages are there
after its next start: docs/reliability.md, "A broker that dies".

  kill_compacting.py BUILD_DIR [--kills N] [--seed N] [--no-mend]

Exit status: 0 none was lost, 1 some were. RabbitMQ 3.10 without the mend loses some in one kill of six to fourteen.
"""

import argparse
import glob
import os
import random
import signal
import sys
import tempfile
import threading
import time

import pika

from load import ERRORS, connect
from parts import Broker

FILLING = os.urandom(97_410)  # a picture of 97 KB, with its number
ARGUMENTS = {"x-max-length-bytes": 128 << 20, "x-overflow": "reject-publish"}
KEPT_MAX = 300  # messages that the consumer holds unacknowledged
LEFT = 60       # of the messages, for the next round: old ones in new files make it compact


class Traffic:
    """Pictures into a queue, from it into another, and acks in an order of their own, until the node dies."""

    def __init__(self, url, draw, first):
        self.url, self.draw = url, draw
        self.next = first
        self.confirmed, self.acked = set(), set()
        self.stopping = threading.Event()
        self.threads = [threading.Thread(target=self.until_lost, args=(work,), daemon=True)
                        for work in (self.publish, self.consume, self.serve)]
        for thread in self.threads:
            thread.start()

    def until_lost(self, work):
        try:
            work(connect(self.url).channel())
        except ERRORS:
            pass  # the node was killed

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join(10)

    def publish(self, channel):
        channel.confirm_delivery()
        while not self.stopping.is_set():
            number, self.next = self.next, self.next + 1
            body = b"%012d" % number + FILLING
            try:
                channel.basic_publish("", "tasks", body, pika.BasicProperties(delivery_mode=2), mandatory=True)
                self.confirmed.add(number)
            except pika.exceptions.NackError:
                time.sleep(0.05)  # full

    def consume(self, channel):
        channel.basic_qos(prefetch_count=400)
        held = []
        for method, _properties, body in channel.consume("tasks", inactivity_timeout=0.05):
            if self.stopping.is_set():
                return
            now = time.monotonic()
            if method:
                if self.draw.random() < 0.7:
                    channel.basic_publish("", "dispatches", body, pika.BasicProperties(delivery_mode=2))
                held.append((now + self.draw.choice([0.05, 0.3, 1.5, 3, 100]), method.delivery_tag, int(body[:12])))
            due = [one for one in held if one[0] <= now] or held[:max(0, len(held) - KEPT_MAX)]
            for one in due:
                self.acked.add(one[2])  # before: an ack may be on the node's disk and unknown here
                channel.basic_ack(one[1])
                held.remove(one)

    def serve(self, channel):
        channel.basic_qos(prefetch_count=8)
        for method, _properties, _body in channel.consume("dispatches", inactivity_timeout=0.05):
            if self.stopping.is_set():
                return
            if method:
                channel.basic_ack(method.delivery_tag)


def what_is_there(url):
    """Numbers in the queue; all but a few are taken out of it."""
    channel = connect(url).channel()
    found = []
    for method, _properties, body in channel.consume("tasks", inactivity_timeout=2):
        if method is None:
            break
        found.append((int(body[:12]), method.delivery_tag))
    for _number, tag in found[:-LEFT]:
        channel.basic_ack(tag)
    channel.queue_purge("dispatches")
    channel.connection.close()
    return {number for number, _ in found}, {number for number, _ in found[-LEFT:]}


def run(options, folder):
    draw = random.Random(options.seed)
    lost_in_all = half_done = 0
    with Broker(["user"], folder, options.build) as broker:
        url = broker.url("user", "juggler")
        channel = connect(url).channel()
        channel.queue_declare("tasks", durable=True, arguments=ARGUMENTS)
        channel.queue_declare("dispatches", durable=True)
        channel.connection.close()
        kept, number = set(), 0
        for kill in range(options.kills):
            traffic = Traffic(url, draw, number)
            time.sleep(draw.uniform(4, 8))
            broker.signal(signal.SIGKILL)
            broker.process.wait()
            traffic.stop()
            half = glob.glob(f"{broker.folder}/mnesia/**/*.rdt", recursive=True)
            broker.again() if options.mend else broker.run()  # pylint: disable=expression-not-assigned
            must = (kept | traffic.confirmed) - traffic.acked
            found, kept = what_is_there(url)
            lost = must - found
            number = traffic.next
            lost_in_all += len(lost)
            half_done += bool(half)
            print(f"kill {kill + 1}: {len(traffic.confirmed)} confirmed, {len(must)} must be there, {len(lost)} lost"
                  f"{', killed in a compaction' if half else ''}", flush=True)
    print(f"{options.kills} kills, {half_done} in a compaction: {lost_in_all} messages lost")
    return lost_in_all


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build", type=os.path.abspath)
    parser.add_argument("--kills", type=int, default=12)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--no-mend", dest="mend", action="store_false", help="as RabbitMQ itself starts again")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="juggler-kills-", dir="/var/tmp") as folder:
        return 1 if run(options, folder) else 0


if __name__ == "__main__":
    sys.exit(main())
