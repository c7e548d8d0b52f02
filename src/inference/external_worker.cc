#include "inference/external_worker.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <thread>
#include <utility>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "runtime/child_process.h"

namespace juggler::external {
namespace {

constexpr Micros kLookStarting = milliseconds(20);
constexpr Micros kLookReady = milliseconds(500);
constexpr Micros kEndMax = seconds(2);

// execve wants a path: what a shell would find for this name.
std::string find_program(const std::string& name) {
  if (name.find('/') != std::string::npos) {
    return name;
  }
  const char* path = std::getenv("PATH");
  std::string_view left = path != nullptr ? path : "/usr/local/bin:/usr/bin:/bin";
  while (!left.empty()) {
    const std::size_t end = std::min(left.find(':'), left.size());
    std::string candidate = fmt::format("{}/{}", left.substr(0, end), name);
    if (access(candidate.c_str(), X_OK) == 0) {
      return candidate;
    }
    left.remove_prefix(std::min(end + 1, left.size()));
  }
  return name;
}

std::string with_socket(std::string argument, const std::string& socket) {
  constexpr std::string_view kPlace = "{socket}";
  const std::size_t at = argument.find(kPlace);
  return at == std::string::npos ? argument : argument.replace(at, kPlace.size(), socket);
}

std::vector<std::string> environment_for(const std::string& socket) {
  std::vector<std::string> environment;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    // A broker's address holds a password: not a worker's matter.
    if (!std::string_view(*entry).starts_with("JUGGLER_BROKER=")) {
      environment.emplace_back(*entry);
    }
  }
  environment.push_back("JUGGLER_SOCKET=" + socket);
  return environment;
}

std::string ending(int status) {
  return status >= 128 ? fmt::format("it was ended by signal {}", status - 128)
                       : fmt::format("it ended with status {}", status);
}

}  // namespace

Worker::Worker(WorkerOptions options, WorkerSocket socket)
    : options_(std::move(options)),
      socket_(std::move(socket)),
      ladder_(options_.seed, options_.restart_delay_max),
      next_start_(clock_.now()) {}

Result<std::unique_ptr<Worker>> Worker::start(WorkerOptions options) {
  Result<WorkerSocket> socket = WorkerSocket::listen(options.socket);
  if (!socket) {
    return socket.error();
  }
  auto worker = std::unique_ptr<Worker>(new Worker(std::move(options), std::move(*socket)));
  worker->look();
  return worker;
}

Worker::~Worker() {
  socket_.disconnect();
  if (child_.has_value() && !await_child(*child_, kEndMax).has_value()) {
    kill_child_group(*child_);
  }
}

void Worker::look() {
  if (state_ == State::Down && clock_.now() >= next_start_) {
    spawn();
  }
  if (state_ == State::Starting) {
    greet();
  } else if (state_ == State::Ready) {
    watch();
  }
}

Micros Worker::look_again() const {
  switch (state_) {
    case State::Down:
      return std::max(next_start_ - SystemClock().now(), milliseconds(1));
    case State::Starting:
      return kLookStarting;
    case State::Ready:
      break;
  }
  return kLookReady;
}

void Worker::spawn() {
  state_ = State::Starting;
  start_expires_ = options_.command.empty() ? Time::never() : clock_.now() + options_.start_max;
  if (options_.command.empty()) {
    last_trouble_ = "nobody has connected to " + options_.socket.string();
    return;
  }
  last_trouble_ = "it is starting";
  const std::string socket = std::filesystem::absolute(options_.socket).string();
  ChildOptions child;
  child.program = find_program(options_.command.front());
  for (auto at = options_.command.begin() + 1; at != options_.command.end(); ++at) {
    child.arguments.push_back(with_socket(*at, socket));
  }
  child.environment = environment_for(socket);
  child.output = options_.log.string();
  child.ends_with_us = true;
  std::error_code ignored;
  std::filesystem::create_directories(options_.log.parent_path(), ignored);
  const Result<pid_t> started = start_child(child);
  if (!started) {
    fall(started.error().message);
    return;
  }
  child_ = *started;
}

// Takes the connection and its hello, as far as they are there.
void Worker::greet() {
  if (child_.has_value()) {
    if (const std::optional<int> status = poll_child(*child_)) {
      child_.reset();
      fall(fmt::format("{} before it said hello: see {}", ending(*status), options_.log.string()));
      return;
    }
  }
  if (clock_.now() >= start_expires_) {
    fall("it did not say hello in time");
    return;
  }
  if (!socket_.connected()) {
    return;
  }
  Result<std::optional<Frame>> frame = socket_.receive(Micros{0});
  if (!frame) {
    fall(frame.error().message);
    return;
  }
  if (!frame->has_value()) {
    return;
  }
  Result<Hello> hello = decode_hello(**frame);
  if (!hello) {
    fall(hello.error().message);
    return;
  }
  hello_ = std::move(*hello);
  life_ += 1;
  state_ = State::Ready;
  last_trouble_.clear();
  ladder_.succeeded(clock_.now());
  spdlog::info("{}: the worker is there: {}", options_.name, hello_.runtime);
}

