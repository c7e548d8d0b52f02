#include "sim/faults.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <utility>

#include "sim/world.h"

namespace juggler::sim {
namespace {

// What wakes a plan: a fault's number and what is to be done with it.
constexpr std::uint64_t kBegin = 0;
constexpr std::uint64_t kEnd = 1;
constexpr std::uint64_t kRamp = 2;
constexpr unsigned kWhatBits = 2;

constexpr Micros kRampStep = milliseconds(100);
// A fault drawn at random is over by then; half of the crashes are back before anybody missed them.
constexpr std::int64_t kLongestUs = 8'000'000;
constexpr std::int64_t kBriefUs = 900'000;
// A broker gives up a controller after 4 s, a client after 10.
constexpr std::int64_t kBriefCutUs = 3'000'000;
constexpr std::int64_t kLongestCutUs = 16'000'000;
constexpr std::int64_t kSlowStartUs = 20'000'000;  // twice orphan_result_max

std::int64_t between(Rng& rng, std::int64_t low, std::int64_t high) {
  return low + static_cast<std::int64_t>(rng.below(static_cast<std::uint64_t>(high - low + 1)));
}

std::int64_t permille(double factor) {
  return std::max<std::int64_t>(std::llround(factor * 1000), 1);
}
std::int64_t per_million(double probability) { return std::llround(probability * 1e6); }

}  // namespace

FaultPlan::FaultPlan(World& world, std::uint64_t seed)
    : world_(world), rng_(seed), faults_(world.scenario().faults) {
  for (int i = 0; i < world.scenario().random_faults; ++i) {
    faults_.push_back(draw());
  }
  Rng cuts(seed_of(world.options().seed, Stream::Faults, 1));
  for (int i = 0; i < world.options().random_cuts; ++i) {
    faults_.push_back(draw_cut(cuts));
  }
  for (const Fault& fault : faults_) {
    const Micros slow = fault.kind == FaultKind::BrokerRestart ? fault.delay : Micros{};
    over_ = std::max(over_, world.origin() + fault.at + fault.lasts + slow);
  }
}

// One of the menu, somewhere in the load's time.
Fault FaultPlan::draw() {
  constexpr std::array<FaultKind, 19> kMenu{
      FaultKind::MessageLoss,    FaultKind::Duplication,     FaultKind::Delay,
      FaultKind::Partition,      FaultKind::Partition,       FaultKind::Crash,
      FaultKind::Crash,          FaultKind::PowerLoss,       FaultKind::Straggler,
      FaultKind::Throttle,       FaultKind::ClockJump,       FaultKind::EngineError,
      FaultKind::SwizzleClog,    FaultKind::LostDispatch,    FaultKind::Drain,
      FaultKind::BrokerBlocked,  FaultKind::ControllerCrash, FaultKind::BrokerRestart,
      FaultKind::LoadOutOfMemory};
  Fault fault;
  fault.kind = kMenu[rng_.below(kMenu.size())];
  if (fault.kind == FaultKind::ControllerCrash && world_.options().controllers_stay) {
    fault.kind = FaultKind::BrokerBlocked;
  }
  fault.at = {between(rng_, 1'000'000,
                      std::max<std::int64_t>(world_.scenario().duration.count, 1'000'001))};
  fault.lasts = {between(rng_, 10'000, rng_.below(2) == 0 ? kBriefUs : kLongestUs)};
  if (!world_.scenario().devices.empty()) {
    const auto& devices = world_.scenario().devices;
    fault.device = devices[rng_.below(devices.size())].announced.id;
  }
  fault.direction = static_cast<LinkDirection>(rng_.below(3));
  fault.factor = fault.kind == FaultKind::Throttle ? 2.5 : 5.0;
  fault.ramp = fault.lasts / 3;
  fault.probability = fault.kind == FaultKind::EngineError ? 0.5 : 0.2;
  const std::int64_t delay_us_max = fault.kind == FaultKind::ClockJump       ? 5'000'000
                                    : fault.kind == FaultKind::BrokerRestart ? kSlowStartUs
                                                                             : 50'000;
  fault.delay = {between(rng_, 1'000, delay_us_max)};
  return fault;
}

// Of the leader, or of a client where the leader stays. Half of them are longer than what any side
// of the connection puts up with.
Fault FaultPlan::draw_cut(Rng& rng) const {
  Fault fault;
  fault.kind = rng.below(3) == 0 ? FaultKind::ControllerFreeze : FaultKind::ControllerPartition;
  if (world_.options().controllers_stay) {
    fault.kind = FaultKind::ClientPartition;
  }
  fault.at = {between(rng, 0, std::max<std::int64_t>(world_.scenario().duration.count, 1))};
  fault.lasts = {between(rng, 10'000, rng.below(2) == 0 ? kBriefCutUs : kLongestCutUs)};
  fault.direction = static_cast<LinkDirection>(rng.below(3));
  return fault;
}

void FaultPlan::plan() {
  for (std::size_t i = 0; i < faults_.size(); ++i) {
    world_.agenda().at(world_.origin() + faults_[i].at, *this, i << kWhatBits | kBegin);
  }
}

void FaultPlan::wake(std::uint64_t what) {
  if (healed_) {
    return;
  }
  const std::size_t index = what >> kWhatBits;
  switch (what & ((1U << kWhatBits) - 1)) {
    case kBegin:
      begin(index);
      return;
    case kEnd:
      end(index);
      return;
    default:
      ramp(index);
  }
}

std::vector<DeviceMachine*> FaultPlan::devices_of(const Fault& fault) {
  std::vector<DeviceMachine*> machines;
  for (const auto& device : world_.devices()) {
    if (fault.device.empty() || device->facts().id == fault.device) {
      machines.push_back(device.get());
    }
  }
  return machines;
}

// What a process had handed over last may never have left it.
std::size_t FaultPlan::lost_frames() { return rng_.below(2) == 0 ? 0 : rng_.below(6); }

void FaultPlan::begin(std::size_t index) {
  const Fault fault = faults_[index];
  Agenda& agenda = world_.agenda();
  if (world_.options().trace) {
    fmt::print(stderr, "{} fault {} {} for {}\n", agenda.now().us, to_string(fault.kind),
               fault.device, fault.lasts.count);
  }
  if (fault.lasts > Micros{0}) {
    agenda.at(agenda.now() + fault.lasts, *this, index << kWhatBits | kEnd);
  }
  switch (fault.kind) {
    case FaultKind::ControllerCrash:
      crash_controller();
      return;
    case FaultKind::ControllerPartition:
      if (const auto who = leader()) {
        world_.controllers()[*who]->transport().cut(fault.direction);
      }
      return;
    case FaultKind::ControllerFreeze:
      if (const auto who = leader()) {
        world_.controllers()[*who]->freeze();
      }
      return;
    case FaultKind::ClientPartition:
      world_.clients()[rng_.below(world_.clients().size())]->transport().cut(fault.direction);
      return;
    case FaultKind::BrokerRestart:
      world_.broker().stop();
      return;
    case FaultKind::BrokerBlocked:
      world_.broker().block(true);
      return;
    case FaultKind::Duplication:
      world_.broker().duplicate(per_million(fault.probability));
      return;
    case FaultKind::SwizzleClog:
      swizzle(fault);
      return;
    case FaultKind::Throttle:
      ramp(index);
      return;
    default:
      for (DeviceMachine* device : devices_of(fault)) {
        on_device(fault, *device, /*begins=*/true);
      }
  }
}

void FaultPlan::end(std::size_t index) {
  const Fault& fault = faults_[index];
  switch (fault.kind) {
    case FaultKind::ControllerCrash:
      for (const auto& controller : world_.controllers()) {
        if (!controller->runs()) {
          controller->begin();
        }
      }
      return;
    case FaultKind::ControllerPartition:
    case FaultKind::ControllerFreeze:
      for (const auto& controller : world_.controllers()) {
        controller->thaw();
        controller->transport().restore();
      }
      return;
    case FaultKind::ClientPartition:
      for (const auto& client : world_.clients()) {
        client->transport().restore();
      }
      return;
    case FaultKind::BrokerRestart:
      world_.broker().start(fault.delay);
      return;
    case FaultKind::BrokerBlocked:
      world_.broker().block(false);
      return;
    case FaultKind::Duplication:
      world_.broker().duplicate(0);
      return;
    case FaultKind::SwizzleClog:
      return;
    default:
      for (DeviceMachine* device : devices_of(fault)) {
        on_device(fault, *device, /*begins=*/false);
      }
  }
}

void FaultPlan::on_device(const Fault& fault, DeviceMachine& device, bool begins) {
  switch (fault.kind) {
    case FaultKind::MessageLoss:
      if (begins) {
        device.transport().lose_connection();
      }
      return;
    case FaultKind::Delay:
      device.link().up.stall(begins ? fault.delay : Micros{0});
      device.link().down.stall(begins ? fault.delay : Micros{0});
      return;
    case FaultKind::Partition:
      begins ? device.transport().cut(fault.direction) : device.transport().restore();
      return;
    case FaultKind::Crash:
    case FaultKind::PowerLoss:
    case FaultKind::Drain:
      if (!begins && !device.runs()) {
        device.begin();
      } else if (begins && device.runs() && fault.kind == FaultKind::Crash) {
        device.die(lost_frames());
      } else if (begins && device.runs() && fault.kind == FaultKind::PowerLoss) {
        device.lose_power();
      } else if (begins) {
        device.drain();
      }
      return;
    case FaultKind::Straggler:
    case FaultKind::Throttle:
      device.executor().slow_down(begins ? permille(fault.factor) : 1000);
      return;
    case FaultKind::ClockJump:
      if (begins) {
        device.jump(fault.delay);
      }
      return;
    case FaultKind::EngineError:
      device.executor().fail(begins ? per_million(fault.probability) : 0);
      return;
    case FaultKind::LoadOutOfMemory:
      device.executor().refuse_loads(begins);
      return;
    case FaultKind::LostDispatch:
      if (begins) {
        device.transport().lose_next_delivery();
      }
      return;
    default:
      return;
  }
}

// Hotter step by step.
void FaultPlan::ramp(std::size_t index) {
  const Fault& fault = faults_[index];
  const Time now = world_.agenda().now();
  const Micros since = now - (world_.origin() + fault.at);
  if (fault.lasts > Micros{0} && since >= fault.lasts) {
    return;
  }
  double share = 1.0;
  if (since < fault.ramp) {
    share = static_cast<double>(since.count) / static_cast<double>(fault.ramp.count);
    world_.agenda().at(now + kRampStep, *this, index << kWhatBits | kRamp);
  }
  for (DeviceMachine* device : devices_of(fault)) {
    device->executor().slow_down(permille(1.0 + (fault.factor - 1.0) * share));
  }
}

// After FoundationDB: a random part of the links stops one by one, and is released in another
// order, all within the fault's time.
void FaultPlan::swizzle(const Fault& fault) {
  std::vector<std::size_t> chosen;
  for (std::size_t d = 0; d < world_.devices().size(); ++d) {
    if (rng_.below(2) == 0) {
      chosen.push_back(d);
    }
  }
  const Micros lasts = fault.lasts > Micros{0} ? fault.lasts : seconds(5);
  for (const std::size_t d : chosen) {
    Fault one = fault;
    one.kind = FaultKind::Partition;
    one.device = world_.devices()[d]->facts().id;
    const std::int64_t starts = between(rng_, 0, lasts.count / 2);
    one.at = (world_.agenda().now() - world_.origin()) + Micros{starts};
    one.lasts = {between(rng_, lasts.count / 2, lasts.count) - starts};
    faults_.push_back(std::move(one));
    world_.agenda().at(world_.origin() + faults_.back().at, *this,
                       (faults_.size() - 1) << kWhatBits | kBegin);
  }
}

std::optional<std::size_t> FaultPlan::leader() const {
  std::optional<std::size_t> found;
  for (std::size_t c = 0; c < world_.controllers().size(); ++c) {
    const ControllerMachine& machine = *world_.controllers()[c];
    if (machine.leads()) {
      return c;
    }
    if (machine.runs()) {
      found = c;
    }
  }
  return found;
}

void FaultPlan::crash_controller() {
  if (const auto who = leader()) {
    world_.controller_died(*who);
    world_.controllers()[*who]->die(lost_frames());
  }
}

void FaultPlan::heal() {
  healed_ = true;
  Broker& broker = world_.broker();
  broker.start();
  broker.block(false);
  broker.duplicate(0);
  for (const auto& controller : world_.controllers()) {
    controller->thaw();
    controller->transport().restore();
    if (!controller->runs()) {
      controller->begin();
    }
  }
  for (const auto& client : world_.clients()) {
    client->transport().restore();
  }
  for (const auto& device : world_.devices()) {
    device->transport().restore();
    device->link().up.stall(Micros{0});
    device->link().down.stall(Micros{0});
    device->executor().slow_down(1000);
    device->executor().fail(0);
    device->executor().refuse_loads(false);
    if (!device->runs()) {
      device->begin();
    }
  }
}

}  // namespace juggler::sim
