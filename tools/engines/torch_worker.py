"""A worker of Juggler's external engine with PyTorch: docs/engines.md is the protocol it speaks.

usage: python3 torch_worker.py --models DIR [--device cpu|cuda] [--half] [--threads N] [--socket PATH]

Serves every TorchScript file DIR/<variant>.pt, where <variant> is an id of the model catalogue:
float32 [N, 3, height, width] in, scores [N, classes] out. `juggler-consumer` starts it with the
socket in $JUGGLER_SOCKET, and starts it again when it dies. Python 3.6 and PyTorch 1.4 suffice, so
that it runs in an l4t-pytorch container on a Jetson Nano.
"""

import argparse
import json
import os
import pathlib
import socket
import struct
import sys

import numpy
import torch

MARK = b"JGL1"
PREFIX = struct.Struct("<4sII")  # mark, bytes of JSON, bytes of tensor


def read_exactly(connection, count):
    data = bytearray()
    while len(data) < count:
        part = connection.recv(min(count - len(data), 1 << 20))
        if not part:
            sys.exit(0)  # the consumer has closed the connection: that is the end of our work
        data += part
    return data


def receive(connection):
    mark, header, tensor = PREFIX.unpack(read_exactly(connection, PREFIX.size))
    if mark != MARK:
        sys.exit("torch_worker: this is not the protocol that I speak")
    return json.loads(read_exactly(connection, header).decode()), read_exactly(connection, tensor)


def send(connection, header, tensor=b""):
    text = json.dumps(header).encode()
    connection.sendall(PREFIX.pack(MARK, len(text), len(tensor)) + text + tensor)


class Networks:
    """The networks that are loaded, and what runs them."""

    def __init__(self, options):
        self.folder = pathlib.Path(options.models)
        self.device = torch.device(options.device)
        self.kind = torch.float16 if options.half else torch.float32
        self.loaded = {}  # variant -> (network, shape of one input)

    def memory(self):
        if self.device.type == "cuda":
            return torch.cuda.memory_allocated()
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")

    def load(self, ask, _tensor):
        before = self.memory()
        network = torch.jit.load(str(self.folder / (ask["variant"] + ".pt")), map_location=self.device)
        network = network.to(self.kind).eval()
        if hasattr(torch.jit, "freeze"):  # since 1.8: weights become constants, layers are fused
            network = torch.jit.freeze(network)
        shape = tuple(ask["input"])
        with torch.no_grad():  # the first run is what makes room for the others
            classes = network(torch.zeros((1,) + shape, device=self.device, dtype=self.kind)).shape[1]
        self.loaded[ask["variant"]] = (network, shape)
        return {"type": "loaded", "classes": classes,
                "memory_bytes": max(self.memory() - before, 0)}, b""

    def run(self, ask, tensor):
        network, shape = self.loaded[ask["variant"]]
        batch = torch.from_numpy(numpy.frombuffer(tensor, "<f4").reshape((ask["batch"],) + shape))
        with torch.no_grad():
            scores = network(batch.to(self.device, self.kind)).float().cpu()
        return {"type": "scores"}, scores.numpy().astype("<f4").tobytes()

    def unload(self, ask, _tensor):
        self.loaded.pop(ask["variant"], None)
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        return {"type": "unloaded"}, b""


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--models", required=True)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--half", action="store_true")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--batch-max", type=int, default=8)
    parser.add_argument("--socket", default=os.environ.get("JUGGLER_SOCKET"))
    options = parser.parse_args()
    if options.threads > 0:
        torch.set_num_threads(options.threads)
    networks = Networks(options)
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(options.socket)
    runtime = "PyTorch {}, {}{}".format(torch.__version__, options.device, ", fp16" if options.half else "")
    send(connection, {"type": "hello", "major": 1, "minor": 0, "runtime": runtime,
                      "batch_max": options.batch_max,
                      "variants": sorted(file.stem for file in networks.folder.glob("*.pt"))})
    while True:
        ask, tensor = receive(connection)
        try:
            answer, result = getattr(networks, ask["type"])(ask, tensor)
        except Exception as error:  # whatever a network may raise: it fails this request alone
            answer, result = {"type": "error", "reason": str(error)[:500],
                              "out_of_memory": int("out of memory" in str(error))}, b""
        send(connection, dict(answer, id=ask["id"]), result)


if __name__ == "__main__":
    main()
