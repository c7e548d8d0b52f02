// The floor under Juggler: the least a controller and a consumer must do so that no confirmed task
// is lost.
//
// Four hops, each persistent, mandatory and confirmed: submission, dispatch, result, outcome. A
// submission and its result are acknowledged after the outcome's confirm, a dispatch after its
// result's. No scheduling, no deadlines, no recovery.

#include <cstdio>
#include <deque>
#include <unordered_map>
#include <utility>
#include <vector>

#include "roles.h"

namespace juggler_bench {
namespace {

constexpr std::size_t kReportSize = 1024;  // About what Juggler's result and outcome weigh.
constexpr std::string_view kLabel = "\"label\":\"";
constexpr std::size_t kAnswerSize = 16;
constexpr std::uint64_t kFaultAt = 100;  // The message that a planted fault hits.

// A result or an outcome: JSON of kReportSize bytes with the answer as its one label.
void write_report(std::string& out, std::string_view id, std::string_view answer) {
  out.assign(R"({"version":"1.0","id":")").append(id);
  out.append(R"(","outcome":"completed","labels":[{)").append(kLabel).append(answer);
  out.append(R"(","score":1.0}],"padding":")");
  out.append(kReportSize - std::min(kReportSize, out.size() + 2), 'x').append("\"}");
}

std::string_view read_answer(std::string_view report) {
  const std::size_t at = report.find(kLabel);
  if (at == std::string_view::npos || report.size() < at + kLabel.size() + kAnswerSize) {
    fail("a result without an answer");
  }
  return report.substr(at + kLabel.size(), kAnswerSize);
}

void announce(Connection& connection, Handler& handler, int consumers) {
  while (connection.consumers() < consumers) {
    connection.turn(handler, 1000);
  }
  std::puts("ready");
  std::fflush(stdout);
}

class FloorController final : public Handler {
 public:
  explicit FloorController(const Options& options)
      : connection_(options.text("broker"), "floor controller"),
        device_(options.text("id")),
        window_(static_cast<std::size_t>(options.number("window", 1e6))),
        fault_(options.text("fault", "")) {
    const std::string device_queue = "juggler.device." + device_;
    connection_.declare_exchange(kSubmitExchange, "direct");
    connection_.declare_exchange(kDispatchExchange, "direct");
    connection_.declare_exchange(kUpExchange, "topic");
    connection_.declare_queue(kTaskQueue, /*auto_delete=*/false, /*single_active=*/true);
    connection_.declare_queue(kResultQueue, /*auto_delete=*/false, /*single_active=*/false);
    connection_.declare_queue(device_queue.c_str(), /*auto_delete=*/false,
                              /*single_active=*/false);
    connection_.bind(kTaskQueue, kSubmitExchange, kTaskQueue);
    connection_.bind(kResultQueue, kUpExchange, "result.*");
    connection_.bind(device_queue.c_str(), kDispatchExchange, device_.c_str());
    connection_.consume(kTaskQueue, "task", 1024);
    connection_.consume(kResultQueue, "result", 1024);
  }

  int run() {
    announce(connection_, *this, 2);
    while (true) {
      connection_.turn(*this, 1000);
      acks_.send(connection_);
    }
  }

  void on_delivery(const Delivery& delivery) override {
    if (delivery.consumer == 't') {
      on_task(delivery);
    } else {
      on_result(delivery);
    }
  }

  void on_confirmed(std::uint64_t sequence) override {
    const auto outcome = outcomes_.find(sequence);
    if (outcome != outcomes_.end()) {  // Else a dispatch.
      acks_.done(outcome->second.first);
      acks_.done(outcome->second.second);
      outcomes_.erase(outcome);
    }
  }

 private:
  struct Task {
    std::uint64_t tag;
    std::string reply_to;
    std::string correlation_id;
  };

  void on_task(const Delivery& delivery) {
    const bool fresh = tasks_
                           .insert({delivery.message_id,
                                    Task{delivery.tag, delivery.reply_to, delivery.correlation_id}})
                           .second;
    if (!fresh) {
      fail("the same task twice: " + delivery.message_id);
    }
    if (in_flight_ < window_) {
      dispatch(delivery.message_id, delivery.body);
    } else {
      waiting_.push_back({delivery.message_id, {delivery.body.begin(), delivery.body.end()}});
    }
  }

