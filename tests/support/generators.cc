#include <gtest/gtest.h>
// First, or RapidCheck's header does not compile.
#include "support/generators.h"

#include <algorithm>

namespace juggler::test {
namespace {

std::int64_t any_count(std::int64_t max) {
  return *rc::gen::weightedOneOf<std::int64_t>(
      {{6, rc::gen::inRange<std::int64_t>(0, std::min<std::int64_t>(max, 1'000'000))},
       {1, rc::gen::just<std::int64_t>(0)},
       {1, rc::gen::just(max)}});
}

int any_int(int min, int max) { return *rc::gen::inRange(min, max + 1); }

template <class T>
std::optional<T> maybe(rc::Gen<T> gen) {
  return *rc::gen::arbitrary<bool>() ? std::optional<T>(*std::move(gen)) : std::nullopt;
}

template <class Enum>
Enum any_of(std::initializer_list<Enum> values) {
  return *rc::gen::elementOf(std::vector<Enum>(values));
}

Evidence any_evidence() {
  return any_of({Evidence::Measured, Evidence::Published, Evidence::Derived, Evidence::Estimated,
                 Evidence::Assumed});
}

std::vector<Label> any_labels() {
  std::vector<Label> labels(static_cast<std::size_t>(any_int(0, 5)));
  for (Label& label : labels) {
    label = {any_int(0, 999), *any_text(0, 20), any_int(0, 1000) / 1000.0};
  }
  return labels;
}

AttemptId any_attempt() {
  return {{*any_text(1, 40), *any_text(1, 40)}, any_count(INT64_MAX), any_int(1, 1000)};
}

}  // namespace

rc::Gen<std::string> any_text(std::size_t size_min, std::size_t size_max) {
  return rc::gen::exec([size_min, size_max] {
    static const std::vector<std::string> pieces{"a",  "z",  "0",  "9",        "-", ".",
                                                 "\"", "\\", "\n", "\xc3\xa4", " ", "\xe2\x82\xac"};
    const auto size = *rc::gen::inRange(size_min, size_max + 1);
    std::string text;
    while (text.size() < size) {
      const std::string piece = *rc::gen::elementOf(pieces);
      text += text.size() + piece.size() <= size ? piece : "x";
    }
    return text;
  });
}

rc::Gen<std::string> any_name() {
  return rc::gen::exec([] {
    const auto size = *rc::gen::inRange<std::size_t>(1, 20);
    std::string name;
    while (name.size() < size) {
      name += *rc::gen::elementOf(std::string("abcxyz0189-"));
    }
    return name;
  });
}

PowerScope any_energy_scope() {
  return any_of({PowerScope::ModuleRail, PowerScope::RailSum, PowerScope::BoardInput,
                 PowerScope::Wall, PowerScope::Package});
}

rc::Gen<EnergyFigure> any_energy() {
  return rc::gen::exec([] {
    EnergyFigure energy;
    energy.low = {any_count(1'000'000'000)};
    energy.value = energy.low + Microjoules{any_count(1'000'000'000)};
    energy.high = energy.value + Microjoules{any_count(1'000'000'000)};
    energy.evidence = any_evidence();
    energy.scope = any_energy_scope();
    return energy;
  });
}

rc::Gen<Submission> any_submission() {
  return rc::gen::exec([] {
    Submission task;
    task.reply_to = *rc::gen::oneOf(rc::gen::just(std::string()), any_text(1, 60));
    task.key = {"reply_to:" + task.reply_to, *any_text(1, kTaskIdMax)};
    task.correlation_id = *any_text(0, 60);
    Requirements& wanted = task.requirements;
    wanted.model = *any_text(1, 60);
    wanted.min_accuracy = maybe(rc::gen::map(rc::gen::inRange<std::int64_t>(0, 100'001),
                                             [](std::int64_t n) { return MilliPercent{n}; }));
    wanted.deadline = maybe(rc::gen::map(rc::gen::inRange<std::int64_t>(1, 86'400'000'000),
                                         [](std::int64_t n) { return Micros{n}; }));
    wanted.max_energy = maybe(rc::gen::map(rc::gen::inRange<std::int64_t>(0, 1'000'000'000'000),
                                           [](std::int64_t n) { return Microjoules{n}; }));
    wanted.priority = any_int(0, kPriorityMax);
    wanted.top_k = any_int(1, kTopKMax);
    wanted.allow_synthetic = *rc::gen::arbitrary<bool>();
    task.payload.kind = any_of({PayloadKind::Jpeg, PayloadKind::Png, PayloadKind::RawRgb,
                                PayloadKind::FloatTensor, PayloadKind::Opaque});
    task.payload.size = {any_int(1, 500)};
    if (task.payload.kind == PayloadKind::RawRgb) {
      task.payload.width = any_int(1, 10);
      task.payload.height = any_int(1, 10);
      task.payload.size = Bytes{3} * task.payload.width * task.payload.height;
    }
    task.redelivered = *rc::gen::arbitrary<bool>();
    return task;
  });
}

rc::Gen<Dispatch> any_dispatch() {
  return rc::gen::exec([] {
    Dispatch dispatch;
    dispatch.attempt = any_attempt();
    dispatch.device = *any_name();
    dispatch.processor = *any_name();
    dispatch.variant = *any_text(1, 60);
    dispatch.batch = any_count(INT64_MAX);
    dispatch.batch_size = any_int(1, 1024);
    dispatch.budget = {any_count(1'000'000'000'000)};
    dispatch.priority = any_int(0, kPriorityMax);
    dispatch.top_k = any_int(1, kTopKMax);
    dispatch.fall_back.resize(static_cast<std::size_t>(any_int(0, 3)));
    for (std::string& processor : dispatch.fall_back) {
      processor = *any_name();
    }
    dispatch.stamp = *any_text(0, 16);
    dispatch.payload.kind = any_of({PayloadKind::Jpeg, PayloadKind::Png, PayloadKind::RawRgb,
                                    PayloadKind::FloatTensor, PayloadKind::Opaque});
    dispatch.payload.size = {any_int(0, 500)};
    dispatch.payload.width = any_int(0, 16384);
    dispatch.payload.height = any_int(0, 16384);
    return dispatch;
  });
}

rc::Gen<AttemptResult> any_result() {
  return rc::gen::exec([] {
    AttemptResult result;
    result.attempt = any_attempt();
    result.device = *any_name();
    result.processor = *any_name();
    result.variant = *any_text(1, 60);
    result.status = any_of({AttemptStatus::Ok, AttemptStatus::Error, AttemptStatus::BadPayload,
                            AttemptStatus::Expired, AttemptStatus::Refused});
    result.reason = *any_text(0, 100);
    result.fell_back = *any_text(0, 100);
    result.labels = any_labels();
    result.synthetic_labels = *rc::gen::arbitrary<bool>();
    result.queued = {any_count(1'000'000'000'000)};
    result.compute = {any_count(1'000'000'000'000)};
    result.slowed = std::min(result.compute, Micros{any_count(1'000'000)});
    result.batch_size = any_int(1, 1024);
    result.energy = maybe(any_energy());
    result.redelivered = *rc::gen::arbitrary<bool>();
    result.stamp = *any_text(0, 16);
    return result;
  });
}

// All that stands in a heartbeat's object `host`, beside what is there.
HostSample any_host(HostSample host) {
  const auto any_share = [] { return maybe(rc::gen::inRange<std::int64_t>(0, 1001)); };
  host.age = Micros{any_count(1'000'000'000)};
  host.gpu_load_permille = any_share();
  host.memory_pressure_permille = any_share();
  host.gpu_clock_hz = maybe(rc::gen::inRange<std::int64_t>(0, 2'000'000'000));
  host.dla_active = maybe(rc::gen::inRange<std::int64_t>(0, 3));
  host.throttled = maybe(rc::gen::arbitrary<bool>());
  host.under_voltage = maybe(rc::gen::arbitrary<bool>());
  host.received_bytes_per_s = maybe(rc::gen::inRange<std::int64_t>(0, INT64_MAX));
  host.sent_bytes_per_s = any_share();
  host.power_mode = *any_text(0, 20);
  host.battery_permille = any_share();
  host.battery_charges = maybe(rc::gen::arbitrary<bool>());
  const EnergyFigure figure = *any_energy();
  host.power = PowerNow{{any_count(1'000'000)}, figure.scope, figure.evidence};
  return host;
}

rc::Gen<Heartbeat> any_heartbeat() {
  return rc::gen::exec([] {
    Heartbeat beat;
    beat.device = *any_name();
    beat.incarnation = any_count(INT64_MAX);
    beat.draining = *rc::gen::arbitrary<bool>();
    beat.leaving = *rc::gen::arbitrary<bool>();
    beat.serving = *rc::gen::arbitrary<bool>();
    beat.host.memory_free = maybe(rc::gen::map(rc::gen::inRange<std::int64_t>(0, INT64_MAX),
                                               [](std::int64_t n) { return Bytes{n}; }));
    beat.host.cpu_load_permille = maybe(rc::gen::inRange<std::int64_t>(0, 1001));
    beat.host.temperature_millicelsius = maybe(rc::gen::inRange<std::int64_t>(-100'000, 250'001));
    if (*rc::gen::arbitrary<bool>()) {
      beat.host = any_host(beat.host);
    }
    beat.running.resize(static_cast<std::size_t>(any_int(0, 4)));
    for (StartedAttempt& started : beat.running) {
      started = {any_attempt(), *any_text(0, 16)};
    }
    const auto any_lane_variants = [](bool with_reasons) {
      std::vector<LaneVariant> list(static_cast<std::size_t>(any_int(0, 3)));
      for (LaneVariant& one : list) {
        one = {*any_name(), *any_text(1, 40), with_reasons ? *any_text(0, 40) : std::string()};
      }
      return list;
    };
    beat.unloaded = any_lane_variants(false);
    beat.stopped = any_lane_variants(true);
    return beat;
  });
}

rc::Gen<DeviceFacts> any_facts() {
  return rc::gen::exec([] {
    DeviceFacts facts;
    facts.id = *any_name();
    facts.board = *any_text(1, 40);
    facts.title = *any_text(0, 40);
    facts.twin = *rc::gen::arbitrary<bool>();
    facts.incarnation = any_count(INT64_MAX);
    facts.memory = {any_count(INT64_MAX / 4)};
    facts.idle = maybe(rc::gen::map(rc::gen::inRange<std::int64_t>(0, 10'000'001),
                                    [](std::int64_t n) { return Milliwatts{n}; }));
    facts.to_board_input.factor_permille = any_int(100, 10'000);
    if (*rc::gen::arbitrary<bool>()) {
      facts.to_board_input.from = any_energy_scope();
    }
    facts.power_max = maybe(rc::gen::map(rc::gen::inRange<std::int64_t>(0, 1'000'000'001),
                                         [](std::int64_t n) { return Milliwatts{n}; }));
    facts.battery_permille_min = any_int(0, 1000);
    const int variants = any_int(0, 4);
    for (int i = 0; i < variants; ++i) {
      Variant variant;
      variant.id = "v" + std::to_string(i) + *any_text(0, 10);
      variant.model = *any_text(1, 20);
      variant.network = *any_text(0, 20);
      variant.precision = *any_text(0, 8);
      variant.accuracy = {any_int(0, 100'000)};
      variant.accuracy_evidence = any_evidence();
      variant.weights = any_of({Weights::Pretrained, Weights::Synthetic});
      variant.sha256 = *any_text(0, 64);
      facts.variants.push_back(std::move(variant));
    }
    const int processors = any_int(0, 3);
    for (int i = 0; i < processors; ++i) {
      Processor processor;
      processor.id = "p" + std::to_string(i);
      processor.kind = any_of({ProcessorKind::Cpu, ProcessorKind::Gpu, ProcessorKind::Dla});
      processor.runtime = *any_text(0, 60);
      processor.window_batches = any_int(1, 64);
      processor.batch_max = any_int(1, 1024);
      for (const Variant& variant : facts.variants) {
        Profile profile;
        profile.variant = variant.id;
        profile.memory = {any_count(INT64_MAX / 4)};
        profile.load = {any_count(1'000'000'000)};
        profile.evidence = any_evidence();
        profile.source = *any_text(0, 60);
        const int points = any_int(1, 4);
        for (int b = 1; b <= points; ++b) {
          ProfilePoint point;
          point.batch = b * b;
          point.latency_mean = {any_int(1, 1'000'000)};
          point.latency_p95 = point.latency_mean + Micros{any_int(0, 1'000'000)};
          point.energy = maybe(any_energy());
          profile.points.push_back(point);
        }
        processor.profiles.push_back(std::move(profile));
        if (any_int(0, 1) == 1) {
          processor.loaded.push_back(variant.id);
        }
      }
      for (int other = 0; other < processors; ++other) {
        if (other != i && any_int(0, 1) == 1) {
          processor.slowed_by.push_back({"p" + std::to_string(other), any_int(1000, 10'000)});
        }
      }
      facts.processors.push_back(std::move(processor));
    }
    return facts;
  });
}

rc::Gen<Outcome> any_outcome() {
  return rc::gen::exec([] {
    Outcome outcome;
    outcome.key = {*any_text(0, 60), *any_text(1, kTaskIdMax)};
    outcome.kind = any_of(
        {OutcomeKind::Completed, OutcomeKind::Rejected, OutcomeKind::Expired, OutcomeKind::Failed});
    outcome.reason = *any_text(0, 200);
    outcome.total = {any_count(1'000'000'000'000)};
    outcome.deadline = maybe(rc::gen::map(rc::gen::inRange<std::int64_t>(0, 600'000'000),
                                          [](std::int64_t n) { return Micros{n}; }));
    outcome.attempts.resize(static_cast<std::size_t>(any_int(0, 3)));
    for (AttemptRecord& attempt : outcome.attempts) {
      attempt = {*any_name(), *any_name(), *any_text(0, 40), *any_text(0, 40)};
    }
    if (outcome.kind != OutcomeKind::Completed) {
      return outcome;
    }
    outcome.labels = any_labels();
    outcome.device = *any_name();
    outcome.processor = *any_name();
    outcome.variant = *any_text(1, 60);
    outcome.twin = *rc::gen::arbitrary<bool>();
    outcome.runtime = *any_text(0, 60);
    outcome.accuracy = {any_int(0, 100'000)};
    outcome.accuracy_evidence = any_evidence();
    outcome.weights = any_of({Weights::Pretrained, Weights::Synthetic});
    outcome.energy = maybe(any_energy());
    outcome.waiting = {any_count(1'000'000'000)};
    outcome.network = {any_count(1'000'000'000)};
    outcome.queued = {any_count(1'000'000'000)};
    outcome.compute = {any_count(1'000'000'000)};
    return outcome;
  });
}

}  // namespace juggler::test
