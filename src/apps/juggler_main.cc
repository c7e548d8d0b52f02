// juggler: the controller and the command line. Each subcommand has its own file.

#include "apps/commands.h"
#include "apps/version.h"

int main(int argc, char** argv) {
  using namespace juggler;  // NOLINT(google-build-using-namespace): main has no other names
  CLI::App app(
      "Juggler schedules machine-learning inference on a fleet of unlike edge devices: for every\n"
      "task the device, processor and model variant that meet its deadline, accuracy and energy\n"
      "limit at the least energy.",
      "juggler");
  app.set_version_flag("--version", version_text("juggler"));
  app.require_subcommand(1);
  app.footer(examples({"juggler up --twin jetson-orin-nano --twin raspberry-pi-5",
                       "juggler submit photo.jpg --min-accuracy 76 --deadline 200ms",
                       "juggler explain TASK"}) +
             "\nExit status: 0 done, 1 a task was not completed or a check failed, 2 usage, 3 no\n"
             "broker or controller. `juggler COMMAND --help` explains a command.");
  Action action;
  add_up_command(app, action);
  add_submit_command(app, action);
  add_query_commands(app, action);
  add_explain_command(app, action);
  add_dead_command(app, action);
  add_doctor_command(app, action, DoctorOf::Fleet);
  add_simulate_command(app, action);
  add_bench_command(app, action);
  add_replay_command(app, action);
  add_evaluate_command(app, action);
  add_plan_command(app, action);
  add_profile_command(app, action);
  add_controller_command(app, action);
  add_serve_command(app, action);
  add_token_command(app, action);
  add_broker_command(app, action);
  add_desk_command(app, action);
  add_keeper_command(app, action);
  add_fleet_command(app, action);
  return run_app(app, argc, argv, action);
}
