#include "apps/controller_flags.h"

#include <fmt/format.h>

#include "core/policies/policy.h"
#include "telemetry/log.h"

namespace juggler {

void declare_controller_flags(CLI::App& app, ControllerFlags& flags) {
  add_broker_flags(app, flags.broker);
  app.add_option("--policy", flags.policy,
                 "How placements are chosen, and with what goal (see juggler policies)")
      ->capture_default_str();
  app.add_option("--auto-model", flags.auto_model, "What the model `auto` means [imagenet]")
      ->type_name("MODEL");
  app.add_flag("--allow-synthetic", flags.allow_synthetic,
               "Let `auto` choose variants with synthetic weights");
  add_percent(app, "--min-accuracy", flags.min_accuracy, "Default floor, percent top-1 [none]");
  add_duration(app, "--deadline", flags.deadline, "Default deadline [10s]");
  add_energy(app, "--max-energy", flags.max_energy, "Default energy limit per task [none]");
  add_power(app, "--power-max", flags.power_max,
            "What all devices together may take, at rest and at work [no limit]");
  app.add_option("--attempts-max", flags.attempts_max, "Attempts before a task fails [3]")
      ->check(CLI::Range(1, 20))
      ->type_name("N");
  app.add_option("--seed", flags.seed, "Of policies that draw lots [1]")->type_name("N");
  app.add_option("--journal", flags.journal,
                 "Write every event to this folder, for juggler replay [off]")
      ->type_name("DIR");
  add_size(app, "--journal-max", flags.journal_max,
           "Of the journal on disk; the oldest is deleted [256MiB]");
  app.add_flag("--standby", flags.standby,
               "Give way to a controller that starts beside this one");
  add_config_flag(app, flags.config);
  app.add_option("--log-level", flags.log_level, "trace, debug, info, warn, error or off")
      ->capture_default_str();
  app.add_flag("--json", flags.json,
               "Start, tasks that were not completed, and end, as JSON lines on stdout");
  app.footer(examples({"juggler controller --broker-file /etc/juggler/broker --min-accuracy 75",
                       "juggler controller --policy juggler@latency --deadline 500ms",
                       "juggler controller --journal /var/lib/juggler/journal",
                       "juggler controller --standby --broker-file /etc/juggler/broker"}));
}

Result<ControllerFlags> read_controller_config(const std::string& file) {
  CLI::App app;
  ControllerFlags flags;
  declare_controller_flags(app, flags);
  if (Result<void> applied = apply_config(app, file); !applied) {
    return applied.error();
  }
  if (const auto policy = make_policy(flags.policy); !policy) {
    return fail(ErrorCode::InvalidArgument, file + ": " + policy.error().message);
  }
  if (Result<void> level = check_log_level(flags.log_level); !level) {
    return fail(ErrorCode::InvalidArgument, file + ": " + level.error().message);
  }
  return flags;
}

}  // namespace juggler
