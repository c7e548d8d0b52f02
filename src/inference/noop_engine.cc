#include "inference/noop_engine.h"

#include <chrono>

#include "core/check.h"
#include "files/sha256.h"
#include "inference/payload_check.h"

namespace juggler {
namespace {

class NoopEngine final : public InferenceEngine {
 public:
  Result<void> load(const std::string& variant) override {
    if (variant != kNoopVariant) {
      return fail(ErrorCode::NotFound, "the no-op engine has only " + std::string(kNoopVariant));
    }
    return {};
  }

  void unload(const std::string& /*variant*/) override {}

  BatchReport run(const std::string& variant, std::span<const EngineInput> inputs) override {
    JUGGLER_CHECK(variant == kNoopVariant, "run of a variant that is not loaded");
    const auto start = std::chrono::steady_clock::now();
    BatchReport report;
    for (const EngineInput& input : inputs) {
      if (input.bytes == nullptr) {
        report.outputs.push_back(bad_payload("the payload is missing"));
        continue;
      }
      EngineOutput output;
      output.status = AttemptStatus::Ok;
      output.labels.push_back({0, sha256_hex(*input.bytes).substr(0, 16), 1.0});
      output.synthetic_labels = true;
      report.outputs.push_back(std::move(output));
    }
    const auto elapsed = std::chrono::steady_clock::now() - start;
    report.compute = {std::chrono::duration_cast<std::chrono::microseconds>(elapsed).count()};
    return report;
  }
};

}  // namespace

Variant noop_variant() {
  Variant variant;
  variant.id = kNoopVariant;
  variant.model = "noop";
  variant.network = "noop";
  variant.precision = "fp32";
  variant.accuracy_evidence = Evidence::Assumed;
  variant.weights = Weights::Synthetic;
  return variant;
}

std::unique_ptr<InferenceEngine> make_noop_engine() { return std::make_unique<NoopEngine>(); }

}  // namespace juggler
