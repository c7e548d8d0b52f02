// What an ONNX file says of its inputs and outputs, by ONNX Runtime itself. It is not run here.

#include <fmt/format.h>

#include <cstdint>
#include <string>
#include <vector>

#include <onnxruntime_cxx_api.h>

#include "inference/own_model.h"

namespace juggler {
namespace {

constexpr std::int64_t kSideMax = 4096;
constexpr std::int64_t kClassesMax = 100'000;

Error no_classifier(const std::string& what) {
  return fail(ErrorCode::InvalidArgument,
              what +
                  "; what can be added has one float input [N, 3, height, width] and one float "
                  "output [N, classes]");
}

std::string shape_text(const std::vector<std::int64_t>& shape) {
  std::string text;
  for (const std::int64_t side : shape) {
    text += (text.empty() ? "[" : ", ") + (side < 0 ? "N" : std::to_string(side));
  }
  return text.empty() ? "[]" : text + "]";
}

struct Port {
  std::string name;
  bool floats = false;
  std::vector<std::int64_t> shape;
};

Port port_of(const std::string& name, const Ort::TypeInfo& type) {
  if (type.GetONNXType() != ONNX_TYPE_TENSOR) {
    return {name, false, {}};
  }
  const auto tensor = type.GetTensorTypeAndShapeInfo();
  return {name, tensor.GetElementType() == ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT, tensor.GetShape()};
}

int side_of(std::int64_t side) { return side > 0 && side <= kSideMax ? static_cast<int>(side) : 0; }

Result<NetworkPorts> ports_of(const Ort::Session& session) {
  Ort::AllocatorWithDefaultOptions allocator;
  if (session.GetInputCount() != 1 || session.GetOutputCount() != 1) {
    return no_classifier(fmt::format("it has {} inputs and {} outputs", session.GetInputCount(),
                                     session.GetOutputCount()));
  }
  const Port input =
      port_of(session.GetInputNameAllocated(0, allocator).get(), session.GetInputTypeInfo(0));
  const Port output =
      port_of(session.GetOutputNameAllocated(0, allocator).get(), session.GetOutputTypeInfo(0));
  const bool picture = input.floats && input.shape.size() == 4 &&
                       (input.shape[1] == 3 || input.shape[1] < 0) && input.shape[0] <= 1;
  if (!picture) {
    return no_classifier(fmt::format("its input '{}' is {}{}", input.name,
                                     input.floats ? "float " : "not of floats, ",
                                     shape_text(input.shape)));
  }
  const bool scores = output.floats && output.shape.size() == 2 && output.shape[1] != 0 &&
                      output.shape[1] <= kClassesMax;
  if (!scores) {
    return no_classifier(fmt::format("its output '{}' is {}{}", output.name,
                                     output.floats ? "float " : "not of floats, ",
                                     shape_text(output.shape)));
  }
  return NetworkPorts{input.name, side_of(input.shape[3]), side_of(input.shape[2]), output.name,
                      output.shape[1] > 0 ? static_cast<int>(output.shape[1]) : 0};
}

}  // namespace

Result<NetworkPorts> inspect_onnx(const std::filesystem::path& file) {
  try {
    Ort::Env environment(ORT_LOGGING_LEVEL_FATAL, "juggler");
    Ort::SessionOptions options;
    options.SetIntraOpNumThreads(1);
    options.SetGraphOptimizationLevel(ORT_DISABLE_ALL);
    const Ort::Session session(environment, file.c_str(), options);
    return ports_of(session);
  } catch (const std::exception& error) {
    return fail(ErrorCode::InvalidArgument,
                fmt::format("ONNX Runtime cannot load {}: {}", file.string(), error.what()));
  }
}

}  // namespace juggler
