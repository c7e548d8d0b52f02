#include "telemetry/metered_engine.h"

#include <utility>

namespace juggler {
namespace {

class MeteredEngine final : public InferenceEngine {
 public:
  MeteredEngine(std::unique_ptr<InferenceEngine> engine, std::string processor, EnergyMeter& meter)
      : engine_(std::move(engine)), processor_(std::move(processor)), meter_(meter) {}

  // What loading takes is not idle power, and no batch's.
  Result<void> load(const std::string& variant) override {
    const EnergyLedger::Ticket ticket = meter_.begin({processor_, "", 0});
    Result<void> loaded = engine_->load(variant);
    static_cast<void>(meter_.end(ticket));
    return loaded;
  }
  void unload(const std::string& variant) override { engine_->unload(variant); }
  Micros idle() override { return engine_->idle(); }
  std::vector<std::string> take_unloaded() override { return engine_->take_unloaded(); }

  BatchReport run(const std::string& variant, std::span<const EngineInput> inputs) override {
    const EnergyLedger::Ticket ticket = meter_.begin({processor_, variant, inputs.size()});
    BatchReport report = engine_->run(variant, inputs);
    if (std::optional<EnergyFigure> measured = meter_.end(ticket)) {
      report.energy = measured;
    }
    return report;
  }

 private:
  std::unique_ptr<InferenceEngine> engine_;
  std::string processor_;
  EnergyMeter& meter_;
};

}  // namespace

std::unique_ptr<InferenceEngine> make_metered_engine(std::unique_ptr<InferenceEngine> engine,
                                                     std::string processor, EnergyMeter& meter) {
  return std::make_unique<MeteredEngine>(std::move(engine), std::move(processor), meter);
}

}  // namespace juggler
