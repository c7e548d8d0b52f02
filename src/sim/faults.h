#pragma once
// What goes wrong in a run: the faults that a scenario lists, and others that are drawn from the
// seed. Whatever a fault takes away comes back at its end, or when the run heals.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/rng.h"
#include "sim/agenda.h"
#include "sim/scenario.h"

namespace juggler::sim {

class World;
class DeviceMachine;

class FaultPlan final : public Sleeper {
 public:
  // Draws as many random faults as the scenario asks for.
  FaultPlan(World& world, std::uint64_t seed);

  // Puts everything into the agenda.
  void plan();
  // Ends whatever still goes on, and brings back whatever is away.
  void heal();
  // When the last one has ended by itself.
  Time over() const { return over_; }

  void wake(std::uint64_t what) override;

 private:
  Fault draw();
  Fault draw_cut(Rng& rng) const;
  void begin(std::size_t index);
  void end(std::size_t index);
  void on_device(const Fault& fault, DeviceMachine& device, bool begins);
  void ramp(std::size_t index);
  void swizzle(const Fault& fault);
  std::vector<DeviceMachine*> devices_of(const Fault& fault);
  // The leader, or the last of those that run; nothing where none does.
  std::optional<std::size_t> leader() const;
  void crash_controller();
  std::size_t lost_frames();

  World& world_;
  Rng rng_;
  std::vector<Fault> faults_;
  Time over_;
  bool healed_ = false;
};

}  // namespace juggler::sim