  void dispatch(const std::string& id, Bytes payload) {
    text_.assign(id).append(".1.1");  // Epoch and attempt.
    connection_.publish({.exchange = kDispatchExchange,
                         .routing_key = device_,
                         .content_type = "application/octet-stream",
                         .type = "juggler.task.v1",
                         .message_id = text_,
                         .correlation_id = id,
                         .reply_to = {},
                         .body = payload});
    ++in_flight_;
  }

  void on_result(const Delivery& delivery) {
    const auto found = tasks_.find(delivery.correlation_id);
    if (found == tasks_.end()) {
      fail("a result for no task: " + delivery.correlation_id);
    }
    const Task& task = found->second;
    write_report(report_, found->first, read_answer(text_of(delivery.body)));
    const bool faulty = ++results_ == kFaultAt;
    if (!faulty || fault_ != "silent") {
      outcomes_.insert({publish_outcome(found->first, task), {task.tag, delivery.tag}});
    }
    if (faulty && fault_ == "twice") {
      publish_outcome(found->first, task);
    }
    tasks_.erase(found);
    --in_flight_;
    if (!waiting_.empty()) {
      dispatch(waiting_.front().first, waiting_.front().second);
      waiting_.pop_front();
    }
  }

  std::uint64_t publish_outcome(const std::string& id, const Task& task) {
    text_.assign(id).append(".outcome");
    return connection_.publish({.exchange = {},
                                .routing_key = task.reply_to,
                                .content_type = "application/json",
                                .type = "juggler.outcome.v1",
                                .message_id = text_,
                                .correlation_id = task.correlation_id,
                                .reply_to = {},
                                .body = bytes_of(report_)});
  }

  Connection connection_;
  std::string device_;
  std::size_t window_;  // Dispatches without a result, at most: 1e6 means dispatch at once.
  std::string fault_;
  std::size_t in_flight_ = 0;
  std::uint64_t results_ = 0;
  std::unordered_map<std::string, Task> tasks_;
  std::deque<std::pair<std::string, std::vector<std::uint8_t>>> waiting_;
  // Outcome published as number → tags of its submission and its result.
  std::unordered_map<std::uint64_t, std::pair<std::uint64_t, std::uint64_t>> outcomes_;
  Acks acks_;
  std::string text_;
  std::string report_;
};

class FloorConsumer final : public Handler {
 public:
  explicit FloorConsumer(const Options& options)
      : connection_(options.text("broker"), "floor consumer"),
        routing_key_("result." + options.text("id")),
        fault_(options.text("fault", "")) {
    connection_.consume(("juggler.device." + options.text("id")).c_str(), "dispatch",
                        static_cast<std::uint16_t>(options.number("prefetch", 1024)));
  }

  int run() {
    announce(connection_, *this, 1);
    while (true) {
      connection_.turn(*this, 1000);
      acks_.send(connection_);
    }
  }

  void on_delivery(const Delivery& delivery) override {
    std::string answer = answer_for(delivery.body);
    if (delivery.tag == kFaultAt && fault_ == "wrong") {
      answer[0] = answer[0] == '0' ? '1' : '0';
    } else if (delivery.tag == kFaultAt && fault_ == "swapped") {
      answer.swap(previous_answer_);
    }
    write_report(report_, delivery.correlation_id, answer);
    previous_answer_ = std::move(answer);
    text_.assign(delivery.message_id).append(".result");
    const std::uint64_t sequence = connection_.publish({.exchange = kUpExchange,
                                                        .routing_key = routing_key_,
                                                        .content_type = "application/json",
                                                        .type = "juggler.result.v1",
                                                        .message_id = text_,
                                                        .correlation_id = delivery.correlation_id,
                                                        .reply_to = {},
                                                        .body = bytes_of(report_)});
    if (sequence != delivery.tag) {  // One result per delivery, both counted from 1.
      fail("deliveries and results out of step");
    }
  }

  void on_confirmed(std::uint64_t sequence) override { acks_.done(sequence); }

 private:
  Connection connection_;
  std::string routing_key_;
  std::string fault_;
  std::string previous_answer_;
  Acks acks_;
  std::string text_;
  std::string report_;
};

}  // namespace

int run_controller(const Options& options) { return FloorController(options).run(); }

int run_consumer(const Options& options) { return FloorConsumer(options).run(); }

}  // namespace juggler_bench
