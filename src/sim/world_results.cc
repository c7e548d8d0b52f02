#include <fmt/format.h>

#include <algorithm>

#include "sim/world.h"
#include "wire/messages.h"

// This file: what a run has shown, and what must hold at its end.

namespace juggler::sim {
namespace {

constexpr std::size_t kComplaintsMax = 20;

std::size_t payloads_needed(const Controller& controller) {
  const auto& tasks = controller.tasks().all();
  return static_cast<std::size_t>(std::count_if(
      tasks.begin(), tasks.end(), [](const auto& task) { return task.second.payload_kept; }));
}

}  // namespace

void World::result_of_machines(RunResult& result) const {
  Microjoules idle_sum;
  bool all_known = true;
  for (const auto& machine : devices_) {
    const DeviceFacts& facts = machine->truth();
    DeviceResult device;
    device.id = facts.id;
    device.board = facts.board;
    if (facts.idle.has_value()) {
      device.idle_energy = Microjoules{facts.idle->count * (result.ran.count / 1000) *
                                       facts.to_board_input.factor_permille / 1000};
      idle_sum += *device.idle_energy;
    } else {
      all_known = false;
    }
    for (std::size_t p = 0; p < facts.processors.size(); ++p) {
      const ProcessorUse& use = machine->executor().use()[p];
      ProcessorResult processor{.id = facts.processors[p].id,
                                .batches = use.batches,
                                .tasks = use.tasks,
                                .busy = use.busy,
                                .energy = use.energy,
                                .batch_sizes = use.batch_sizes};
      processor.utilisation = static_cast<double>(use.busy.count) /
                              static_cast<double>(std::max<std::int64_t>(result.ran.count, 1));
      result.energy_total += use.energy;
      result.memory_refused += use.memory_refused;
      device.processors.push_back(std::move(processor));
    }
    result.devices.push_back(std::move(device));
  }
  result.power_peak = power_.peak();
  result.power_over = power_.over();
  if (all_known) {
    result.idle_energy = idle_sum;
  }
  const auto add = [&](const ControllerStats& stats) {
    result.dispatched += stats.dispatched;
    result.attempts_failed += stats.attempts_failed;
    result.attempts_timed_out += stats.attempts_timed_out;
  };
  add(stats_of_the_dead_);
  for (const auto& controller : controllers_) {
    if (controller->runs()) {
      add(controller->controller().stats());
    }
  }
}

// Liveness: every accepted task has its answer, and the queues are empty.
void World::settle_books() {
  if (checker_ != nullptr) {
    complaints_ = checker_->complaints();
  }
  const auto complain = [&](std::string what) {
    if (complaints_.size() < kComplaintsMax) {
      complaints_.push_back(std::move(what));
    }
  };
  for (const std::uint64_t task : metrics_.unanswered(kComplaintsMax)) {
    complain(fmt::format("{} was accepted at {} us and never answered", task_id(task),
                         metrics_.scheduled(task).us));
  }
  RunResult books;
  metrics_.write(books, agenda_.now());
  if (books.contradicted > 0) {
    complain(fmt::format("{} tasks were answered twice, differently", books.contradicted));
  }
  if (books.below_accuracy_floor > 0) {
    complain(fmt::format("{} tasks were answered below their floor", books.below_accuracy_floor));
  }
  for (const char* queue : {wire::kTasksQueue, wire::kResultsQueue}) {
    const std::size_t left = broker_.ready(queue) + broker_.unacked(queue);
    if (left > 0) {
      complain(fmt::format("{} messages stay in {}", left, queue));
    }
  }
  for (const auto& device : devices_) {
    const std::size_t left = broker_.unacked(device_queue(device->facts().id));
    if (left > 0 && device->runs()) {
      complain(fmt::format("{} never acked {} dispatches", device->facts().id, left));
    }
    if (device->runs() && device->shell().payloads() != device->consumer().jobs()) {
      complain(fmt::format("{} keeps {} payloads for {} jobs", device->facts().id,
                           device->shell().payloads(), device->consumer().jobs()));
    }
  }
  for (const auto& controller : controllers_) {
    if (controller->leads() && controller->controller().tasks().size() > 0) {
      complain(
          fmt::format("{} tasks stay in the controller", controller->controller().tasks().size()));
    }
    if (controller->runs()) {
      const std::size_t needed = payloads_needed(controller->controller());
      if (controller->shell().payloads() != needed) {
        complain(fmt::format("a controller keeps {} payloads, {} of live tasks",
                             controller->shell().payloads(), needed));
      }
    }
  }
  for (const auto& client : clients_) {
    for (const std::string& complaint : client->complaints()) {
      complain(complaint);
    }
  }
}

}  // namespace juggler::sim