// Between requests a worker has nothing to say.
void Worker::watch() {
  const Result<std::optional<Frame>> frame = socket_.receive(Micros{0});
  if (!frame) {
    fall(frame.error().message);
  } else if (frame->has_value()) {
    fall("it spoke without being asked");
  }
}

void Worker::fall(const std::string& why) {
  last_trouble_ = why;
  if (child_.has_value()) {
    // Before it is disconnected, which would end it too. How it ended says more than what it said.
    if (const std::optional<int> status = await_child(*child_, milliseconds(50))) {
      last_trouble_ = fmt::format("{}: see {}", ending(*status), options_.log.string());
    }
    kill_child_group(*child_);
    child_.reset();
  }
  socket_.disconnect();
  state_ = State::Down;
  next_start_ = ladder_.failed(clock_.now());
  spdlog::warn("{}: the worker failed ({} in a row): {}", options_.name, ladder_.failures(),
               last_trouble_);
}

Result<Hello> Worker::await_hello() {
  const int failures = ladder_.failures();
  // One that we have started fails by itself when its time is up; one that somebody else starts has
  // the same time.
  const Time until = clock_.now() + options_.start_max + seconds(1);
  while (state_ != State::Ready && ladder_.failures() == failures && clock_.now() < until) {
    look();
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  if (state_ != State::Ready) {
    return fail(ErrorCode::Unavailable, trouble());
  }
  return hello_;
}

std::string Worker::trouble() const {
  if (state_ == State::Ready) {
    return {};
  }
  return fmt::format("the worker of {} is not there: {}", options_.name, last_trouble_);
}

// Silence and nonsense cost the worker its life: after half an answer nothing that follows could be
// told apart.
Result<Answer> Worker::ask(std::int64_t id, const std::string& head, std::string_view tensor,
                           Micros wait_max) {
  look();
  if (state_ != State::Ready) {
    return fail(ErrorCode::Unavailable, trouble());
  }
  const Time until = clock_.now() + wait_max;
  if (Result<void> sent = socket_.send(head, tensor, wait_max); !sent) {
    fall(sent.error().message);
    return fail(ErrorCode::Unavailable, trouble());
  }
  Result<std::optional<Frame>> frame = socket_.receive(std::max(until - clock_.now(), Micros{0}));
  if (!frame || !frame->has_value()) {
    fall(frame ? fmt::format("it gave no answer within {} ms", wait_max.count / 1000)
               : frame.error().message);
    return fail(ErrorCode::Unavailable, trouble());
  }
  Result<Answer> answer = decode_answer(**frame, id);
  if (!answer) {
    fall(answer.error().message);
    return fail(ErrorCode::Unavailable, trouble());
  }
  if (const auto* refusal = std::get_if<Refusal>(&*answer)) {
    return fail(refusal->out_of_memory ? ErrorCode::TooLarge : ErrorCode::Unavailable,
                fmt::format("the worker of {} says: {}", options_.name, refusal->reason));
  }
  return answer;
}

Result<Loaded> Worker::load(const CatalogueVariant& variant) {
  const std::int64_t id = ++last_request_;
  Result<Answer> answer = ask(id, encode_load(id, variant), {}, options_.load_max);
  if (!answer) {
    return answer.error();
  }
  const auto* loaded = std::get_if<Loaded>(&*answer);
  if (loaded == nullptr) {
    fall("it answered `load` with something else");
    return fail(ErrorCode::Unavailable, trouble());
  }
  return *loaded;
}

Result<Scores> Worker::run(const std::string& variant, std::span<const float> input, int batch) {
  const std::int64_t id = ++last_request_;
  const std::string_view tensor(reinterpret_cast<const char*>(input.data()), input.size_bytes());
  Result<Answer> answer =
      ask(id, encode_run(id, variant, batch, tensor.size()), tensor, options_.run_max);
  if (!answer) {
    return answer.error();
  }
  auto* scores = std::get_if<Scores>(&*answer);
  if (scores == nullptr) {
    fall("it answered `run` with something else");
    return fail(ErrorCode::Unavailable, trouble());
  }
  return std::move(*scores);
}

Result<void> Worker::unload(const std::string& variant) {
  if (state_ != State::Ready) {
    return {};  // it has forgotten everything
  }
  const std::int64_t id = ++last_request_;
  const Result<Answer> answer = ask(id, encode_unload(id, variant), {}, options_.run_max);
  if (!answer) {
    return answer.error();
  }
  return {};
}

}  // namespace juggler::external
