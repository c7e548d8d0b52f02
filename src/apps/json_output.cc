#include "apps/json_output.h"

#include <fmt/format.h>

#include <cstdio>

namespace juggler {
namespace {

using nlohmann::json;

std::string end_name(ClientEnd end) {
  switch (end) {
    case ClientEnd::Answered:
      return "answered";
    case ClientEnd::Unreadable:
      return "unreadable";
    case ClientEnd::Unroutable:
      return "unroutable";
    case ClientEnd::Refused:
      return "refused";
    case ClientEnd::TimedOut:
      return "timed-out";
    case ClientEnd::Stopped:
      return "stopped";
    case ClientEnd::NotSent:
      return "not-sent";
  }
  return "?";
}

}  // namespace

void print_event(const char* event, json fields) {
  fields["event"] = event;
  fmt::print("{}\n", fields.dump(-1, ' ', false, json::error_handler_t::replace));
  std::fflush(stdout);
}

json task_json(const std::string& file, const std::string& id, const ClientAnswer& answer) {
  json entry{{"file", file}, {"id", id}, {"end", end_name(answer.end)}};
  if (answer.end == ClientEnd::Answered) {
    entry["round_trip_us"] = answer.round_trip.count;
    entry["outcome"] = json::parse(answer.json, nullptr, /*allow_exceptions=*/false);
  } else {
    entry["problem"] = answer.problem;
  }
  return entry;
}

}  // namespace juggler
