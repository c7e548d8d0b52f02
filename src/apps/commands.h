#pragma once
// The subcommands of `juggler`. Each adds its flags to the program and, where it is given, sets the
// action that runs after parsing.

#include "apps/flags.h"

namespace juggler {

void add_up_command(CLI::App& app, Action& action);
void add_controller_command(CLI::App& app, Action& action);
void add_submit_command(CLI::App& app, Action& action);
void add_query_commands(CLI::App& app, Action& action);  // devices, models, policies, tasks, status
void add_device_drain(CLI::App& devices, Action& action);  // under `devices`
void add_dead_command(CLI::App& app, Action& action);
// enrol, rotate, revoke: under `devices`
void add_device_logins(CLI::App& devices, Action& action);
void add_desk_command(CLI::App& app, Action& action);
void add_device_notes(CLI::App& devices, Action& action);  // label, group: under `devices`
void add_device_names(CLI::App& devices, Action& action);  // remove, rename: under `devices`
void add_own_models(CLI::App& models, Action& action);     // add, remove: under `models`
void add_fleet_models(CLI::App& models, Action& action);   // want, rollout, rollback: likewise
// Says that a variant goes to the devices of WHERE one after the other.
Result<void> begin_rollout(const std::string& home, const std::string& variant,
                           const std::string& where);
void add_fleet_command(CLI::App& app, Action& action);
void add_keeper_command(CLI::App& app, Action& action);
void add_invite_command(CLI::App& devices, Action& action);  // under `devices`
void add_broker_command(CLI::App& app, Action& action);
void add_explain_command(CLI::App& app, Action& action);
// Whose doctor: a machine's that runs a fleet, or a board's.
enum class DoctorOf { Fleet, Board };
void add_doctor_command(CLI::App& app, Action& action, DoctorOf of);
void add_simulate_command(CLI::App& app, Action& action);
void add_bench_command(CLI::App& app, Action& action);
void add_replay_command(CLI::App& app, Action& action);
void add_evaluate_command(CLI::App& app, Action& action);
void add_plan_command(CLI::App& app, Action& action);
void add_profile_command(CLI::App& app, Action& action);        // and profile compare
void add_calibrate_command(CLI::App& profile, Action& action);  // profile calibrate
void add_serve_command(CLI::App& app, Action& action);
void add_token_command(CLI::App& app, Action& action);

}  // namespace juggler
