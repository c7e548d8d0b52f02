// What Juggler itself computes for one task, without a broker: submission, decision, dispatch,
// result, outcome, acks. The real shells and state machines of one controller and N devices run
// over in-process links, with the real codec and an engine that does nothing. One thread.
//
// Every task is checked: one outcome each, completed, with the label that the engine derived from
// the payload, every delivery acked. Or there is no figure. Instructions per stage, from callgrind:
// bench/README.md.
//
//   juggler-bench-task-path [--json FILE] [--tasks N] [--devices N] [--outstanding N] [--labels N]

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <chrono>
#include <cstdlib>
#include <ctime>
#include <deque>
#include <fstream>
#include <iostream>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/consumer.h"
#include "core/controller.h"
#include "runtime/consumer_shell.h"
#include "runtime/controller_shell.h"
#include "runtime/topology.h"
#include "wire/messages.h"

namespace {

using namespace juggler;  // NOLINT(google-build-using-namespace): a program of one file

constexpr int kVariants = 8;
constexpr int kWidth = 16;  // a picture of about 1 KB
constexpr int kHeight = 21;
constexpr Micros kCompute = milliseconds(2);

[[noreturn]] void no_figure(const std::string& why) {
  std::cerr << why << ": no figure\n";
  std::exit(1);
}

class VirtualClock final : public Clock {
 public:
  Time now() override { return now_; }
  std::int64_t unix_seconds() override { return 1'700'000'000; }
  void advance(Micros by) { now_ = now_ + by; }

 private:
  Time now_{1'000'000};
};

// One end of a link. What is published is confirmed at once and lies in `sent`.
class Link final : public Transport {
 public:
  void publish(PublishId id, wire::Envelope message) override {
    sent.push_back(std::move(message));
    events.push_back(TransportSettled{id, PublishEnd::Confirmed});
  }
  void ack(DeliveryId /*delivery*/) override { acked += 1; }
  void reject(DeliveryId /*delivery*/, bool /*requeue*/) override { no_figure("rejected"); }
  void enrol(const std::string& /*device*/) override {}
  void ask_presence(const std::string& /*device*/) override {}
  void poll(Micros /*wait_max*/, std::vector<TransportEvent>& out) override { out.swap(events); }
  void wake() override {}
  void close(Micros /*wait_max*/) override {}

  void deliver(const char* queue, wire::Envelope envelope) {
    delivered += 1;
    events.push_back(TransportDelivery{{1, ++tag}, queue, false, std::move(envelope)});
  }

  std::vector<wire::Envelope> sent;
  std::vector<TransportEvent> events;
  std::uint64_t tag = 0;
  std::uint64_t delivered = 0;
  std::uint64_t acked = 0;
};

// Answers at once with labels of which the first says what the payload begins with.
class InstantExecutor final : public Executor {
 public:
  explicit InstantExecutor(int labels) : labels_(labels) {}

  void start(BatchJob job) override {
    BatchDone done;
    done.id = job.id;
    done.report.compute = kCompute;
    for (const EngineInput& input : job.inputs) {
      EngineOutput output;
      output.status = AttemptStatus::Ok;
      output.labels.push_back({0, input.bytes->substr(0, 16), 0.8125});
      for (int i = 1; i < labels_; ++i) {
        output.labels.push_back({i, "Egyptian cat, of the fifth kind", 0.0312345678901234 / i});
      }
      done.report.outputs.push_back(std::move(output));
    }
    const Microjoules energy{static_cast<std::int64_t>(job.inputs.size()) * 12'345};
    done.report.energy =
        EnergyFigure{energy, energy / 2, energy * 2, Evidence::Measured, PowerScope::BoardInput};
    done_.push_back(std::move(done));
  }
  void collect(std::vector<BatchDone>& done) override {
    for (BatchDone& one : done_) {
      done.push_back(std::move(one));
    }
    done_.clear();
  }
  bool idle() const { return done_.empty(); }

 private:
  int labels_;
  std::vector<BatchDone> done_;
};

DeviceFacts facts_of(int number) {
  DeviceFacts facts;
  facts.id = fmt::format("device-{:04}", number);
  facts.board = "bench";
  facts.incarnation = 1;
  Processor processor;
  processor.id = "cpu0";
  processor.runtime = "noop";
  processor.window_batches = 16;
  processor.batch_max = 1;
  for (int v = 0; v < kVariants; ++v) {
    Variant variant;
    variant.id = fmt::format("network{}-fp32", v);
    variant.model = "imagenet";
    variant.network = fmt::format("network{}", v);
    variant.precision = "fp32";
    variant.accuracy = {70'000 + v * 1'000};
    variant.weights = Weights::Pretrained;
    facts.variants.push_back(variant);
    Profile profile;
    profile.variant = variant.id;
    EnergyFigure energy;
    energy.value = {10'000 + (number * 91 + v * 1'703) % 200'000};
    energy.low = energy.value;
    energy.high = energy.value * 2;
    profile.points.push_back({1, kCompute, kCompute * 6 / 5, energy});
    processor.profiles.push_back(profile);
  }
  facts.processors.push_back(processor);
  return facts;
}

struct Device {
  Device(int number, int labels, Clock& clock)
      : consumer(ConsumerConfig{}, facts_of(number)),
        executor(labels),
        shell(consumer, link, executor, clock, {}) {}

