#include "apps/model_fetch.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <functional>
#include <utility>

#include "files/sha256.h"
#include "runtime/topology.h"
#include "telemetry/printable.h"

namespace juggler {
namespace {

constexpr Micros kAskEvery = seconds(60);     // where nobody says that something has changed
constexpr Micros kAskAgainMax = seconds(60);  // where it did not work
constexpr Micros kSpread = seconds(2);
constexpr Micros kAnswerMax = seconds(10);  // then a question, or its answer, was lost
constexpr Micros kQueueMax = milliseconds(500);
constexpr Micros kTellEvery = seconds(5);
// So that the way there and back costs nothing; no more, because tasks come over the same link.
constexpr int kChunksAhead = 4;
constexpr int kBadChunksMax = 5;  // in a row, then the file is left for a while
// Files that came whole and wrong: what is handed out is not what the catalogue says, and to fetch
// it over and over would only burden the network.
constexpr int kBadFilesMax = 2;
constexpr Micros kBadFilesPause = seconds(600);
constexpr std::size_t kProblemsKept = 32;

}  // namespace

SessionPlan model_fetch_plan(const std::string& device, std::optional<std::int64_t> priority) {
  SessionPlan plan;
  plan.connection_name = "models of " + device;
  if (priority.has_value()) {
    plan.role = SessionRole::Device;
    Subscription answers;
    answers.queue = device_control_queue(device);
    answers.prefetch = 0;
    answers.no_ack = true;  // who gets no answer asks again
    answers.priority = *priority;
    plan.subscriptions = {answers};
  }
  return plan;
}

ModelFetch::ModelFetch(Transport& transport, Clock& clock, ModelFolder folder,
                       ModelFetchOptions options)
    : transport_(transport),
      clock_(clock),
      folder_(std::move(folder)),
      options_(std::move(options)),
      again_(std::hash<std::string>{}(options_.device), kAskAgainMax) {}

void ModelFetch::turn(Micros wait_max) {
  const Time now = clock_.now();
  const Time due = waiting_ ? answer_by_ : ask_at_;
  const Micros wait = linked_ ? std::clamp(due - now, Micros{0}, wait_max) : wait_max;
  std::vector<TransportEvent> events;
  transport_.poll(wait, events);
  for (const TransportEvent& event : events) {
    handle(event);
  }
  if (!linked_) {
    return;
  }
  if (waiting_ && clock_.now() >= answer_by_) {
    stuck(fmt::format("no answer within {} s", kAnswerMax.count / 1'000'000));
  }
  if (!waiting_ && clock_.now() >= ask_at_) {
    ask();
  }
}

bool ModelFetch::changed() const {
  return settled_ && !plan_.catalogue.empty() && sha256_hex(plan_.catalogue) != folder_.holds();
}

void ModelFetch::ask_soon() {
  const auto own = static_cast<std::int64_t>(std::hash<std::string>{}(options_.device) %
                                             static_cast<std::size_t>(kSpread.count));
  ask_at_ = std::min(ask_at_, clock_.now() + Micros{own});
}

// To be told with the next question.
void ModelFetch::note(const std::string& problem) {
  const wire::FetchProblem noted{"", problem};
  if (problems_.size() < kProblemsKept &&
      std::find(problems_.begin(), problems_.end(), noted) == problems_.end()) {
    problems_.push_back(noted);
  }
}

void ModelFetch::publish(wire::Envelope envelope) {
  transport_.publish(++last_publish_, std::move(envelope));
}

// What was under way is asked for anew; the parts that are here stay.
void ModelFetch::stuck(const std::string& why, std::optional<Micros> pause) {
  problem_ = why;
  waiting_ = false;
  ask_at_ = pause.has_value() ? clock_.now() + *pause : again_.failed(clock_.now());
  if (const std::uint64_t times = said_.to_say(why); times > 0) {
    spdlog::warn("models: {}{}", printable(why), times_text(times));
  }
}

void ModelFetch::handle(const TransportEvent& event) {
  if (std::holds_alternative<TransportConnected>(event)) {
    linked_ = true;
    waiting_ = false;
    // Where its queue is missing: the keeper has it made, once it finds nowhere to answer.
    ask_at_ = clock_.now() + kQueueMax;
  } else if (const auto* lost = std::get_if<TransportDisconnected>(&event)) {
    linked_ = false;
    const bool rights = lost->reason.find("ACCESS_REFUSED") != std::string::npos;
    stuck(rights ? fmt::format("this login may not ask for models (an older Juggler has made it): "
                               "give it its rights by `juggler devices rotate {}`; {}",
                               options_.device, lost->reason)
                 : "no connection to the broker: " + lost->reason,
          rights ? kAskEvery : Micros{0});  // once there is one again
  } else if (const auto* settled = std::get_if<TransportSettled>(&event)) {
    if (settled->end == PublishEnd::Returned && waiting_) {
      stuck(
          "nobody hands out models on this broker: `juggler keeper` must run (`juggler up` runs "
          "it)");
    }
  } else if (const auto* delivery = std::get_if<TransportDelivery>(&event)) {
    heard(delivery->envelope);
  } else if (const auto* serving = std::get_if<TransportServing>(&event);
             serving != nullptr && serving->serving) {
    waiting_ = false;  // before, no answer could come
    ask_now();
  }
}

void ModelFetch::ask() {
  wire::ModelsAsked asked;
  asked.device = options_.device;
  asked.version = options_.version;
  asked.holds = folder_.holds();
  asked.held = folder_.held();
  asked.problems = refused_;
  asked.problems.insert(asked.problems.end(), problems_.begin(), problems_.end());
  for (const LeftOut& left : plan_.left_out) {
    asked.problems.push_back({left.variant, left.problem});
  }
  asked.problems.resize(std::min(asked.problems.size(), wire::kFetchProblemsMax));
  publish(wire::encode_models_asked(asked, options_.login));
  waiting_ = true;
  answer_by_ = clock_.now() + kAnswerMax;
}

void ModelFetch::heard(const wire::Envelope& envelope) {
  if (wire::is_chunk(envelope)) {
    chunk(envelope);
  } else if (wire::is_models_answer(envelope)) {
    wanted(envelope);
  }
}

void ModelFetch::wanted(const wire::Envelope& envelope) {
  const Result<wire::ModelsWanted> wanted = wire::decode_models_wanted(envelope);
  if (!wanted || !wanted->problem.empty()) {
    stuck(wanted ? wanted->problem : wanted.error().message);
    return;
  }
  std::vector<ContentFile> labels;
  for (const wire::WantedFile& file : wanted->labels) {
    labels.push_back({file.sha256, file.size});
  }
  Result<FetchPlan> plan = folder_.plan(wanted->catalogue, labels);
  if (!plan) {
    stuck(plan.error().message);
    return;
  }
  const bool told = plan->left_out == plan_.left_out;
  plan_ = std::move(*plan);
  for (const LeftOut& left : plan_.left_out) {
    if (!told) {
      spdlog::warn("models: {} is left out: {}", left.variant, left.problem);
    }
  }
  file_ = 0;
  asked_to_ = 0;
  bad_chunks_ = 0;
  bad_files_ = 0;
  fetched_ = 0;
  settled_ = false;
  if (!plan_.missing.empty()) {
    std::int64_t bytes = 0;
    for (const ContentFile& file : plan_.missing) {
      bytes += file.size.count - folder_.have(file).count;
    }
    spdlog::info("models: fetching {} file{}, {:.1f} MB", plan_.missing.size(),
                 plan_.missing.size() == 1 ? "" : "s", static_cast<double>(bytes) / 1e6);
  }
  told_ = clock_.now();
  // What does not fit is told at once, not with the next question a minute later.
  ask_at_ = clock_.now() + (told ? kAskEvery : Micros{0});
  next_file();
}

// Goes on with the file that is under way, or ends.
void ModelFetch::next_file() {
  while (file_ < plan_.missing.size()) {
    const ContentFile& file = plan_.missing[file_];
    if (folder_.have(file) < file.size) {
      asked_to_ = folder_.have(file).count;
      waiting_ = true;
      ask_chunks();
      return;
    }
    if (Result<void> whole = folder_.complete(file); !whole) {
      bad_files_ += whole.error().code == ErrorCode::Corrupt ? 1 : 0;
      if (bad_files_ == 0 || bad_files_ >= kBadFilesMax) {
        note(whole.error().message);
        stuck(whole.error().message, bad_files_ > 0 ? std::optional(kBadFilesPause) : std::nullopt);
        return;
      }
      spdlog::warn("models: {}; fetched again", whole.error().message);
      continue;
    }
    ++file_;
  }
  waiting_ = false;
  settled_ = true;
  again_.succeeded(clock_.now());
  problems_.clear();
  problem_.clear();
  said_.forget();
}

void ModelFetch::ask_chunks() {
  const ContentFile& file = plan_.missing[file_];
  const std::int64_t ahead =
      folder_.have(file).count + kChunksAhead * static_cast<std::int64_t>(wire::kChunkBytesMax);
  while (asked_to_ < std::min(ahead, file.size.count)) {
    publish(wire::encode_chunk_asked({options_.device, file.sha256, {asked_to_}}, options_.login));
    asked_to_ += static_cast<std::int64_t>(wire::kChunkBytesMax);
  }
  answer_by_ = clock_.now() + kAnswerMax;
}

void ModelFetch::chunk(const wire::Envelope& envelope) {
  if (!waiting_ || file_ >= plan_.missing.size()) {
    return;  // asked for before something else was wanted
  }
  const Result<wire::ReadChunk> read = wire::decode_chunk(envelope);
  const ContentFile& file = plan_.missing[file_];
  if (read && (read->chunk.sha256 != file.sha256 || read->chunk.offset != folder_.have(file))) {
    return;  // asked for twice
  }
  if (read && !read->chunk.problem.empty()) {
    stuck(read->chunk.problem);
    return;
  }
  if (!read || read->chunk.bytes->empty() || sha256_hex(*read->chunk.bytes) != read->bytes_sha256) {
    const std::string why =
        read ? fmt::format("a chunk of {} came corrupt and is refused", file.sha256)
             : read.error().message;
    if (++bad_chunks_ >= kBadChunksMax) {
      note(why);
      stuck(why);
      return;
    }
    spdlog::warn("models: {}; asked for again", why);
    asked_to_ = folder_.have(file).count;
    ask_chunks();
    return;
  }
  if (Result<void> kept = folder_.append(file, read->chunk.offset, *read->chunk.bytes); !kept) {
    note(kept.error().message);
    stuck(kept.error().message);
    return;
  }
  bad_chunks_ = 0;
  fetched_ += static_cast<std::int64_t>(read->chunk.bytes->size());
  tell_progress();
  if (folder_.have(file) < file.size) {
    ask_chunks();
  } else {
    next_file();
  }
}

void ModelFetch::tell_progress() {
  if (clock_.now() - told_ >= kTellEvery) {
    told_ = clock_.now();
    spdlog::info("models: file {} of {}, {:.1f} MB fetched", file_ + 1, plan_.missing.size(),
                 static_cast<double>(fetched_) / 1e6);
  }
}

}  // namespace juggler
