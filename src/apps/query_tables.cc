#include "apps/query_tables.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "apps/host_line.h"
#include "apps/json_fields.h"
#include "apps/quantities.h"

namespace juggler {
namespace {

using nlohmann::json;
using Fit = Column::Fit;

constexpr std::size_t kTasksShown = 30;

std::string count_of(const json& object, const char* key) {
  const auto value = integer_of(object, key);
  return value.has_value() ? fmt::format("{}", *value) : "-";
}

std::string duration_of(const json& object, const char* key) {
  const auto value = integer_of(object, key);
  return value.has_value() ? show(Micros{*value}) : "-";
}

std::string percent_of(const json& object, const char* key) {
  const auto value = number_of(object, key);
  return value.has_value() ? fmt::format("{:.1f} %", *value) : "-";
}

std::string one_or(const std::string& text, const char* otherwise) {
  return text.empty() ? otherwise : text;
}

// The cheapest placement of a variant by energy, else by time.
const json* best_placement(const json& placements) {
  const json* best = nullptr;
  const auto key = [](const json& placement) {
    return std::pair(integer_of(placement, "energy_uj").value_or(INT64_MAX),
                     integer_of(placement, "latency_us_mean").value_or(INT64_MAX));
  };
  for (const json& placement : placements) {
    if (placement.is_object() && (best == nullptr || key(placement) < key(*best))) {
      best = &placement;
    }
  }
  return best;
}

}  // namespace

std::string devices_text(const json& answer, const Screen& screen) {
  Table table({{.title = "device", .fit = Fit::Id, .least = 16},
               {.title = "board", .fit = Fit::Cut, .least = 5},
               {.title = "state"},
               {.title = "processor"},
               {.title = "runtime", .fit = Fit::Cut, .least = 12, .leave_out = 3},
               {.title = "variants", .right = true, .leave_out = 1},
               {.title = "in flight", .right = true},
               {.title = "done", .right = true},
               {.title = "memory free", .right = true, .leave_out = 2},
               {.title = "network", .right = true}});
  for (const json& device : list_of(answer, "devices")) {
    const auto free = integer_of(device, "memory_bytes_free");
    const std::string board = flag_of(device, "twin") ? "twin" : text_of(device, "board");
    bool first = true;
    for (const json& processor : list_of(device, "processors")) {
      table.row({first ? text_of(device, "id") : "", first ? board : "",
                 first ? text_of(device, "state") : "", text_of(processor, "id"),
                 text_of(processor, "runtime"), count_of(processor, "variants"),
                 count_of(processor, "in_flight"), count_of(processor, "completed"),
                 first ? (free.has_value() ? show(Bytes{*free}) : "-") : "",
                 first ? duration_of(device, "network_us") : ""});
      first = false;
    }
  }
  if (table.empty()) {
    return "No device has joined yet. A device joins by: juggler-consumer --broker URL --id NAME\n";
  }
  std::string now;
  for (const json& device : list_of(answer, "devices")) {
    if (const std::string notes = notes_line(device); !notes.empty()) {
      now += paragraph(text_of(device, "id") + ": " + notes + ".", screen);
    }
    const auto host = device.find("host");
    const std::string line = host != device.end() ? host_line(*host) : "";
    if (!line.empty()) {
      now += paragraph(text_of(device, "id") + " now: " + line + ".", screen);
    }
  }
  return table.text(screen) + now +
         paragraph(
             "A twin takes its times and energies from a board's profile. "
             "Network: broker and wire, "
             "both ways. In flight: tasks.",
             screen);
}

std::string models_text(const json& answer, const Screen& screen) {
  Table table({{.title = "model", .leave_out = 1},
               {.title = "variant", .fit = Fit::Id, .least = 24},
               {.title = "top-1", .right = true},
               {.title = "known by", .leave_out = 4},
               {.title = "weights", .leave_out = 2},  // the variant has its mark
               {.title = "on", .right = true, .leave_out = 3},
               {.title = "least energy at", .fit = Fit::Id, .least = 14},
               {.title = "latency", .right = true},
               {.title = "energy"}});
  for (const json& variant : list_of(answer, "models")) {
    const json& placements = list_of(variant, "placements");
    const json* best = best_placement(placements);
    const auto energy = best != nullptr ? energy_of(*best) : std::nullopt;
    const bool synthetic = text_of(variant, "weights") == "synthetic";
    table.row({text_of(variant, "model"), text_of(variant, "id") + (synthetic ? " S" : ""),
               percent_of(variant, "accuracy_percent"), text_of(variant, "accuracy_evidence"),
               text_of(variant, "weights"), fmt::format("{}", placements.size()),
               best != nullptr
                   ? fmt::format("{} {}{}", text_of(*best, "device"), text_of(*best, "processor"),
                                 flag_of(*best, "twin") ? " T" : "")
                   : "-",
               best != nullptr ? duration_of(*best, "latency_us_mean") : "-",
               energy.has_value() ? show_interval(*energy) : "-"});
  }
  if (table.empty()) {
    return "No device serves anything yet.\n";
  }
  return table.text(screen) +
         paragraph(
             fmt::format(
                 "on: processors that serve it; T = twin; S = synthetic weights: its top-1 is "
                 "published for trained ones; energy above idle, with its interval (--json "
                 "has sources). `auto` means {}, of trained weights.",
                 one_or(text_of(answer, "auto_model"), "imagenet")),
             screen);
}

std::string policies_text(const json& answer, const Screen& screen) {
  Table table({{.title = ""}, {.title = "policy"}, {.title = "rule", .fit = Fit::Wrap}});
  for (const json& policy : list_of(answer, "policies")) {
    table.row(
        {flag_of(policy, "active") ? "*" : "", text_of(policy, "name"), text_of(policy, "about")});
  }
  return table.text(screen) +
         "* the policy of the running controller. Choose one: juggler up "
         "--policy NAME\n";
}

std::string tasks_text(const json& answer, const Screen& screen) {
  Table table({{.title = "task", .fit = Fit::Id, .least = 24},  // whole, if it is one of ours
               {.title = "state"},
               {.title = "label, or why", .fit = Fit::Cut, .least = 10},
               {.title = "device", .fit = Fit::Id, .least = 10},
               {.title = "variant", .fit = Fit::Id, .least = 12},
               {.title = "latency", .right = true},
               {.title = "attempts", .right = true, .leave_out = 1}});
  std::size_t rows = 0;
  for (const json& task : list_of(answer, "tasks")) {
    if (++rows > kTasksShown) {
      continue;
    }
    const json& labels = list_of(task, "labels");
    const auto latency = task.find("latency_us");
    std::string word = one_or(text_of(task, "reason"), "");
    const bool synthetic = text_of(task, "weights") == "synthetic";
    if (synthetic && !labels.empty()) {
      word = "(synthetic weights)";
    } else if (!labels.empty() && labels.front().is_object()) {
      word = text_of(labels.front(), "label");
    } else if (word.empty()) {
      word = text_of(task, "state") == "completed" ? "(none)" : text_of(task, "waiting_for");
    }
    const json& attempts = list_of(task, "attempts");
    table.row({text_of(task, "id"), text_of(task, "state"), word,
               text_of(task, "device") + (flag_of(task, "twin") ? " T" : ""),
               text_of(task, "variant") + (synthetic ? " S" : ""),
               latency != task.end() && latency->is_object() ? duration_of(*latency, "total")
                                                             : duration_of(task, "age_us"),
               attempts.empty() ? count_of(task, "attempts") : fmt::format("{}", attempts.size())});
  }
  const std::int64_t others = integer_of(answer, "not_shown").value_or(0);
  const std::string hidden =
      others > 0 ? fmt::format("{} tasks of others are not shown: a controller's login sees all.\n",
                               others)
                 : std::string();
  if (table.empty()) {
    return "No task yet: juggler submit photo.jpg\n" + hidden;
  }
  return table.text(screen) +
         fmt::format(
             "{} live; then the last answered, newest first{}. T = twin; S = synthetic "
             "weights.\n",
             count_of(answer, "live"),
             rows > kTasksShown ? fmt::format("; {} more with --json", rows - kTasksShown)
                                : std::string()) +
         hidden;
}

// What all boards may take by what they have been given, beside the limit.
std::string power_of(const json& answer) {
  const auto now = integer_of(answer, "power_mw");
  const auto rest = integer_of(answer, "power_mw_at_rest");
  if (!now.has_value() || !rest.has_value()) {
    return "";
  }
  const auto limit = integer_of(answer, "power_mw_max");
  const auto unknown = integer_of(answer, "power_unknown_devices").value_or(0);
  return fmt::format("{} ({} at rest){}{}", show(Milliwatts{*now}), show(Milliwatts{*rest}),
                     limit.has_value() ? fmt::format(" of {}", show(Milliwatts{*limit})) : "",
                     unknown > 0 ? fmt::format("; unknown of {} more", unknown) : "");
}

std::string status_text(const json& answer, const Screen& screen) {
  Table table({{.title = "of the controller"}, {.title = "value", .fit = Fit::Wrap}});
  table.row({"version", text_of(answer, "version")});
  table.row({"policy", text_of(answer, "policy")});
  table.row({"epoch (grows with each leader)", count_of(answer, "epoch")});
  table.row({"devices known", count_of(answer, "devices")});
  table.row({"tasks live, of them waiting",
             count_of(answer, "live") + ", " + count_of(answer, "waiting")});
  table.row({"tasks submitted", count_of(answer, "submitted")});
  table.row({"completed", count_of(answer, "completed")});
  table.row({"rejected", count_of(answer, "rejected")});
  table.row({"expired", count_of(answer, "expired")});
  table.row({"failed", count_of(answer, "failed")});
  table.row({"dispatches, of them failed",
             count_of(answer, "dispatched") + ", " + count_of(answer, "attempts_failed")});
  table.row({"results too late", count_of(answer, "results_late")});
  table.row({"devices found dead, false alarms, put aside",
             count_of(answer, "found_absent") + ", " + count_of(answer, "false_alarms") + ", " +
                 count_of(answer, "put_aside")});
  table.row({"malformed messages", count_of(answer, "malformed")});
  if (const std::string power = power_of(answer); !power.empty()) {
    table.row({"power at the boards' inputs, at most", power});
  }
  return table.text(screen);
}

}  // namespace juggler
