#pragma once
// Baseline: Proteus (Ahmad et al., ASPLOS 2024): a programme, solved anew every few seconds for the
// demand that was seen, says which variants run where and which share of the queries each gets;
// accuracy is scaled down only as far as the demand asks for it. Batches wait as long as their
// deadline allows (not work-conserving).
//
// Deviations. Theirs is an integer programme that also chooses which one variant each device holds;
// here a device holds all of its variants, so a linear programme says the shares, also within a
// device. It serves as much of the demand as it can, then maximises accuracy; theirs lowers the
// demand until everything fits, which ends at the same. As there, a batch may take half of the
// deadline at most. Energy counts for nothing. The seconds between two programmes are ours (10;
// theirs, of a slower solver, were 30); the demand is that of the seconds before, and a tenth more.
//
// The programme is solved outside the controller's step, by an observer beside it; so this policy
// exists in simulations, not in `juggler controller`.

#include <memory>
#include <string_view>

#include "core/policies/policy.h"
#include "runtime/controller_shell.h"

namespace juggler::evaluation {

inline constexpr std::string_view kProteus = "proteus";

// Both sides of it: the policies that it makes read the shares of the last programme. Lives longer
// than they do.
//
// thread  that of the simulated world
class Proteus final : public ControllerObserver {
 public:
  Proteus();
  ~Proteus() override;

  std::unique_ptr<Policy> make_policy();

  // Solves the programme where it is time to.
  void before(Time now, ControllerEvent& event) override;
  void after(Time now, const ControllerEvent& event,
             std::vector<ControllerAction>& actions) override;

  int programmes() const;  // solved so far

 private:
  struct Book;
  class Rule;
  std::shared_ptr<Book> book_;
};

// The names of policies that simulations take beside make_policy()'s: checks one of either kind.
//
// errors  as make_policy()
Result<void> check_simulated_policy(std::string_view name);

}  // namespace juggler::evaluation
