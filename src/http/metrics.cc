#include "http/metrics.h"

#include <fmt/format.h>

#include <array>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

namespace juggler::http {
namespace {

using nlohmann::json;
using Labels = std::vector<std::pair<std::string, std::string>>;

struct Metric {
  const char* key;   // in the controller's answer
  const char* name;  // for Prometheus
  const char* type;
  const char* help;
};

constexpr std::array<Metric, 15> kOfStatus{{
    {"devices", "juggler_devices", "gauge",
     "Devices that the controller knows, of whatever state."},
    {"live", "juggler_tasks_live", "gauge", "Tasks without an outcome yet."},
    {"waiting", "juggler_tasks_waiting", "gauge", "Of these, tasks that wait in the controller."},
    {"submitted", "juggler_tasks_submitted_total", "counter", "Submissions received."},
    {"completed", "juggler_tasks_completed_total", "counter", "Tasks with an answer."},
    {"rejected", "juggler_tasks_rejected_total", "counter", "Tasks refused with a reason."},
    {"expired", "juggler_tasks_expired_total", "counter", "Tasks whose deadline passed."},
    {"failed", "juggler_tasks_failed_total", "counter", "Tasks given up after all attempts."},
    {"dispatched", "juggler_dispatches_total", "counter", "Attempts sent to devices."},
    {"attempts_failed", "juggler_attempts_failed_total", "counter", "Attempts that failed."},
    {"results_late", "juggler_results_late_total", "counter", "Results nobody waited for."},
    {"results_surplus", "juggler_results_surplus_total", "counter",
     "Results beyond what one device may have waiting for their tasks."},
    {"results_invented", "juggler_results_invented_total", "counter",
     "Results of attempts that their device was not given."},
    {"malformed", "juggler_messages_malformed_total", "counter", "Messages nobody could read."},
    {"beats_left_out", "juggler_beats_left_out_total", "counter",
     "Heartbeats and hellos of devices that sent too many."},
}};

constexpr std::array<Metric, 4> kOfDevice{{
    {"heard_us_ago", "juggler_device_heard_us_ago", "gauge", "Since the device was last heard."},
    {"network_us", "juggler_device_network_us", "gauge", "Network to the device and back."},
    {"memory_bytes", "juggler_device_memory_bytes", "gauge", "Memory of the device."},
    {"memory_bytes_free", "juggler_device_memory_bytes_free", "gauge", "Of it, free."},
}};

constexpr std::array<Metric, 3> kOfProcessor{{
    {"in_flight", "juggler_processor_tasks_in_flight", "gauge", "Tasks sent to the processor."},
    {"waiting", "juggler_processor_tasks_waiting", "gauge", "Tasks planned for the processor."},
    {"completed", "juggler_processor_tasks_completed_total", "counter", "Tasks it has answered."},
}};

std::string text_of(const json& object, const char* key) {
  const auto at = object.is_object() ? object.find(key) : object.end();
  return object.is_object() && at != object.end() && at->is_string() ? at->get<std::string>()
                                                                     : std::string();
}

const json& list_of(const json& object, const char* key) {
  static const json kNone = json::array();
  if (!object.is_object()) {
    return kNone;
  }
  const auto at = object.find(key);
  return at != object.end() && at->is_array() ? *at : kNone;
}

class Page {
 public:
  // The samples of a metric stand together, under its help.
  void head(const Metric& metric) {
    fmt::format_to(std::back_inserter(text_), "# HELP {0} {2}\n# TYPE {0} {1}\n", metric.name,
                   metric.type, metric.help);
  }

  void sample(const char* name, const Labels& labels, std::int64_t value) {
    text_ += name;
    char before = '{';
    for (const auto& [label, content] : labels) {
      fmt::format_to(std::back_inserter(text_), "{}{}=\"{}\"", before, label, escaped(content));
      before = ',';
    }
    fmt::format_to(std::back_inserter(text_), "{} {}\n", labels.empty() ? "" : "}", value);
  }

  // What is not known has no sample.
  void sample(const Metric& metric, const Labels& labels, const json& object) {
    const auto at = object.is_object() ? object.find(metric.key) : object.end();
    if (object.is_object() && at != object.end() && at->is_number_integer()) {
      sample(metric.name, labels, at->get<std::int64_t>());
    }
  }

  std::string take() { return std::move(text_); }

 private:
  static std::string escaped(const std::string& content) {
    std::string text;
    for (const char c : content) {
      if (c == '\\' || c == '"') {
        text += '\\';
      }
      text += c == '\n' ? "\\n" : std::string(1, c);
    }
    return text;
  }

  std::string text_;
};

void add_devices(Page& page, const json& devices) {
  const json& list = list_of(devices, "devices");
  constexpr Metric kUp{"", "juggler_device_up", "gauge", "1 for a device that is live, else 0."};
  page.head(kUp);
  for (const json& device : list) {
    const auto twin = device.is_object() ? device.find("twin") : device.end();
    const bool is_twin = device.is_object() && twin != device.end() && *twin == true;
    page.sample(kUp.name,
                {{"device", text_of(device, "id")},
                 {"board", text_of(device, "board")},
                 {"twin", is_twin ? "true" : "false"}},
                text_of(device, "state") == "live" ? 1 : 0);
  }
  for (const Metric& metric : kOfDevice) {
    page.head(metric);
    for (const json& device : list) {
      page.sample(metric, {{"device", text_of(device, "id")}}, device);
    }
  }
  for (const Metric& metric : kOfProcessor) {
    page.head(metric);
    for (const json& device : list) {
      for (const json& processor : list_of(device, "processors")) {
        page.sample(metric,
                    {{"device", text_of(device, "id")}, {"processor", text_of(processor, "id")}},
                    processor);
      }
    }
  }
}

void add_front(Page& page, const FrontCounts& front) {
  constexpr Metric kReplies{"", "juggler_http_replies_total", "counter", "Replies, by status."};
  page.head(kReplies);
  for (const auto& [status, count] : front.replies) {
    page.sample(kReplies.name, {{"status", std::to_string(status)}},
                static_cast<std::int64_t>(count));
  }
  constexpr Metric kWrong{"", "juggler_http_wrong_tokens_total", "counter",
                          "Requests with a token that nobody has."};
  page.head(kWrong);
  page.sample(kWrong.name, {}, static_cast<std::int64_t>(front.wrong_tokens));
  constexpr Metric kOpen{"", "juggler_http_tasks_open", "gauge",
                         "Tasks of this server without an outcome yet."};
  page.head(kOpen);
  page.sample(kOpen.name, {}, static_cast<std::int64_t>(front.tasks_open));
}

}  // namespace

std::string metrics_text(const json& status, const json& devices, const FrontCounts& front) {
  Page page;
  constexpr Metric kBuild{"", "juggler_info", "gauge", "1; version and policy of the controller."};
  page.head(kBuild);
  page.sample(kBuild.name,
              {{"version", text_of(status, "version")}, {"policy", text_of(status, "policy")}}, 1);
  for (const Metric& metric : kOfStatus) {
    page.head(metric);
    page.sample(metric, {}, status);
  }
  add_devices(page, devices);
  add_front(page, front);
  return page.take();
}

}  // namespace juggler::http