  bool idle() const { return link.events.empty() && executor.idle(); }

  Consumer consumer;
  Link link;
  InstantExecutor executor;
  ConsumerShell shell;
};

Submission submission_of(std::uint64_t number) {
  Submission task;
  task.key.id = fmt::format("0e6f2c1a-9b1f-4c39-8f0e-{:012x}", number);
  task.reply_to = "amq.gen-JzTY20BRgKO-HjmUJj0wLg";
  task.correlation_id = fmt::format("c{}", number);
  task.requirements.min_accuracy = MilliPercent{72'000};
  task.requirements.deadline = seconds(5);
  task.payload.kind = PayloadKind::RawRgb;
  task.payload.width = kWidth;
  task.payload.height = kHeight;
  return task;
}

class Path {
 public:
  Path(int devices, int labels)
      : controller_(config(), std::move(*make_policy("juggler"))),
        shell_(controller_, link_, clock_, options()) {
    link_.events.push_back(TransportConnected{1, 1, ""});
    for (int d = 0; d < devices; ++d) {
      devices_.emplace_back(d, labels, clock_);
      by_id_[devices_.back().consumer.facts().id] = &devices_.back();
      devices_.back().link.events.push_back(TransportConnected{1, 0, ""});
      devices_.back().link.events.push_back(TransportServing{true});
    }
    settle();
    clock_.advance(seconds(3));  // past the warm-up
    settle();
  }

  void submit(std::uint64_t number) {
    std::string payload = fmt::format("{:016x}", number);
    payload.resize(std::size_t{3} * kWidth * kHeight, 'x');
    wire::Envelope envelope =
        wire::encode_submission(submission_of(number), wire::make_body(std::move(payload)));
    envelope.user_id = "bench";
    link_.deliver(wire::kTasksQueue, std::move(envelope));
    clock_.advance(Micros{20});
  }

  // Runs everybody until nothing is under way.
  void settle() {
    bool busy = true;
    while (busy) {
      shell_.turn(Micros{0});
      route(link_);
      busy = false;
      for (Device& device : devices_) {
        while (!device.idle() || device.consumer.next_timer() <= clock_.now()) {
          device.shell.turn(Micros{0});
          route(device.link);
        }
      }
      busy = !link_.events.empty() || controller_.next_timer() <= clock_.now();
    }
  }

  void check(std::uint64_t tasks) {
    for (int i = 0; i < 20;
         ++i) {  // the acks of results wait for a mark; the last mark for another
      clock_.advance(milliseconds(50));
      settle();
    }
    if (outcomes_ != tasks || link_.delivered - link_.acked > 1 ||
        controller_.tasks().size() != 0 || controller_.stats().dispatched != tasks) {
      no_figure(
          fmt::format("a task was lost, refused, run twice or not acked: of {} tasks {} answered, "
                      "{} dispatched, "
                      "{} left; {} of {} deliveries acked",
                      tasks, outcomes_, controller_.stats().dispatched, controller_.tasks().size(),
                      link_.acked, link_.delivered));
    }
    for (const Device& device : devices_) {
      if (device.link.acked != device.link.delivered) {
        no_figure("a dispatch was not acked");
      }
    }
  }

 private:
  static ControllerConfig config() { return {}; }
  static ControllerShellOptions options() {
    ControllerShellOptions options;
    options.stamp_key = "a key of the benchmark";
    options.answered = [](const Outcome& outcome) {
      if (outcome.kind != OutcomeKind::Completed) {
        no_figure("not completed: " + outcome.reason);
      }
    };
    return options;
  }

  void route(Link& from) {
    for (wire::Envelope& envelope : from.sent) {
      if (envelope.exchange == wire::kDispatchExchange) {
        by_id_.at(envelope.routing_key)->link.deliver("tasks", std::move(envelope));
      } else if (envelope.exchange == wire::kUpExchange) {
        const bool result = envelope.routing_key.rfind("result.", 0) == 0;
        envelope.user_id = envelope.routing_key.substr(envelope.routing_key.find('.') + 1);
        link_.deliver(result ? wire::kResultsQueue : kEventsQueue, std::move(envelope));
      } else if (envelope.exchange ==
                 wire::kSubmitExchange) {  // a mark, behind the tasks before it
        link_.deliver(wire::kTasksQueue, std::move(envelope));
      } else if (envelope.exchange == wire::kControlExchange) {
        continue;  // how often to beat: these devices do not
      } else if (envelope.exchange.empty()) {
        take_outcome(envelope);
      } else {
        no_figure("an unexpected message to " + envelope.exchange);
      }
    }
    from.sent.clear();
  }

  // As the client would: the outcome belongs to a task, and its label to that task's payload.
  void take_outcome(const wire::Envelope& envelope) {
    outcomes_ += 1;
    const std::string wanted = fmt::format(
        "\"label\":\"{:016x}\"", std::strtoull(envelope.correlation_id.c_str() + 1, nullptr, 10));
    if (envelope.body->find(wanted) == std::string::npos) {
      no_figure("a wrong answer: " + *envelope.body);
    }
  }

  VirtualClock clock_;
  Link link_;
  Controller controller_;
  ControllerShell shell_;
  std::deque<Device> devices_;
  std::unordered_map<std::string, Device*> by_id_;
  std::uint64_t outcomes_ = 0;
};

double cpu_us() {
  timespec time{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) * 1e6 + static_cast<double>(time.tv_nsec) / 1e3;
}

// Apart, so that callgrind can be told to count only here (--toggle-collect=run_tasks*).
[[gnu::noinline]] void run_tasks(Path& path, std::uint64_t first, std::uint64_t last,
                                 std::uint64_t outstanding) {
  for (std::uint64_t task = first; task < last;) {
    for (std::uint64_t i = 0; i < outstanding && task < last; ++i) {
      path.submit(task++);
    }
    path.settle();
  }
}

}  // namespace

int main(int argc, char** argv) {
  spdlog::set_level(spdlog::level::warn);
  std::string json_path;
  std::uint64_t tasks = 100'000;
  std::uint64_t outstanding = 16;
  int devices = 10;
  int labels = 5;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string flag = argv[i];
    if (flag == "--json") {
      json_path = argv[i + 1];
    } else if (flag == "--tasks") {
      tasks = std::strtoull(argv[i + 1], nullptr, 10);
    } else if (flag == "--outstanding") {
      outstanding = std::strtoull(argv[i + 1], nullptr, 10);
    } else if (flag == "--devices") {
      devices = std::atoi(argv[i + 1]);
    } else if (flag == "--labels") {
      labels = std::atoi(argv[i + 1]);
    } else {
      std::cerr << "juggler-bench-task-path [--json FILE] [--tasks N] [--devices N] "
                   "[--outstanding N] [--labels N]\n";
      return 2;
    }
  }
  Path path(devices, labels);
  const std::uint64_t warm = tasks / 10;
  run_tasks(path, 0, warm, outstanding);
  const double begun = cpu_us();
  run_tasks(path, warm, warm + tasks, outstanding);
  const double us = (cpu_us() - begun) / static_cast<double>(tasks);
  path.check(warm + tasks);
  std::cout << fmt::format(
      "{} tasks, {} devices x {} variants, {} outstanding, {} labels: {:.2f} us of CPU per task, "
      "{:.0f} tasks per second of one core\n",
      tasks, devices, kVariants, outstanding, labels, us, 1e6 / us);
  if (!json_path.empty()) {
    std::ofstream(json_path) << fmt::format(
        "{{\"tasks\":{},\"devices\":{},\"variants\":{},\"outstanding\":{},\"labels\":{},"
        "\"cpu_us_per_task\":{:.3f}}}\n",
        tasks, devices, kVariants, outstanding, labels, us);
  }
  return 0;
}
