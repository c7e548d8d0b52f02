#include "wire/models.h"

#include <algorithm>
#include <optional>

#include "wire/bodies.h"
#include "wire/json.h"
#include "wire/json_writer.h"
#include "wire/messages.h"
#include "wire/version.h"

namespace juggler::wire {
namespace {

constexpr std::size_t kAskedBytesMax = std::size_t{128} * 1024;
constexpr std::size_t kWantedBytesMax = std::size_t{4} << 20U;
constexpr std::size_t kProblemMax = 1'024;
constexpr std::size_t kHeldMax = 256;
constexpr std::int64_t kFileBytesMax = std::int64_t{8} << 30U;
constexpr std::int64_t kAskedForMs = 30'000;  // who still waits has asked again by then

Envelope asking(std::string_view kind, const std::string& user) {
  Envelope envelope;
  envelope.exchange = kModelsExchange;
  envelope.routing_key = kFetchesQueue;
  envelope.type = type_of(kind);
  envelope.content_type = "application/json";
  envelope.user_id = user;
  envelope.persistent = false;
  envelope.mandatory = true;
  envelope.expiration_ms = kAskedForMs;
  return envelope;
}

Envelope answering(std::string_view kind, const std::string& device) {
  Envelope envelope;
  envelope.exchange = kControlExchange;
  envelope.routing_key = "device." + device;
  envelope.type = type_of(kind);
  envelope.persistent = false;
  return envelope;
}

bool is_digest(std::string_view text) {
  return text.size() == 64 && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

std::string read_digest(ObjectReader& reader, const char* key) {
  std::string digest = reader.string(key, 64);
  if (!is_digest(digest) && !reader.failed()) {
    reader.complain(key, "is not 64 lower-case hexadecimal digits");
  }
  return digest;
}

std::string header(const Envelope& envelope, const char* key) {
  const auto at = envelope.headers.find(key);
  const auto* text = at != envelope.headers.end() ? std::get_if<std::string>(&at->second) : nullptr;
  return text != nullptr ? *text : std::string();
}

}  // namespace

Envelope encode_models_asked(const ModelsAsked& asked, const std::string& user) {
  Envelope envelope = asking("models-asked", user);
  JsonWriter writer;
  writer.begin_object();
  writer.text("device", asked.device);
  writer.begin_array("held");
  for (const std::string& id : asked.held) {
    writer.begin_object();
    writer.text("id", id);
    writer.end_object();
  }
  writer.end_array();
  writer.text("holds", asked.holds);
  write_minor(writer);
  writer.begin_array("problems");
  for (const FetchProblem& problem : asked.problems) {
    writer.begin_object();
    writer.text("problem", problem.problem.substr(0, kProblemMax));
    writer.text("variant", problem.variant);
    writer.end_object();
  }
  writer.end_array();
  writer.text("version", asked.version);
  writer.end_object();
  envelope.body = make_body(writer.take());
  return envelope;
}

Result<ModelsAsked> decode_models_asked(const Envelope& envelope) {
  JsonDocument document;
  if (auto parsed = parse_body(envelope, "models-asked", kAskedBytesMax, document); !parsed) {
    return parsed.error();
  }
  std::optional<Error> error;
  ObjectReader reader(document, error);
  ModelsAsked asked;
  asked.device = reader.string("device", 63);
  reader.each("held", kHeldMax,
              [&](ObjectReader& one) { asked.held.push_back(one.string("id", 128)); });
  asked.holds = reader.string_or("holds", "", 64);
  reader.each("problems", kFetchProblemsMax, [&](ObjectReader& one) {
    std::string problem = one.string("problem", kProblemMax * 4);
    asked.problems.push_back({one.string("variant", 128), std::move(problem)});
  });
  asked.version = reader.string_or("version", "", 256);
  return error.has_value() ? Result<ModelsAsked>(*error) : Result<ModelsAsked>(std::move(asked));
}

Envelope encode_chunk_asked(const ChunkAsked& asked, const std::string& user) {
  Envelope envelope = asking("chunk-asked", user);
  JsonWriter writer;
  writer.begin_object();
  writer.text("device", asked.device);
  write_minor(writer);
  writer.integer("offset", asked.offset.count);
  writer.text("sha256", asked.sha256);
  writer.end_object();
  envelope.body = make_body(writer.take());
  return envelope;
}

bool is_chunk_asked(const Envelope& envelope) { return envelope.type == type_of("chunk-asked"); }

Result<ChunkAsked> decode_chunk_asked(const Envelope& envelope) {
  JsonDocument document;
  if (auto parsed = parse_body(envelope, "chunk-asked", 4'096, document); !parsed) {
    return parsed.error();
  }
  std::optional<Error> error;
  ObjectReader reader(document, error);
  ChunkAsked asked;
  asked.device = reader.string_or("device", "", 63);
  asked.offset = {reader.integer("offset", 0, kFileBytesMax)};
  asked.sha256 = read_digest(reader, "sha256");
  return error.has_value() ? Result<ChunkAsked>(*error) : Result<ChunkAsked>(std::move(asked));
}

Envelope encode_models_wanted(const ModelsWanted& wanted, const std::string& device) {
  Envelope envelope = answering("models-wanted", device);
  envelope.content_type = "application/json";
  JsonWriter writer;
  writer.begin_object();
  writer.text("catalogue", wanted.catalogue);
  writer.begin_array("labels");
  for (const WantedFile& file : wanted.labels) {
    writer.begin_object();
    writer.text("sha256", file.sha256);
    writer.integer("size_bytes", file.size.count);
    writer.end_object();
  }
  writer.end_array();
  write_minor(writer);
  writer.text("problem", wanted.problem);
  writer.end_object();
  envelope.body = make_body(writer.take());
  return envelope;
}

Result<ModelsWanted> decode_models_wanted(const Envelope& envelope) {
  JsonDocument document;
  if (auto parsed = parse_body(envelope, "models-wanted", kWantedBytesMax, document); !parsed) {
    return parsed.error();
  }
  std::optional<Error> error;
  ObjectReader reader(document, error);
  ModelsWanted wanted;
  wanted.catalogue = reader.string("catalogue", kWantedBytesMax);
  reader.each("labels", kHeldMax, [&](ObjectReader& file) {
    std::string digest = read_digest(file, "sha256");
    wanted.labels.push_back({std::move(digest), {file.integer("size_bytes", 0, kFileBytesMax)}});
  });
  wanted.problem = reader.string_or("problem", "", 4'096);
  return error.has_value() ? Result<ModelsWanted>(*error) : Result<ModelsWanted>(std::move(wanted));
}

Envelope encode_chunk(const Chunk& chunk, const std::string& bytes_sha256,
                      const std::string& device) {
  Envelope envelope = answering("chunk", device);
  envelope.content_type = "application/octet-stream";
  envelope.headers["x-juggler-sha256"] = chunk.sha256;
  envelope.headers["x-juggler-offset"] = chunk.offset.count;
  envelope.headers["x-juggler-chunk-sha256"] = bytes_sha256;
  if (!chunk.problem.empty()) {
    envelope.headers["x-juggler-problem"] = chunk.problem;
  }
  envelope.body = chunk.bytes != nullptr ? chunk.bytes : make_body("");
  return envelope;
}

bool is_models_answer(const Envelope& envelope) {
  return is_chunk(envelope) || envelope.type == type_of("models-wanted");
}

bool is_chunk(const Envelope& envelope) { return envelope.type == type_of("chunk"); }

Result<ReadChunk> decode_chunk(const Envelope& envelope) {
  if (const Result<void> type = check_type(envelope, "chunk"); !type) {
    return type.error();
  }
  ReadChunk read;
  read.chunk.sha256 = header(envelope, "x-juggler-sha256");
  read.bytes_sha256 = header(envelope, "x-juggler-chunk-sha256");
  read.chunk.problem = header(envelope, "x-juggler-problem").substr(0, kProblemMax);
  const auto at = envelope.headers.find("x-juggler-offset");
  const auto* offset =
      at != envelope.headers.end() ? std::get_if<std::int64_t>(&at->second) : nullptr;
  if (!is_digest(read.chunk.sha256) || offset == nullptr || *offset < 0 ||
      *offset > kFileBytesMax) {
    return fail(ErrorCode::Corrupt, "a chunk without its file or offset");
  }
  if (envelope.body == nullptr || envelope.body->size() > kChunkBytesMax) {
    return fail(ErrorCode::Corrupt, "a chunk without bytes, or with too many");
  }
  if (read.chunk.problem.empty() && !is_digest(read.bytes_sha256)) {
    return fail(ErrorCode::Corrupt, "a chunk without its hash");
  }
  read.chunk.offset = {*offset};
  read.chunk.bytes = envelope.body;
  return read;
}

}  // namespace juggler::wire
