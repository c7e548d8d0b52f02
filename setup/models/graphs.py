"""Changes to ONNX graphs: padding folded into convolutions, weights stored as fp16, int8."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

FP16_ELEMENTS_MIN = 64  # Smaller tensors (biases of tiny layers, scalars) are not worth a Cast.


def fold_padding(model: onnx.ModelProto) -> int:
    """Moves each Pad that only feeds a Conv into that Conv's `pads`; returns how many.

    EfficientNet-Lite pads unevenly (TensorFlow's SAME), which torch can only export as a separate
    Pad: one more pass over memory each, and one more tensor to quantise.
    """
    graph = model.graph
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type == "Constant" and node.attribute[0].name == "value":
            constants[node.output[0]] = numpy_helper.to_array(node.attribute[0].t)
    readers = {}
    for node in graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    folded = 0
    for pad in [node for node in graph.node if node.op_type == "Pad"]:
        amounts = constants.get(pad.input[1])
        after = readers[pad.output[0]]
        value = constants.get(pad.input[2]) if len(pad.input) > 2 and pad.input[2] else np.zeros(1)
        # amounts: N C H W at the begin, then N C H W at the end.
        if amounts is None or value is None or value.any() or amounts[[0, 1, 4, 5]].any():
            continue
        if len(after) != 1 or after[0].op_type != "Conv":
            continue
        (pads,) = (attribute for attribute in after[0].attribute if attribute.name == "pads")
        pads.ints[:] = [int(old + more) for old, more in zip(pads.ints, amounts[[2, 3, 6, 7]])]
        after[0].input[0] = pad.input[0]
        graph.node.remove(pad)
        folded += 1
    return folded


def with_fp16_weights(model: onnx.ModelProto) -> onnx.ModelProto:
    """Weights stored as fp16 and cast back to fp32 when the model is loaded.

    Half the file; the same arithmetic, speed and memory. (CPUs emulate fp16 arithmetic.)
    """
    result = onnx.ModelProto()
    result.CopyFrom(model)
    casts = []
    for tensor in result.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if tensor.data_type != TensorProto.FLOAT or values.size < FP16_ELEMENTS_MIN:
            continue
        name = tensor.name
        # Larger values would become infinite. Batch normalisation is folded in: there are none.
        assert np.abs(values).max() < np.finfo(np.float16).max, name
        tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{name}.fp16"))
        casts.append(
            helper.make_node(
                "Cast", [f"{name}.fp16"], [name], to=TensorProto.FLOAT, name=f"{name}.cast"
            )
        )
    nodes = list(result.graph.node)
    del result.graph.node[:]
    result.graph.node.extend(casts + nodes)
    return result


class Batches(CalibrationDataReader):
    def __init__(self, views: np.ndarray, size: int = 3):
        self._batches = iter(np.split(views, range(size, len(views), size)))

    def get_next(self):
        batch = next(self._batches, None)
        return None if batch is None else {"input": batch}


def quantise(fp32: Path, int8: Path, views: np.ndarray) -> None:
    """Static QDQ: int8 weights by channel, uint8 activations in the ranges seen on `views`."""
    quantize_static(
        str(fp32),
        str(int8),
        Batches(views),
        quant_format=QuantFormat.QDQ,
        per_channel=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
    )
