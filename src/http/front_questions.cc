#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "http/front.h"
#include "http/infer.h"
#include "http/replies.h"
#include "runtime/queries.h"

// This file: what the controller is asked, by the same questions as the command line's. However
// many clients ask, the controller hears each question once a second at most.

namespace juggler::http {
namespace {

using nlohmann::json;

Reply json_reply(const json& document, int status = 200) {
  Reply reply;
  reply.status = status;
  reply.body = document.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
  return reply;
}

constexpr std::array kPaths = {"POST /v1/classify",
                               "POST /v1/tasks",
                               "GET /v1/tasks/ID",
                               "GET /v1/status",
                               "GET /v1/devices",
                               "GET /v1/models",
                               "GET /metrics",
                               "GET /v2",
                               "GET /v2/health/live",
                               "GET /v2/health/ready",
                               "GET /v2/models/NAME",
                               "GET /v2/models/NAME/ready",
                               "POST /v2/models/NAME/infer"};

Reply ready_reply(const json& answer) {
  const auto devices = answer.find("devices");
  const auto serves = [](const json& device) {
    return device.is_object() && device.value("state", json()) == to_string(Liveness::Live);
  };
  const bool ready = devices != answer.end() && devices->is_array() &&
                     std::any_of(devices->begin(), devices->end(), serves);
  json body{{"live", true}, {"ready", ready}};
  if (!ready) {
    body["error"] = "no device is there";
  }
  return json_reply(body, ready ? 200 : 503);
}

Reply model_reply(const json& models, const std::string& name, bool readiness) {
  const NamedModel found = find_model(models, name);
  if (!found.known) {
    return refuse({.status = 404,
                   .error = "no device has a model, network or variant of that name",
                   .why = "",
                   .next = "GET /v1/models lists them; `auto` is always one"});
  }
  if (!readiness) {
    return json_reply(model_metadata(name));
  }
  return json_reply({{"name", name}, {"ready", found.ready}}, found.ready ? 200 : 503);
}

}  // namespace

void Front::look_up(Ticket ticket, const Route& route) {
  const auto pass = [this, ticket](const char* question) {
    ask(ticket, {question},
        [question](const Answers& answers) { return json_reply(answers.at(question)); });
  };
  switch (route.asks) {
    case Asks::Overview:
      return options_.reply(ticket, json_reply({{"juggler", options_.version}, {"paths", kPaths}}));
    case Asks::Live:
      return options_.reply(ticket, json_reply({{"live", true}}));
    case Asks::Server:
      return options_.reply(ticket, json_reply(server_metadata(options_.version)));
    case Asks::Ready:
      return ask(ticket, {"devices"},
                 [](const Answers& answers) { return ready_reply(answers.at("devices")); });
    case Asks::Model:
    case Asks::ModelReady:
      return ask(
          ticket, {"models"},
          [name = route.name, readiness = route.asks == Asks::ModelReady](const Answers& answers) {
            return model_reply(answers.at("models"), name, readiness);
          });
    case Asks::Status:
      return pass("status");
    case Asks::Devices:
      return pass("devices");
    case Asks::Models:
      return pass("models");
    case Asks::Metrics:
      return ask(ticket, {"status", "devices"}, [this](const Answers& answers) {
        FrontCounts counts = options_.counts ? options_.counts() : FrontCounts{};
        counts.tasks_open = open_.size();
        Reply reply;
        reply.content_type = kMetricsType;
        reply.body = metrics_text(answers.at("status"), answers.at("devices"), counts);
        return reply;
      });
    case Asks::Infer:
    case Asks::Classify:
    case Asks::Submit:
    case Asks::TaskState:
      break;  // no questions
  }
}

void Front::ask(Ticket ticket, std::vector<std::string> questions,
                std::function<Reply(const Answers&)> reply) {
  if (reply_queue_.empty()) {
    return options_.reply(ticket, no_broker());
  }
  const Time now = clock_.now();
  for (const std::string& what : questions) {
    const auto answered = answered_at_.find(what);
    const bool fresh =
        answered != answered_at_.end() && now - answered->second <= options_.question_fresh;
    if (fresh || questions_.count(what) > 0) {
      continue;
    }
    answers_.erase(what);
    Question& question = questions_[what];
    question.correlation = "question-" + options_.fresh_id();
    question.publish = ++last_publish_;
    question.asked = now;
    transport_.publish(question.publish, make_query(what, "", reply_queue_, question.correlation));
  }
  curious_.push_back(
      {ticket, std::move(questions), std::move(reply), now + options_.question_wait});
  check_questions();
}

bool Front::answer_came(const wire::Envelope& message) {
  const auto question = std::find_if(
      questions_.begin(), questions_.end(),
      [&message](const auto& entry) { return entry.second.correlation == message.correlation_id; });
  if (question == questions_.end()) {
    return false;
  }
  json answer = json::parse(message.body != nullptr ? *message.body : std::string(), nullptr,
                            /*allow_exceptions=*/false);
  if (answer.is_object() && answer.find("error") == answer.end()) {
    answers_[question->first] = std::move(answer);
    answered_at_[question->first] = clock_.now();
  }
  questions_.erase(question);
  return true;
}

bool Front::question_settled(const TransportSettled& event) {
  const auto question =
      std::find_if(questions_.begin(), questions_.end(),
                   [&event](const auto& entry) { return entry.second.publish == event.id; });
  if (question == questions_.end()) {
    return false;
  }
  if (event.end != PublishEnd::Confirmed) {
    questions_.erase(question);
    fail_questions(no_controller());
  }
  return true;
}

// Answers everybody who knows all that was asked, and those who have waited long enough.
void Front::check_questions() {
  const Time now = clock_.now();
  std::vector<Curious> waiting;
  for (Curious& one : std::exchange(curious_, {})) {
    const bool all = std::all_of(
        one.questions.begin(), one.questions.end(),
        [this](const std::string& what) { return answers_.find(what) != answers_.end(); });
    if (all) {
      options_.reply(one.ticket, one.reply(answers_));
    } else if (now >= one.until) {
      options_.reply(one.ticket, no_controller());
    } else {
      waiting.push_back(std::move(one));
    }
  }
  curious_ = std::move(waiting);
  for (auto at = questions_.begin(); at != questions_.end();) {
    at = now - at->second.asked >= options_.question_wait ? questions_.erase(at) : std::next(at);
  }
}

void Front::fail_questions(const Reply& reply) {
  questions_.clear();
  for (const Curious& one : std::exchange(curious_, {})) {
    options_.reply(one.ticket, reply);
  }
}

}  // namespace juggler::http
