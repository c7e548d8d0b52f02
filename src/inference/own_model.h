#pragma once
// A person's own ONNX classifier: what its file says of inputs and outputs, and whether it answers
// in this machine's ONNX Runtime, before it is offered to anybody.

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "core/result.h"
#include "core/task.h"
#include "files/catalogue.h"

namespace juggler {

// The one input and the one output of a classifier; a side of 0 is free.
struct NetworkPorts {
  std::string input;
  int width = 0;
  int height = 0;
  std::string output;
  int classes = 0;
};

// requires  load_onnx_runtime succeeded
// errors    InvalidArgument: it is no classifier of pictures, with what it is instead
Result<NetworkPorts> inspect_onnx(const std::filesystem::path& file);

struct OwnModelTrial {
  std::filesystem::path home;      // where ONNX Runtime may lie
  CatalogueVariant entry;          // model and labels where they are now
  std::optional<OutputKind> kind;  // none: found out
  std::string picture;             // a JPEG or PNG
  std::string expected;            // the label that the picture has to get; empty: any
};

struct OwnModelReport {
  OutputKind kind = OutputKind::Logits;
  std::vector<Label> labels;  // of the picture, best first
  Micros compute;             // of it
};

// Loads it, and has it classify the picture and a plain grey one.
//
// errors  InvalidArgument: it does not fit its description or its labels, its scores are no
//         numbers or the same whatever it is shown, or the picture gets another label
Result<OwnModelReport> try_own_model(const OwnModelTrial& trial);

}  // namespace juggler
