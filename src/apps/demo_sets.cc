#include "apps/demo_sets.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "apps/json_fields.h"
#include "apps/quantities.h"

namespace juggler {
namespace {

using nlohmann::json;

constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();
constexpr std::size_t kFewPictures = 2;
constexpr std::size_t kBurstMin = 160;  // tasks at once: more than one processor does in time

struct Placement {
  std::string variant;
  std::string device;
  std::string processor;
  bool local = false;
  bool pretrained = false;
  double accuracy = 0.0;
  std::int64_t p95 = kNever;
  std::int64_t p95_batched = kNever;  // a task's share of the largest batch
  std::int64_t energy = kNever;
  std::int64_t energy_high = kNever;
};

// What answers `auto`: the variants of its model, of trained weights where there are such.
std::vector<Placement> placements(const json& answer, const std::string& local, bool pretrained) {
  std::vector<Placement> list;
  for (const json& variant : list_of(answer, "models")) {
    if (text_of(variant, "model") != text_of(answer, "auto_model") ||
        (pretrained && text_of(variant, "weights") != "pretrained")) {
      continue;
    }
    for (const json& place : list_of(variant, "placements")) {
      Placement placement;
      placement.variant = text_of(variant, "id");
      placement.device = text_of(place, "device");
      placement.processor = text_of(place, "processor");
      placement.local = placement.device == local;
      placement.pretrained = text_of(variant, "weights") == "pretrained";
      placement.accuracy = number_of(variant, "accuracy_percent").value_or(0);
      placement.p95 = integer_of(place, "latency_us_p95").value_or(kNever);
      const auto batch = integer_of(place, "batch_max_latency_us_p95");
      placement.p95_batched =
          batch.has_value()
              ? *batch / std::max<std::int64_t>(integer_of(place, "batch_max").value_or(1), 1)
              : placement.p95;
      placement.energy = integer_of(place, "energy_uj").value_or(kNever);
      if (const auto high = integer_of(place, "energy_uj_high")) {
        // At the board's input, where a task's limit is compared.
        const std::int64_t permille = integer_of(place, "to_board_input_permille").value_or(1000);
        placement.energy_high = *high * permille / 1000;
      }
      list.push_back(std::move(placement));
    }
  }
  return list;
}

// The one of least energy, as an idle fleet would choose without requirements.
const Placement* cheapest(const std::vector<Placement>& list) {
  const auto best = std::min_element(
      list.begin(), list.end(), [](const auto& a, const auto& b) { return a.energy < b.energy; });
  return best != list.end() ? &*best : nullptr;
}

// A variant that this machine serves best, with a deadline where only that keeps others away.
struct LocalChoice {
  std::string variant;
  std::optional<Micros> deadline;
};

std::optional<LocalChoice> local_choice(const std::vector<Placement>& list) {
  std::optional<LocalChoice> with_deadline;
  for (const Placement& mine : list) {
    if (!mine.local) {
      continue;
    }
    std::int64_t fastest = kNever;
    std::int64_t least = kNever;
    for (const Placement& other : list) {
      if (!other.local && other.variant == mine.variant) {
        fastest = std::min(fastest, other.p95);
        least = std::min(least, other.energy);
      }
    }
    // A tenth less energy: scopes differ, and decisions convert them.
    if (fastest == kNever || (mine.energy != kNever && mine.energy < least / 10 * 9)) {
      return LocalChoice{mine.variant, std::nullopt};
    }
    const std::int64_t needed = mine.p95 * 2 + 20'000;
    if (needed < fastest) {
      with_deadline = LocalChoice{mine.variant, Micros{(needed + fastest) / 2 / 1000 * 1000}};
    }
  }
  return with_deadline;
}

DemoSet burst(const Placement& usual, bool synthetic, std::size_t pictures) {
  DemoSet set;
  set.repeat = static_cast<int>((kBurstMin + pictures - 1) / std::max<std::size_t>(pictures, 1));
  const auto tasks = static_cast<std::int64_t>(pictures) * set.repeat;
  // Two fifths of the time that the usual processor needs for all of them in full batches, and a
  // constant part for this machine, which hosts broker, controller and all twins. It gets through
  // about two thirds by then: the tasks come one after another, and each has its own deadline.
  set.usual_takes = Micros{usual.p95_batched * tasks};
  const std::int64_t deadline_ms = set.usual_takes.count * 2 / 5 / 1000 + 60;
  set.requirements.deadline = milliseconds(deadline_ms);
  set.requirements.allow_synthetic = synthetic;
  set.show = DemoSet::Show::Grouped;
  set.expect = DemoSet::Expect::InTime;
  return set;
}

// Whether the processors beside the usual one get through a quarter of the tasks by the deadline,
// so that it shows that they take part. Only those count that need more than `least` for a task: of
// two equal boards, an energy limit keeps out neither.
bool others_can_help(const std::vector<Placement>& list, const Placement& usual,
                     const DemoSet& deadline, std::size_t tasks, Microjoules least) {
  std::map<std::string, std::int64_t> fastest;  // by processor: a task's time
  for (const Placement& other : list) {
    const bool elsewhere = other.device != usual.device || other.processor != usual.processor;
    if (!elsewhere || other.p95_batched == kNever || other.energy_high <= least.count) {
      continue;
    }
    const auto [at, added] =
        fastest.try_emplace(other.device + " " + other.processor, other.p95_batched);
    at->second = std::min(at->second, other.p95_batched);
  }
  std::int64_t done = 0;
  for (const auto& [processor, takes] : fastest) {
    done += deadline.requirements.deadline->count / std::max<std::int64_t>(takes, 1);
  }
  return done * 4 >= static_cast<std::int64_t>(tasks);
}

}  // namespace

bool any_pretrained(const json& answer) {
  const json& models = list_of(answer, "models");
  return std::any_of(models.begin(), models.end(), [&](const json& variant) {
    return text_of(variant, "weights") == "pretrained" &&
           text_of(variant, "model") == text_of(answer, "auto_model");
  });
}

std::vector<DemoSet> demo_sets(const json& answer, const std::string& local, std::size_t pictures) {
  const bool synthetic = !any_pretrained(answer);
  const std::vector<Placement> list = placements(answer, local, !synthetic);
  const Placement* usual = cheapest(list);
  if (usual == nullptr) {
    return {};
  }
  std::vector<DemoSet> sets;
  DemoSet plain;
  plain.title = "No requirements: least energy";
  plain.requirements.allow_synthetic = synthetic;
  sets.push_back(plain);

  double best_accuracy = 0;
  for (const Placement& placement : list) {
    best_accuracy = std::max(best_accuracy, placement.accuracy);
  }
  DemoSet floor = plain;
  floor.requirements.min_accuracy = MilliPercent{std::llround(std::floor(best_accuracy)) * 1000};
  floor.title =
      fmt::format("A tight accuracy floor: at least {}", show(*floor.requirements.min_accuracy));
  floor.pictures_max = kFewPictures;
  sets.push_back(floor);

  DemoSet deadline = burst(*usual, synthetic, pictures);
  const std::size_t tasks = pictures * static_cast<std::size_t>(deadline.repeat);
  deadline.title = fmt::format("A tight deadline: {} tasks at once, each within {}", tasks,
                               show(*deadline.requirements.deadline));
  if (others_can_help(list, *usual, deadline, tasks, Microjoules{0})) {
    deadline.beyond = 0;
  }
  sets.push_back(deadline);

  if (usual->energy_high != kNever) {
    DemoSet energy = deadline;
    energy.beyond.reset();
    const std::int64_t limit_mj = usual->energy_high / 1000 + 5;
    energy.requirements.max_energy = Microjoules{limit_mj * 1000};
    if (others_can_help(list, *usual, deadline, tasks, *energy.requirements.max_energy * 5 / 4)) {
      energy.unlike = sets.size() - 1;
    }
    energy.title = fmt::format(
        "A tight energy limit: the same {} tasks within {}, at most {} each at the board's input "
        "(upper end)",
        tasks, show(*deadline.requirements.deadline), show(*energy.requirements.max_energy));
    sets.push_back(energy);
  }
  std::optional<LocalChoice> mine = local_choice(list);
  if (!mine.has_value()) {
    mine = local_choice(placements(answer, local, /*pretrained=*/false));
  }
  if (mine.has_value()) {
    DemoSet here = plain;
    here.requirements.model = mine->variant;
    here.requirements.deadline = mine->deadline;
    here.title = fmt::format("A variant by name{}: answered by this machine, for real",
                             mine->deadline.has_value() ? " within " + show(*mine->deadline) : "");
    here.pictures_max = kFewPictures;
    sets.push_back(here);
  }
  DemoSet impossible = plain;
  impossible.requirements.min_accuracy = MilliPercent{99'000};
  impossible.title = "An impossible requirement: at least 99.0 %";
  impossible.expect = DemoSet::Expect::Rejected;
  impossible.pictures_max = 1;
  sets.push_back(impossible);
  return sets;
}

}  // namespace juggler
