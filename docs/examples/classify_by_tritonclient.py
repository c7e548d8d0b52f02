#!/usr/bin/env python3
"""A photograph classified through `juggler serve` by NVIDIA's client for its own servers, unchanged:

  pip install 'tritonclient[http]'
  classify_by_tritonclient.py 127.0.0.1:8000 photo.jpg
"""

import sys

import numpy
import tritonclient.http

ADDRESS, PHOTO = sys.argv[1:3]

with open(PHOTO, "rb") as file:
    photo = file.read()
client = tritonclient.http.InferenceServerClient(ADDRESS)
picture = tritonclient.http.InferInput("image", [1], "BYTES")
picture.set_data_from_numpy(numpy.array([photo], dtype=numpy.object_))
labels = tritonclient.http.InferRequestedOutput("labels", class_count=3)
# `auto`: whichever variant meets the requirements at the least energy; timeout: the deadline, in microseconds.
result = client.infer("auto", [picture], outputs=[labels], timeout=5_000_000, parameters={"min_accuracy": 70.0})
for label in result.as_numpy("labels")[0]:
    print(label.decode())
how = result.get_response()["parameters"]
print(f"by {how['variant']} on {how['device']}/{how['processor']}, {how['latency_us'] / 1000:.1f} ms")
