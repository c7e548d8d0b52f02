#include "support/world.h"

#include <fmt/format.h>

#include "core/check.h"
#include "support/builders.h"
#include "support/world_host.h"

// This file: what happens in a run. The broker is in world_broker.cc, the shells in
// world_shells.cc.

namespace juggler::test {
namespace {

constexpr Micros kHealMargin = seconds(10);  // no fault lasts longer

}  // namespace

World::World(WorldPlan plan, PlantedBug bug)
    : plan_(std::move(plan)),
      bug_(bug),
      load_rng_(plan_.seed * 4 + 0),
      fault_rng_(plan_.seed * 4 + 1),
      network_rng_(plan_.seed * 4 + 2),
      device_rng_(plan_.seed * 4 + 3) {
  if (bug_ == PlantedBug::NoAttemptDeadline) {
    plan_.config.attempt_grace = seconds(36'000);
  }
  plan_.config.seed = plan_.seed;
  build_devices();
}

World::~World() = default;

void World::at(Time when, std::function<void()> what) {
  agenda_.emplace(std::pair{std::max(when, now_), ++last_entry_}, std::move(what));
}

void World::build_devices() {
  const std::vector<Variant> pool{variant("large-fp32", 82), variant("medium-fp32", 76),
                                  variant("small-int8", 68)};
  for (int d = 0; d < plan_.devices; ++d) {
    DeviceBuilder builder(fmt::format("dev-{}", d));
    const std::int64_t processors = plan_.same_devices ? 1 : between(device_rng_, 1, 2);
    for (std::int64_t p = 0; p < processors; ++p) {
      builder.processor(fmt::format("p{}", p));
      builder.window(plan_.same_devices ? 1 : static_cast<int>(between(device_rng_, 1, 3)));
      builder.batch_max(plan_.same_devices ? 1 : static_cast<int>(between(device_rng_, 1, 4)));
      for (std::size_t v = 0; v < pool.size(); ++v) {
        if (plan_.same_devices) {
          if (v == 0) {
            builder.serves(pool[v], milliseconds(40), energy_mj(100));
          }
          continue;
        }
        if (v > 0 && one_in(device_rng_, 3)) {
          continue;
        }
        const Micros latency{between(device_rng_, 5'000, 300'000)};
        std::optional<EnergyFigure> energy;
        if (!one_in(device_rng_, 4)) {
          energy = energy_mj(static_cast<double>(between(device_rng_, 10, 900)), 0.2);
        }
        builder.serves(pool[v], latency, energy);
      }
    }
    auto host = std::make_unique<Host>();
    host->facts = builder;
    host->facts.incarnation = 0;
    JUGGLER_CHECK(validate(host->facts).has_value(), "a world has sane devices");
    hosts_.push_back(std::move(host));
  }
}

void World::plan_load() {
  for (int i = 0; i < plan_.tasks; ++i) {
    SubmissionBuilder task(fmt::format("task-{}", i));
    const std::string replies = fmt::format("client-{}", load_rng_.below(3));
    const Time when = Time{between(load_rng_, 0, plan_.load.count)};
    if (!plan_.same_devices) {
      task.deadline(Micros{between(load_rng_, 150'000, plan_.deadline_max.count)});
      task.priority(static_cast<int>(load_rng_.below(10)));
      if (one_in(load_rng_, 3)) {
        task.min_accuracy(static_cast<double>(between(load_rng_, 60, 90)));
      }
      if (one_in(load_rng_, 4)) {
        task.max_energy_mj(static_cast<double>(between(load_rng_, 20, 1200)));
      }
    }
    task.reply_to(!plan_.same_devices && one_in(load_rng_, 20) ? "" : replies);
    const wire::Envelope message = wire::encode_submission(
        task,
        wire::make_body(std::string(static_cast<std::size_t>(between(load_rng_, 1, 64)), 'x')));
    const bool malformed = !plan_.same_devices && one_in(load_rng_, 30);
    wire::Envelope sent = message;
    if (malformed) {
      sent.content_type = "text/html";
    } else {
      accepted_.insert(task.build().key.id);
    }
    at(when, [this, sent] { put(wire::kTasksQueue, sent); });
    if (plan_.client_retries && one_in(load_rng_, 8)) {
      at(when + Micros{between(load_rng_, 1, 8'000'000)},
         [this, sent] { put(wire::kTasksQueue, sent); });
    }
  }
}

void World::plan_faults() {
  for (int i = 0; i < plan_.faults; ++i) {
    at(Time{between(fault_rng_, 1'000'000, plan_.load.count)}, [this] { fault(); });
  }
}

// One fault of the menu; whatever it takes away comes back within kHealMargin.
void World::fault() {
  Host& host = *hosts_[fault_rng_.below(hosts_.size())];
  const Micros lasts{between(fault_rng_, 10'000, 8'000'000)};
  const Micros brief{between(fault_rng_, 10'000, 900'000)};
  switch (fault_rng_.below(9)) {
    case 0:
      controller_down();
      at(now_ + lasts / 3, [this] { controller_up(); });
      return;
    case 1:
      if (plan_.client_retries) {
        return;
      }
      controller_died();
      at(now_ + lasts / 2, [this] { start_controller(); });
      return;
    case 2:
      device_down(host);
      at(now_ + lasts, [this, &host] { device_up(host); });
      return;
    case 3:
      device_died(host);
      // Half of them are back before their silence is noticed.
      at(now_ + (one_in(fault_rng_, 2) ? brief : lasts), [this, &host] { device_up(host); });
      return;
    case 4:
      host.slowness = 5;
      at(now_ + lasts, [&host] { host.slowness = 1; });
      return;
    case 5:
      host.failing = true;
      at(now_ + lasts, [&host] { host.failing = false; });
      return;
    case 6:
      host.deaf = true;
      return;
    case 7:
      if (host.consumer != nullptr) {
        device_step(host, DrainAsked{});
      }
      return;
    default:
      if (controller_ != nullptr && controller_link_.up) {
        controller_step(BrokerBlocked{true});
        at(now_ + lasts, [this] {
          if (controller_ != nullptr && controller_link_.up) {
            controller_step(BrokerBlocked{false});
          }
        });
      }
      if (one_in(fault_rng_, 2)) {
        gone_.insert("client-2");
      }
      return;
  }
}

void World::heal() {
  healed_ = true;
  if (controller_ == nullptr) {
    start_controller();
  }
  controller_up();
  for (const std::unique_ptr<Host>& host : hosts_) {
    host->slowness = 1;
    host->failing = false;
    host->deaf = false;
    device_up(*host);
  }
}

void World::run() {
  start_controller();
  for (const std::unique_ptr<Host>& host : hosts_) {
    Host& device = *host;
    at(Time{between(network_rng_, 0, 1'000'000)}, [this, &device] { device_up(device); });
  }
  plan_load();
  plan_faults();
  const Time healed = Time{} + plan_.load + kHealMargin;
  at(healed, [this] { heal(); });
  // A task that comes again after the heal has its whole deadline once more; orphans wait 10 s.
  const Time end = healed + plan_.deadline_max + seconds(20);
  while (!agenda_.empty() && agenda_.begin()->first.first <= end && broken_.size() < 20) {
    const auto entry = agenda_.extract(agenda_.begin());
    now_ = entry.key().first;
    entry.mapped()();
  }
  settle_books();
}

// Liveness: after the heal every accepted task has its answer and the queues are empty.
void World::settle_books() {
  for (const std::string& id : accepted_) {
    if (!answers_.contains(id)) {
      broken_.push_back(id + " was accepted and never answered");
    }
  }
  for (const char* queue : {wire::kTasksQueue, wire::kResultsQueue}) {
    if (!queues_[queue].ready.empty()) {
      broken_.push_back(fmt::format("{} messages stay in {}", queues_[queue].ready.size(), queue));
    }
  }
  for (const auto& [tag, delivery] : controller_link_.unacked) {
    if (delivery.first == wire::kTasksQueue || delivery.first == wire::kResultsQueue) {
      broken_.push_back("the controller never acked a message of " + delivery.first);
    }
  }
  for (const std::unique_ptr<Host>& host : hosts_) {
    if (!host->link.unacked.empty()) {
      broken_.push_back(host->facts.id + " never acked a dispatch");
    }
  }
  if (controller_->tasks().size() > 0) {
    broken_.push_back(fmt::format("{} tasks stay in the controller", controller_->tasks().size()));
  }
  if (!payloads_.empty()) {
    broken_.push_back(fmt::format("{} payloads are never dropped", payloads_.size()));
  }
}

std::string World::complaints() const {
  std::string text = checker_.report();
  for (const std::string& one : broken_) {
    text += one + "\n";
  }
  return text;
}

std::size_t World::completed() const { return finished_.size(); }

}  // namespace juggler::test
