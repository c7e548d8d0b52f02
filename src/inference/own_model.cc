#include "inference/own_model.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "files/catalogue_text.h"
#include "inference/image.h"
#include "inference/onnx_engine.h"

namespace juggler {
namespace {

constexpr int kAllLabels = 100'000;
constexpr int kShown = 5;
constexpr int kGreySide = 64;

// Runs one picture and returns all of its scores, in the order of the labels.
Result<BatchReport> run_one(InferenceEngine& engine, const std::string& variant,
                            const EngineInput& input) {
  BatchReport report = engine.run(variant, {&input, 1});
  const EngineOutput& output = report.outputs.front();
  if (output.status != AttemptStatus::Ok) {
    return fail(ErrorCode::InvalidArgument, "the test picture fails: " + output.reason);
  }
  return report;
}

EngineInput picture_input(const std::string& bytes, const ImageHeader& header) {
  EngineInput input;
  input.payload.kind = header.kind;
  input.payload.width = header.width;
  input.payload.height = header.height;
  input.payload.size = {static_cast<std::int64_t>(bytes.size())};
  input.bytes = wire::make_body(bytes);
  input.top_k = kAllLabels;
  return input;
}

EngineInput grey_input() {
  std::string pixels(std::size_t{3} * kGreySide * kGreySide, '\x7f');
  EngineInput input;
  input.payload.kind = PayloadKind::RawRgb;
  input.payload.width = kGreySide;
  input.payload.height = kGreySide;
  input.payload.size = {static_cast<std::int64_t>(pixels.size())};
  input.bytes = wire::make_body(std::move(pixels));
  input.top_k = kAllLabels;
  return input;
}

bool sum_to_one(const std::vector<Label>& labels) {
  double sum = 0.0;
  for (const Label& label : labels) {
    if (label.score < -1e-6 || label.score > 1.0 + 1e-6) {
      return false;
    }
    sum += label.score;
  }
  return std::abs(sum - 1.0) < 0.01;
}

bool same(std::vector<Label> a, std::vector<Label> b) {
  const auto by_index = [](const Label& x, const Label& y) { return x.index < y.index; };
  std::sort(a.begin(), a.end(), by_index);
  std::sort(b.begin(), b.end(), by_index);
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const Label& x, const Label& y) {
    return x.index == y.index && std::abs(x.score - y.score) < 1e-9;
  });
}

Result<std::unique_ptr<InferenceEngine>> engine_for(const OwnModelTrial& trial, OutputKind kind) {
  CatalogueVariant entry = trial.entry;
  entry.output.kind = kind;
  // By its own file, as it will be read later.
  Result<Catalogue> catalogue =
      Catalogue::parse(catalogue_text({&entry, 1}, "trial"), entry.file.parent_path());
  if (!catalogue) {
    return fail(ErrorCode::InvalidArgument, catalogue.error().message);
  }
  Result<std::unique_ptr<InferenceEngine>> engine =
      make_onnx_engine(std::move(*catalogue), {.home = trial.home, .busy = {}});
  if (!engine) {
    return engine.error();
  }
  if (Result<void> loaded = (*engine)->load(entry.variant.id); !loaded) {
    return loaded.error();
  }
  return engine;
}

}  // namespace

Result<OwnModelReport> try_own_model(const OwnModelTrial& trial) {
  const std::string& id = trial.entry.variant.id;
  const Result<ImageHeader> header = read_header(trial.picture);
  if (!header) {
    return fail(ErrorCode::InvalidArgument, "the test picture: " + header.error().message);
  }
  // As they come from the network; which of the two they are shows.
  auto engine = engine_for(trial, OutputKind::Probabilities);
  if (!engine) {
    return engine.error();
  }
  Result<BatchReport> picture = run_one(**engine, id, picture_input(trial.picture, *header));
  if (!picture) {
    return picture.error();
  }
  const Result<BatchReport> grey = run_one(**engine, id, grey_input());
  if (!grey) {
    return grey.error();
  }
  const std::vector<Label>& raw = picture->outputs.front().labels;
  if (same(raw, grey->outputs.front().labels)) {
    return fail(ErrorCode::InvalidArgument,
                "it gives the same scores for the test picture and a grey one: it looks at "
                "neither, or its normalisation (--mean, --std) is wrong");
  }
  OwnModelReport report;
  report.kind =
      trial.kind.value_or(sum_to_one(raw) ? OutputKind::Probabilities : OutputKind::Logits);
  report.compute = picture->compute;
  if (report.kind == OutputKind::Logits) {
    engine = engine_for(trial, report.kind);
    picture = engine ? run_one(**engine, id, picture_input(trial.picture, *header))
                     : Result<BatchReport>(engine.error());
    if (!picture) {
      return picture.error();
    }
  }
  report.labels = picture->outputs.front().labels;
  report.labels.resize(std::min<std::size_t>(report.labels.size(), kShown));
  if (!trial.expected.empty() && report.labels.front().name != trial.expected) {
    return fail(
        ErrorCode::InvalidArgument,
        fmt::format("the test picture is '{}' ({:.2f}) to it, not '{}'", report.labels.front().name,
                    report.labels.front().score, trial.expected));
  }
  return report;
}

}  // namespace juggler
