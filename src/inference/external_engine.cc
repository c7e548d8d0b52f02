#include "inference/external_engine.h"

#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "inference/machine.h"
#include "inference/network.h"
#include "inference/picture_engine.h"

namespace juggler::external {
namespace {

// A network in a worker. It is gone with the life of the worker that loaded it.
class WorkerNetwork final : public Network {
 public:
  WorkerNetwork(std::shared_ptr<Worker> worker, std::string variant, int classes)
      : worker_(std::move(worker)),
        variant_(std::move(variant)),
        classes_(classes),
        life_(worker_->life()) {}
  ~WorkerNetwork() override {
    if (usable()) {
      static_cast<void>(worker_->unload(variant_));  // at the worst it dies, and has unloaded too
    }
  }
  WorkerNetwork(const WorkerNetwork&) = delete;
  WorkerNetwork& operator=(const WorkerNetwork&) = delete;

  int batch_max() const override { return worker_->hello().batch_max; }
  int classes() const override { return classes_; }
  bool usable() const override { return worker_->ready() && worker_->life() == life_; }

  Result<std::span<const float>> run(std::span<float> input, int batch) override {
    if (!usable()) {
      return fail(ErrorCode::Unavailable,
                  worker_->ready() ? "the worker was started anew meanwhile" : worker_->trouble());
    }
    Result<Scores> scores = worker_->run(variant_, input, batch);
    if (!scores) {
      return scores.error();
    }
    const auto wanted = static_cast<std::size_t>(batch) * static_cast<std::size_t>(classes_);
    if (scores->values.size() != wanted) {
      return fail(ErrorCode::Internal,
                  fmt::format("the worker returned {} scores for a batch of {} and {} classes",
                              scores->values.size(), batch, classes_));
    }
    scores_ = std::move(scores->values);
    return std::span<const float>(scores_);
  }

 private:
  std::shared_ptr<Worker> worker_;
  std::string variant_;
  int classes_ = 0;
  std::uint64_t life_ = 0;
  std::vector<float> scores_;
};

}  // namespace

std::unique_ptr<InferenceEngine> make_external_engine(ExternalEngine options) {
  const auto load = [worker = options.worker, told = std::move(options.loaded)](
                        const CatalogueVariant& variant) -> Result<std::unique_ptr<Network>> {
    const Result<Loaded> loaded = worker->load(variant);
    if (!loaded) {
      return loaded.error();
    }
    if (told) {
      told(variant.variant.id, loaded->memory);
    }
    return std::make_unique<WorkerNetwork>(worker, variant.variant.id, loaded->classes);
  };
  const auto idle = [worker = options.worker] {
    worker->look();
    return worker->look_again();
  };
  return make_picture_engine({std::move(options.catalogue), load, options.busy, idle,
                              std::move(options.memory), decode_threads_beside()});
}

}  // namespace juggler::external
