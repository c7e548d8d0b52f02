#!/usr/bin/env python3
"""A worker of the external engine that pictures of one colour do something to, with the standard library alone.

usage: poison_worker.py VARIANT
A white picture ends it (abort), a black one takes BLACK_S, any other GOOD_S; its scores are made up. What it
prints, a word for each such picture as it begins, is in its lane's log.
"""

import array
import json
import os
import resource
import socket
import struct
import sys
import time

MARK = b"JGL1"
PREFIX = struct.Struct("<4sII")
CLASSES = 1000
GOOD_S = 0.05
BLACK_S = 1.5
NEARLY = 0.98  # normalised, white is 1 and black -1


def read_exactly(connection, count):
    data = b""
    while len(data) < count:
        part = connection.recv(count - len(data))
        if not part:
            sys.exit(0)
        data += part
    return data


def receive(connection):
    _, header, tensor = PREFIX.unpack(read_exactly(connection, PREFIX.size))
    return json.loads(read_exactly(connection, header)), read_exactly(connection, tensor)


def send(connection, header, tensor=b""):
    text = json.dumps(header).encode()
    connection.sendall(PREFIX.pack(MARK, len(text), len(tensor)) + text + tensor)


def scores(tensor):
    values = array.array("f", tensor)
    if min(values) > NEARLY:
        print("white", flush=True)
        os.abort()
    if max(values) < -NEARLY:
        print("black", flush=True)
        time.sleep(BLACK_S)
    else:
        time.sleep(GOOD_S)
    return array.array("f", [1.0] + [0.0] * (CLASSES - 1)).tobytes()


def main():
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(os.environ["JUGGLER_SOCKET"])
    send(connection, {"type": "hello", "major": 1, "minor": 0, "runtime": "poison", "variants": [sys.argv[1]],
                      "batch_max": 1})
    while True:
        ask, tensor = receive(connection)
        if ask["type"] == "load":
            send(connection, {"type": "loaded", "id": ask["id"], "classes": CLASSES, "memory_bytes": 1 << 20})
        elif ask["type"] == "unload":
            send(connection, {"type": "unloaded", "id": ask["id"]})
        else:
            send(connection, {"type": "scores", "id": ask["id"]}, scores(tensor))


if __name__ == "__main__":
    main()
