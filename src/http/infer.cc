#include "http/infer.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <vector>

namespace juggler::http {
namespace {

using nlohmann::json;

// How it was answered: short, for a client that reads on; the whole outcome is POST /v1/classify's.
json summary(const std::string& task, const Outcome& outcome) {
  json parameters{{"task", task},
                  {"device", outcome.device},
                  {"processor", outcome.processor},
                  {"variant", outcome.variant},
                  {"twin", outcome.twin},
                  {"accuracy_percent", static_cast<double>(outcome.accuracy.count) / 1000.0},
                  {"latency_us", outcome.total.count},
                  {"attempts", outcome.attempts.size()}};
  if (outcome.weights == Weights::Synthetic) {
    parameters["weights"] = "synthetic";
  }
  if (outcome.energy.has_value()) {
    parameters["energy_uj"] = outcome.energy->value.count;
    parameters["energy_evidence"] = to_string(outcome.energy->evidence);
    parameters["energy_scope"] = to_string(outcome.energy->scope);
  }
  return parameters;
}

std::string dumped(const json& document) {
  return document.dump(-1, ' ', false, json::error_handler_t::replace);
}

void append_length(std::string& bytes, std::size_t length) {
  for (unsigned shift = 0; shift < 32; shift += 8) {
    bytes.push_back(static_cast<char>((length >> shift) & 0xffU));
  }
}

}  // namespace

json server_metadata(const std::string& version) {
  return {{"name", "juggler"},
          {"version", version},
          {"extensions", {"classification", "binary_tensor_data", "parameters"}}};
}

NamedModel find_model(const json& models, const std::string& name) {
  NamedModel found;
  found.known = name == "auto";  // whatever there is
  const auto list = models.find("models");
  const auto auto_model = models.find("auto_model");
  if (list == models.end() || !list->is_array()) {
    return found;
  }
  const std::string wanted = name == "auto" && auto_model != models.end() && auto_model->is_string()
                                 ? auto_model->get<std::string>()
                                 : name;
  for (const json& variant : *list) {
    for (const char* key : {"id", "network", "model"}) {
      const auto at = variant.is_object() ? variant.find(key) : variant.end();
      if (variant.is_object() && at != variant.end() && at->is_string() && *at == wanted) {
        const auto placements = variant.find("placements");
        found.known = true;
        found.ready = found.ready || (placements != variant.end() && !placements->empty());
      }
    }
  }
  return found;
}

json model_metadata(const std::string& name) {
  const auto tensor = [](const char* tensor_name, std::vector<int> shape) {
    return json{{"name", tensor_name}, {"datatype", "BYTES"}, {"shape", std::move(shape)}};
  };
  return {{"name", name},
          {"versions", {"1"}},
          {"platform", "juggler"},
          {"inputs", {tensor(kInputName, {1})}},
          {"outputs", {tensor(kOutputName, {1, -1})}}};
}

Reply infer_reply(const InferReply& wanted, const std::string& id, const std::string& task,
                  const Outcome& outcome) {
  std::vector<std::string> elements;
  std::string bytes;
  for (const Label& label : outcome.labels) {
    elements.push_back(fmt::format("{:.6f}:{}", label.score, label.index));
    if (!label.name.empty()) {
      elements.back() += ":" + label.name;
    }
    append_length(bytes, elements.back().size());
    bytes += elements.back();
  }
  json output{{"name", kOutputName}, {"datatype", "BYTES"}, {"shape", {1, elements.size()}}};
  if (wanted.binary) {
    output["parameters"] = {{"binary_data_size", bytes.size()}};
  } else {
    output["data"] = elements;
  }
  const std::string head = dumped({{"model_name", wanted.model},
                                   {"model_version", "1"},
                                   {"id", id},
                                   {"parameters", summary(task, outcome)},
                                   {"outputs", json::array({std::move(output)})}});
  Reply reply;
  if (!wanted.binary) {
    reply.body = head + "\n";
    return reply;
  }
  reply.content_type = "application/octet-stream";
  reply.headers.emplace_back("Inference-Header-Content-Length", std::to_string(head.size()));
  reply.body = head + bytes;
  return reply;
}

}  // namespace juggler::http
