#!/usr/bin/env python3
"""A worker for tests of the external engine, with the standard library alone.

usage: test_worker.py FAULT [STATE_FOLDER]
It serves tiny-fp32: the scores of a picture are the means of its three channels. FAULT says how it
fails: none, no-hello, dies-at-once, other-major, other-minor, garbage-hello, and on the first `run` of the first
life (STATE_FOLDER remembers it) crash, hang, garbage, huge, wrong-id, wrong-size, half, exit,
refuse, oom, chatter (speaks unasked after its answer), dies-idle, hang-load.
"""

import json
import os
import socket
import struct
import sys
import time

MARK = b"JGL1"
PREFIX = struct.Struct("<4sII")
FAULT = sys.argv[1]


def first_time():
    """Whether this fault has still to happen."""
    if len(sys.argv) < 3:
        return True
    path = os.path.join(sys.argv[2], "happened")
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL))
        return True
    except FileExistsError:
        return False


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


def frame(header, tensor=b""):
    text = json.dumps(header).encode()
    return PREFIX.pack(MARK, len(text), len(tensor)) + text + tensor


def scores(ask, tensor):
    values = struct.unpack(f"<{len(tensor) // 4}f", tensor)
    area = len(values) // (3 * ask["batch"])
    means = [sum(values[at:at + area]) / area for at in range(0, len(values), area)]
    return struct.pack(f"<{len(means)}f", *means)


def fail(connection, ask):
    """Does what FAULT says instead of an answer; returns what to send, if it goes on."""
    wrong = {
        "garbage": b"Traceback (most recent call last):\n" * 50,
        "huge": PREFIX.pack(MARK, 0xFFFFFFFF, 0xFFFFFFFF) + b"{}",
        "wrong-id": frame({"type": "scores", "id": ask["id"] + 1}, b"\0" * 12),
        "wrong-size": frame({"type": "scores", "id": ask["id"]}, b"\0" * 8),
        "refuse": frame({"type": "error", "id": ask["id"], "reason": "I do not want to"}),
        "oom": frame({"type": "error", "id": ask["id"], "reason": "CUDA out of memory",
                      "out_of_memory": 1}),
    }
    if FAULT == "crash":
        os.abort()
    if FAULT == "exit":
        sys.exit(3)
    if FAULT == "hang":
        time.sleep(3600)
    if FAULT == "half":
        connection.sendall(frame({"type": "scores", "id": ask["id"]}, b"\0" * 12)[:-5])
        time.sleep(3600)
    return wrong[FAULT]


def main():
    print("test worker:", FAULT, flush=True)
    if FAULT == "dies-at-once":
        sys.exit(7)
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(os.environ["JUGGLER_SOCKET"])
    if FAULT == "no-hello":
        time.sleep(3600)
    if FAULT == "garbage-hello":
        connection.sendall(b"hello, I am a worker\n" * 10)
        time.sleep(3600)
    major = 2 if FAULT == "other-major" else 1
    minor = 7 if FAULT == "other-minor" else 0
    connection.sendall(frame({"type": "hello", "major": major, "minor": minor, "runtime": "test",
                              "variants": ["tiny-fp32", "unheard-of-fp32"], "batch_max": 4,
                              "a field of tomorrow": [1, {"x": None}]}))
    faulty = FAULT not in ("none", "other-major", "other-minor")
    while True:
        ask, tensor = receive(connection)
        if ask["type"] == "load" and FAULT == "hang-load" and first_time():
            time.sleep(3600)
        if ask["type"] == "load":
            connection.sendall(frame({"type": "loaded", "id": ask["id"], "classes": 3,
                                      "memory_bytes": 1000 + ask["input"][1]}))
        elif ask["type"] == "unload":
            connection.sendall(frame({"type": "unloaded", "id": ask["id"]}))
        elif faulty and FAULT not in ("chatter", "dies-idle") and first_time():
            connection.sendall(fail(connection, ask))
        else:
            answer = frame({"type": "scores", "id": ask["id"]}, scores(ask, tensor))
            if FAULT == "chatter" and first_time():
                answer += frame({"type": "scores", "id": ask["id"]})
            connection.sendall(answer)
            if FAULT == "dies-idle" and first_time():
                os.abort()


if __name__ == "__main__":
    main()
