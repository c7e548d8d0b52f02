#pragma once
// Models and their variants: what can answer a task, and how well.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/evidence.h"
#include "core/units.h"

namespace juggler {

// Whether a variant's labels mean anything.
enum class Weights {
  Pretrained,
  Synthetic,  // right graph and speed, random weights: its labels are meaningless
};

// One concrete network and precision of a model, e.g. `resnet50-fp32` of `imagenet`.
struct Variant {
  std::string id;         // <network>-<precision>
  std::string model;      // what it answers, e.g. "imagenet"
  std::string network;    // e.g. "resnet50"
  std::string precision;  // fp32, fp16 or int8
  MilliPercent accuracy;  // top-1
  Evidence accuracy_evidence = Evidence::Published;
  Weights weights = Weights::Synthetic;
  std::string sha256;  // of the model file; empty where there is none (a twin, a no-op)

  friend bool operator==(const Variant&, const Variant&) = default;
};

// Whether a task that asks for `wanted` may be answered by `variant`: `wanted` is a model's name, a
// network's or a variant's id.
bool answers(const Variant& variant, std::string_view wanted);

// Whether `wanted` names this network or variant itself, so that synthetic weights are meant.
bool names_directly(const Variant& variant, std::string_view wanted);

std::string_view to_string(Weights weights);
std::optional<Weights> parse_weights(std::string_view name);

}  // namespace juggler
