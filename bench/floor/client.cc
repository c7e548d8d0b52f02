// The load: keeps N tasks outstanding, times each from publish to outcome, checks every answer.
//
// It speaks the public contract only (submission and outcome), so it drives the floor and Juggler
// alike. The load is closed: the next task follows an outcome. That measures what the path can
// carry; how the system behaves under a given arrival rate is the business of other benchmarks.

#include <unistd.h>

#include <chrono>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <random>
#include <vector>

#include "roles.h"

namespace juggler_bench {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_between(Clock::time_point from, Clock::time_point to) {
  return std::chrono::duration<double>(to - from).count();
}

struct Payload {
  std::vector<std::uint8_t> bytes;
  std::string answer;
};

// Many different payloads, so that two tasks that swap their answers are noticed.
std::vector<Payload> make_payloads(const Options& options) {
  std::vector<std::uint8_t> base;
  const std::string file = options.text("payload-file", "");
  if (!file.empty()) {
    std::ifstream in(file, std::ios::binary);
    base.assign(std::istreambuf_iterator<char>(in), {});
    if (base.empty()) {
      fail("cannot read " + file);
    }
    return {{base, answer_for(base)}};  // A file goes out as it is.
  }
  const auto size = static_cast<std::size_t>(options.number("payload-bytes", 1024));
  const std::size_t count = std::min<std::size_t>(1009, (std::size_t{16} << 20) / size);
  std::mt19937_64 random(20240607);
  std::vector<Payload> payloads(count);
  for (Payload& payload : payloads) {
    payload.bytes.resize(size);
    std::generate(payload.bytes.begin(), payload.bytes.end(),
                  [&] { return static_cast<std::uint8_t>(random()); });
    payload.answer = answer_for(payload.bytes);
  }
  return payloads;
}

class Client final : public Handler {
 public:
  explicit Client(const Options& options)
      : options_(options),
        connection_(options.text("broker"), "bench client"),
        payloads_(make_payloads(options)),
        check_answers_(options.text("check", "sha256") == "sha256"),
        content_type_(options.text("content-type", "application/octet-stream")),
        model_(options.text("model", "noop")),
        deadline_ms_(static_cast<std::int32_t>(options.number("deadline-ms", 60000))),
        outstanding_max_(static_cast<std::size_t>(options.number("outstanding", 1))),
        warmup_s_(options.number("warmup-s", 0.5)),
        warmup_count_(static_cast<std::size_t>(options.number("warmup-count", 50))),
        min_s_(options.number("min-s", 2)),
        min_count_(static_cast<std::size_t>(options.number("min-count", 500))),
        batch_(static_cast<std::size_t>(options.number("batch", 0))),
        stall_s_(options.number("stall-s", 20)) {
    std::random_device entropy;
    run_id_ = std::to_string(::getpid()) + "-" + std::to_string(entropy());
    reply_queue_ = "bench.reply." + run_id_;
    connection_.declare_queue(reply_queue_.c_str(), /*auto_delete=*/true,
                              /*single_active=*/false);
    connection_.consume(reply_queue_.c_str(), "outcome", 1024);
    headers_[0].key = amqp_cstring_bytes("model");
    headers_[0].value.kind = AMQP_FIELD_KIND_UTF8;
    headers_[0].value.value.bytes = amqp_view(model_);
    headers_[1].key = amqp_cstring_bytes("deadline_ms");
    headers_[1].value.kind = AMQP_FIELD_KIND_I32;
    headers_[1].value.value.i32 = deadline_ms_;
    header_table_ = {2, headers_};
  }

  int run() {
    while (connection_.consumers() < 1) {
      connection_.turn(*this, 1000);
    }
    started_ = Clock::now();
    if (batch_ > 0) {
      outstanding_max_ = batch_;
      begin_measuring(started_);
    }
    last_progress_ = started_;
    fill();
    while (!stopped_ || answered_ < tasks_.size() || connection_.unconfirmed() > 0) {
      step();
      if (seconds_between(last_progress_, Clock::now()) > stall_s_) {
        fail("lost: " + std::to_string(tasks_.size() - answered_) + " of " +
             std::to_string(tasks_.size()) + " tasks without an outcome");
      }
    }
    // Anything that still comes is an answer too many, and on_delivery refuses it.
    const Clock::time_point drained = Clock::now();
    while (seconds_between(drained, Clock::now()) < 0.1) {
      step();
    }
    check_leftovers();
    print();
    return 0;
  }

  void on_delivery(const Delivery& delivery) override {
    const Clock::time_point now = Clock::now();
    const std::size_t number = std::strtoull(delivery.correlation_id.c_str(), nullptr, 10);
    if (delivery.correlation_id.empty() || number >= tasks_.size()) {
      fail("an outcome for no task: '" + delivery.correlation_id + "'");
    }
    Task& task = tasks_[number];
    if (task.answered) {
      fail("two outcomes for task " + delivery.correlation_id);
    }
    check(text_of(delivery.body), payloads_[number % payloads_.size()].answer);
    task.answered = true;
    ++answered_;
    last_progress_ = now;
    outcome_bytes_ += delivery.body.size();
    acks_.done(delivery.tag);
    if (measuring_ && !stopped_) {
      latencies_us_.push_back(1e6 * seconds_between(task.submitted, now));
    }
    advance(now);
    if (!stopped_) {
      fill();
    }
  }

