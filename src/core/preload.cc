#include "core/preload.h"

#include <algorithm>
#include <cstddef>
#include <utility>

namespace juggler {
namespace {

constexpr std::int64_t kMemoryPart = 2;  // one half: the rest is for batches and for what comes
constexpr Micros kLoadMax = seconds(10);

// What a task takes, alone and in the largest batch.
bool takes_no_more(const ProfilePoint& a, const ProfilePoint& b) {
  if (a.latency_mean.count * b.batch > b.latency_mean.count * a.batch) {
    return false;
  }
  return !a.energy.has_value() || !b.energy.has_value() ||
         a.energy->value.count * b.batch <= b.energy->value.count * a.batch;
}

// Whether nobody would choose `profile` where there is `other`.
bool beats(const DeviceFacts& facts, const Profile& other, const Profile& profile) {
  const Variant& ours = *facts.find_variant(profile.variant);
  const Variant& theirs = *facts.find_variant(other.variant);
  const auto no_worse = [](const Profile& a, const Variant& va, const Profile& b,
                           const Variant& vb) {
    return va.accuracy >= vb.accuracy && takes_no_more(a.points.front(), b.points.front()) &&
           takes_no_more(a.points.back(), b.points.back());
  };
  // Most tasks take no answer by synthetic weights.
  const bool stands_in =
      theirs.weights == Weights::Pretrained || ours.weights == Weights::Synthetic;
  if (theirs.model != ours.model || !stands_in || !no_worse(other, theirs, profile, ours)) {
    return false;
  }
  return !no_worse(profile, ours, other, theirs) || other.variant < profile.variant;
}

std::vector<const Profile*> unbeaten(const DeviceFacts& facts, const Processor& processor) {
  std::vector<const Profile*> left;
  for (const Profile& profile : processor.profiles) {
    const bool beaten =
        std::any_of(processor.profiles.begin(), processor.profiles.end(),
                    [&](const Profile& p) { return &p != &profile && beats(facts, p, profile); });
    if (!beaten) {
      left.push_back(&profile);
    }
  }
  std::stable_sort(left.begin(), left.end(), [](const Profile* a, const Profile* b) {
    return a->points.front().latency_mean < b->points.front().latency_mean;
  });
  return left;
}

}  // namespace

std::vector<std::vector<std::string>> preload_set(const DeviceFacts& facts) {
  std::vector<std::vector<const Profile*>> wanted;
  std::size_t most = 0;
  for (const Processor& processor : facts.processors) {
    wanted.push_back(unbeaten(facts, processor));
    most = std::max(most, wanted.back().size());
  }
  std::vector<std::vector<std::string>> chosen(wanted.size());
  std::vector<Micros> loads(wanted.size());
  Bytes memory = facts.memory / kMemoryPart;
  // One of each processor, then the next of each: none of them is left with nothing.
  for (std::size_t rank = 0; rank < most; ++rank) {
    for (std::size_t p = 0; p < wanted.size(); ++p) {
      if (rank >= wanted[p].size()) {
        continue;
      }
      const Profile& profile = *wanted[p][rank];
      if (profile.memory <= memory && loads[p] + profile.load <= kLoadMax) {
        memory = memory - profile.memory;
        loads[p] = loads[p] + profile.load;
        chosen[p].push_back(profile.variant);
      }
    }
  }
  return chosen;
}

void state_preloads(DeviceFacts& facts) {
  std::vector<std::vector<std::string>> chosen = preload_set(facts);
  for (std::size_t p = 0; p < chosen.size(); ++p) {
    std::sort(chosen[p].begin(), chosen[p].end());
    facts.processors[p].loaded = std::move(chosen[p]);
  }
}

Micros load_time(const Processor& processor, const std::vector<std::string>& variants) {
  Micros sum;
  for (const Profile& profile : processor.profiles) {
    if (std::find(variants.begin(), variants.end(), profile.variant) != variants.end()) {
      sum = sum + profile.load;
    }
  }
  return sum;
}

}  // namespace juggler
