#include "telemetry/nvml_meter.h"

#include <dlfcn.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "telemetry/printable.h"

namespace juggler {
namespace {

using Opened = Fact<std::unique_ptr<PowerMeter>>;

constexpr const char* kLibrary = "libnvidia-ml.so.1";
constexpr int kNotSupported = 3;  // NVML_ERROR_NOT_SUPPORTED

class NvmlMeter final : public PowerMeter {
 public:
  NvmlMeter(const NvmlApi& api, std::vector<void*> cards, std::string name,
            std::unique_ptr<PowerMeter> processors)
      : api_(api), cards_(std::move(cards)), processors_(std::move(processors)) {
    facts_.name = std::move(name);
    facts_.scope = PowerScope::Package;
    facts_.counter = true;
    // An H100's counter moves every 100 ms and takes 4 ms to read (measured, docs/energy.md): asked
    // as often, one slot would have no step and the next one two.
    facts_.period = milliseconds(200);
    facts_.window = milliseconds(100);
  }

  const MeterFacts& facts() const override { return facts_; }

  Fact<MeterReading> read(Time now) override {
    std::int64_t cards_uj = 0;
    for (void* card : cards_) {
      unsigned long long millijoules = 0;
      if (api_.energy(card, &millijoules) != 0) {
        return Fact<MeterReading>::absent(Absence::Failed, facts_.name);
      }
      cards_uj += static_cast<std::int64_t>(millijoules) * 1000;
    }
    std::int64_t processors_uj = 0;
    if (processors_ != nullptr) {
      const Fact<MeterReading> reading = processors_->read(now);
      if (!reading.value.has_value()) {
        return reading;
      }
      processors_uj = reading.value->energy.count;
    }
    // Either began anew: so does the sum, and whoever subtracts across it sees it go back.
    if (!begun_ || cards_uj < last_cards_uj_ || processors_uj < last_processors_uj_) {
      base_uj_ = cards_uj + processors_uj;
    }
    begun_ = true;
    last_cards_uj_ = cards_uj;
    last_processors_uj_ = processors_uj;
    return Fact<MeterReading>::of({.energy = {cards_uj + processors_uj - base_uj_}, .power = {}},
                                  facts_.name);
  }

 private:
  const NvmlApi& api_;
  std::vector<void*> cards_;
  std::unique_ptr<PowerMeter> processors_;
  MeterFacts facts_;
  bool begun_ = false;
  std::int64_t base_uj_ = 0;
  std::int64_t last_cards_uj_ = 0;
  std::int64_t last_processors_uj_ = 0;
};

std::string name_of(const NvmlApi& api, void* card) {
  std::array<char, 96> text{};
  if (api.name(card, text.data(), text.size() - 1) != 0) {
    return "NVIDIA GPU";
  }
  return printable(text.data());
}

std::optional<NvmlApi> load() {
  void* library = dlopen(kLibrary, RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    return std::nullopt;
  }
  bool whole = true;
  const auto take = [&](auto& function, const char* name) {
    function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(dlsym(library, name));
    whole = whole && function != nullptr;
  };
  NvmlApi api{};
  int (*init)() = nullptr;
  take(init, "nvmlInit_v2");
  take(api.count, "nvmlDeviceGetCount_v2");
  take(api.handle, "nvmlDeviceGetHandleByIndex_v2");
  take(api.name, "nvmlDeviceGetName");
  take(api.energy, "nvmlDeviceGetTotalEnergyConsumption");
  if (!whole || init() != 0) {
    dlclose(library);
    return std::nullopt;
  }
  return api;
}

}  // namespace

const NvmlApi* system_nvml() {
  static const std::optional<NvmlApi> api = load();
  return api.has_value() ? &*api : nullptr;
}

Opened open_nvml_meter(const NvmlApi* api, std::unique_ptr<PowerMeter> processors) {
  unsigned count = 0;
  if (api == nullptr || api->count(&count) != 0 || count == 0) {
    return Opened::absent(Absence::Missing, fmt::format("no card by {}", kLibrary));
  }
  std::vector<void*> cards(count);
  std::string name = "nvml";
  for (unsigned i = 0; i < count; ++i) {
    unsigned long long millijoules = 0;
    if (const int failed = api->handle(i, &cards[i]); failed != 0) {
      return Opened::absent(Absence::Failed, fmt::format("GPU {}: NVML error {}", i, failed));
    }
    const std::string card = name_of(*api, cards[i]);
    if (const int failed = api->energy(cards[i], &millijoules); failed != 0) {
      return Opened::absent(failed == kNotSupported ? Absence::NoData : Absence::Failed,
                            fmt::format("GPU {}, {}: NVML error {}", i, card, failed));
    }
    name += (i == 0 ? " " : " + ") + card;
  }
  if (processors != nullptr) {
    name += " + " + processors->facts().name;
  }
  auto meter = std::make_unique<NvmlMeter>(*api, std::move(cards), name, std::move(processors));
  return Opened::of(std::move(meter), std::move(name));
}

}  // namespace juggler