  void on_confirmed(std::uint64_t) override {}

 private:
  struct Task {
    Clock::time_point submitted;
    bool answered;
  };

  void step() {
    connection_.turn(*this, 50);
    acks_.send(connection_);
  }

  void fill() {
    while (tasks_.size() - answered_ < outstanding_max_ &&
           (batch_ == 0 || tasks_.size() < batch_)) {
      const std::size_t number = tasks_.size();
      const std::string correlation_id = std::to_string(number);
      message_id_.assign(run_id_).append("-").append(correlation_id);
      tasks_.push_back({Clock::now(), false});
      connection_.publish({.exchange = kSubmitExchange,
                           .routing_key = kTaskQueue,
                           .content_type = content_type_,
                           .type = {},
                           .message_id = message_id_,
                           .correlation_id = correlation_id,
                           .reply_to = reply_queue_,
                           .headers = &header_table_,
                           .body = payloads_[number % payloads_.size()].bytes});
    }
  }

  void check(std::string_view outcome, const std::string& answer) const {
    if (outcome.find("\"completed\"") == std::string_view::npos) {
      fail("a task was not completed: " + std::string(outcome.substr(0, 500)));
    }
    if (check_answers_ && outcome.find("\"" + answer + "\"") == std::string_view::npos) {
      fail("a wrong answer, not " + answer + ": " + std::string(outcome.substr(0, 500)));
    }
  }

  void begin_measuring(Clock::time_point now) {
    measuring_ = true;
    measured_from_ = now;
  }

  // Warm-up, then both a minimum duration and a minimum count, then stop.
  void advance(Clock::time_point now) {
    if (!measuring_) {
      if (answered_ >= warmup_count_ && seconds_between(started_, now) >= warmup_s_) {
        begin_measuring(now);
      }
      return;
    }
    const bool enough = batch_ > 0 ? answered_ == batch_
                                   : latencies_us_.size() >= min_count_ &&
                                         seconds_between(measured_from_, now) >= min_s_;
    if (!stopped_ && enough) {
      stopped_ = true;
      measured_to_ = now;
    }
  }

  void check_leftovers() const {
    Connection admin(options_.text("broker"), "bench check");
    for (const char* queue : {kTaskQueue, kResultQueue}) {
      const std::uint32_t left = admin.ready(queue);
      if (left > 0) {
        fail(std::to_string(left) + " messages left in " + queue);
      }
    }
  }

  double percentile(double share) {
    const std::size_t last = latencies_us_.size() - 1;
    const auto at = std::lround(share * static_cast<double>(last));
    std::nth_element(latencies_us_.begin(), latencies_us_.begin() + at, latencies_us_.end());
    return latencies_us_[static_cast<std::size_t>(at)];
  }

  void print() {
    const double seconds = seconds_between(measured_from_, measured_to_);
    const auto samples = static_cast<double>(latencies_us_.size());
    std::printf(
        R"({"samples":%zu,"tasks":%zu,"seconds":%.4f,"tasks_per_s":%.1f,)"
        R"("p50_us":%.0f,"p90_us":%.0f,)"
        R"("p99_us":%.0f,"max_us":%.0f,"outcome_bytes_mean":%.0f})"
        "\n",
        latencies_us_.size(), tasks_.size(), seconds, samples / seconds, percentile(0.5),
        percentile(0.9), percentile(0.99), percentile(1),
        static_cast<double>(outcome_bytes_) / static_cast<double>(tasks_.size()));
  }

  const Options& options_;
  Connection connection_;
  std::vector<Payload> payloads_;
  bool check_answers_;
  std::string content_type_;
  std::string model_;
  std::int32_t deadline_ms_;
  std::size_t outstanding_max_;
  double warmup_s_;
  std::size_t warmup_count_;
  double min_s_;
  std::size_t min_count_;
  std::size_t batch_;  // Not 0: submit so many at once, collect all, stop.
  double stall_s_;     // So long without an outcome: something was lost.

  std::string run_id_;
  std::string reply_queue_;
  std::string message_id_;
  amqp_table_entry_t headers_[2] = {};
  amqp_table_t header_table_{};

  std::vector<Task> tasks_;  // Index = correlation id.
  std::size_t answered_ = 0;
  std::size_t outcome_bytes_ = 0;
  Acks acks_;
  std::vector<double> latencies_us_;
  Clock::time_point started_;
  Clock::time_point last_progress_;
  Clock::time_point measured_from_;
  Clock::time_point measured_to_;
  bool measuring_ = false;
  bool stopped_ = false;
};

}  // namespace

int run_client(const Options& options) { return Client(options).run(); }

}  // namespace juggler_bench
