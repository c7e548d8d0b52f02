"""Sessions as the consumer opens them (src/inference/onnx_session.cc)."""

from pathlib import Path

import onnxruntime


def open_session(file: Path) -> onnxruntime.InferenceSession:
    """On the CPU. int8: without this, products saturate on x86-64 processors that have no VNNI."""
    options = onnxruntime.SessionOptions()
    options.add_session_config_entry("session.x64quantprecision", "1")
    return onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
