#include "inference/external_protocol.h"

#include <cstring>
#include <limits>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace juggler::external {
namespace {

using nlohmann::json;

constexpr std::size_t kTextMax = 512;
constexpr std::int64_t kBatchMax = 1024;
constexpr std::int64_t kClassesMax = 1'000'000;
constexpr std::int64_t kMemoryMax = std::int64_t{1} << 44U;

std::uint32_t read_length(std::string_view bytes) {
  std::uint32_t length = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    length |= std::uint32_t{static_cast<unsigned char>(bytes[i])} << (8 * i);
  }
  return length;
}

std::string prefix(std::size_t header_bytes, std::size_t tensor_bytes) {
  std::string bytes(kMark);
  for (const std::size_t length : {header_bytes, tensor_bytes}) {
    for (std::size_t i = 0; i < 4; ++i) {
      bytes += static_cast<char>(length >> (8 * i) & 0xffU);
    }
  }
  return bytes;
}

std::string request(const json& header, std::size_t tensor_bytes) {
  const std::string text = header.dump(-1, ' ', false, json::error_handler_t::replace);
  return prefix(text.size(), tensor_bytes) + text;
}

Error corrupt(const std::string& what) {
  return fail(ErrorCode::Corrupt, "the worker's message " + what);
}

// Fields of one message; the first complaint is kept.
class Fields {
 public:
  explicit Fields(const Frame& frame) {
    object_ = json::parse(frame.header, nullptr, /*allow_exceptions=*/false);
    if (!object_.is_object()) {
      object_ = json::object();
      complain("is no JSON object");
    }
  }

  std::int64_t integer(const char* key, std::int64_t min, std::int64_t max) {
    const auto at = object_.find(key);
    if (at == object_.end()) {
      complain(fmt::format("has no `{}`", key));
      return min;
    }
    return checked(key, *at, min, max);
  }

  std::int64_t integer_or(const char* key, std::int64_t otherwise, std::int64_t max) {
    const auto at = object_.find(key);
    return at == object_.end() ? otherwise : checked(key, *at, 0, max);
  }

  std::string text(const char* key) {
    const auto at = object_.find(key);
    if (at == object_.end() || !at->is_string() ||
        at->get_ref<const std::string&>().size() > kTextMax) {
      complain(fmt::format("needs a text `{}` of at most {} bytes", key, kTextMax));
      return {};
    }
    return at->get<std::string>();
  }

  std::vector<std::string> texts(const char* key, std::size_t count_max) {
    const auto at = object_.find(key);
    if (at == object_.end() || !at->is_array() || at->size() > count_max) {
      complain(fmt::format("needs a list `{}` of at most {} texts", key, count_max));
      return {};
    }
    std::vector<std::string> values;
    for (const json& one : *at) {
      if (!one.is_string() || one.get_ref<const std::string&>().size() > kTextMax) {
        complain(fmt::format("has something else than a short text in `{}`", key));
        return {};
      }
      values.push_back(one.get<std::string>());
    }
    return values;
  }

  void complain(const std::string& what) {
    if (!error_.has_value()) {
      error_ = corrupt(what);
    }
  }
  const std::optional<Error>& error() const { return error_; }

 private:
  std::int64_t checked(const char* key, const json& value, std::int64_t min, std::int64_t max) {
    // An unsigned number above the range of the signed ones is out of any range here.
    const bool fits = value.is_number_integer() &&
                      (!value.is_number_unsigned() ||
                       value.get<std::uint64_t>() <=
                           static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) &&
                      value.get<std::int64_t>() >= min && value.get<std::int64_t>() <= max;
    if (!fits) {
      complain(fmt::format("needs an integer `{}` from {} to {}", key, min, max));
      return min;
    }
    return value.get<std::int64_t>();
  }

  json object_;
  std::optional<Error> error_;
};

Scores scores_of(const std::string& tensor) {
  Scores scores;
  scores.values.resize(tensor.size() / sizeof(float));
  if (!scores.values.empty()) {  // Little-endian, as all our boards are.
    std::memcpy(scores.values.data(), tensor.data(), scores.values.size() * sizeof(float));
  }
  return scores;
}

}  // namespace

Result<std::optional<Frame>> FrameReader::next() {
  const std::string_view there(buffer_);
  if (there.substr(0, kMark.size()) != kMark.substr(0, there.size())) {
    return corrupt("does not begin with the mark " + std::string(kMark));
  }
  if (there.size() < kPrefixBytes) {
    return std::optional<Frame>();
  }
  const std::size_t header = read_length(there.substr(4));
  const std::size_t tensor = read_length(there.substr(8));
  if (header > kHeaderBytesMax || tensor > kTensorBytesMax) {
    return corrupt(fmt::format("claims {} bytes of JSON and {} of tensor: at most {} and {}",
                               header, tensor, kHeaderBytesMax, kTensorBytesMax));
  }
  if (there.size() < kPrefixBytes + header + tensor) {
    return std::optional<Frame>();
  }
  Frame frame{buffer_.substr(kPrefixBytes, header), buffer_.substr(kPrefixBytes + header, tensor)};
  buffer_.erase(0, kPrefixBytes + header + tensor);
  return std::optional<Frame>(std::move(frame));
}

Result<Hello> decode_hello(const Frame& frame) {
  Fields fields(frame);
  if (fields.text("type") != "hello") {
    fields.complain("is not the `hello` that a worker begins with");
  }
  const std::int64_t major = fields.integer("major", 0, 1'000'000);
  if (!fields.error().has_value() && major != kMajor) {
    return fail(ErrorCode::Unsupported,
                fmt::format("the worker speaks version {} of the protocol, this program {}", major,
                            kMajor));
  }
  fields.integer("minor", 0, 1'000'000);
  Hello hello;
  hello.runtime = fields.text("runtime");
  hello.variants = fields.texts("variants", kWorkerVariantsMax);
  hello.batch_max = static_cast<int>(fields.integer("batch_max", 1, kBatchMax));
  if (fields.error().has_value()) {
    return *fields.error();
  }
  return hello;
}

Result<Answer> decode_answer(const Frame& frame, std::int64_t id) {
  Fields fields(frame);
  const std::string type = fields.text("type");
  const std::int64_t answered = fields.integer("id", 0, std::numeric_limits<std::int64_t>::max());
  Answer answer;
  if (type == "loaded") {
    answer = Loaded{static_cast<int>(fields.integer("classes", 1, kClassesMax)),
                    Bytes{fields.integer_or("memory_bytes", 0, kMemoryMax)}};
  } else if (type == "scores") {
    if (frame.tensor.size() % sizeof(float) != 0) {
      fields.complain("has a tensor that is not made of float32");
    }
    answer = scores_of(frame.tensor);
  } else if (type == "unloaded") {
    answer = Unloaded{};
  } else if (type == "error") {
    answer = Refusal{fields.text("reason"), fields.integer_or("out_of_memory", 0, 1) == 1};
  } else {
    fields.complain("is of a type that nobody asked for");
  }
  if (!fields.error().has_value() && answered != id) {
    fields.complain(fmt::format("answers request {} and not {}", answered, id));
  }
  if (fields.error().has_value()) {
    return *fields.error();
  }
  return answer;
}

std::string encode_load(std::int64_t id, const CatalogueVariant& variant) {
  const json header{{"type", "load"},
                    {"id", id},
                    {"variant", variant.variant.id},
                    {"precision", variant.variant.precision},
                    {"sha256", variant.variant.sha256},
                    {"input", {3, variant.input.height, variant.input.width}}};
  return request(header, 0);
}

std::string encode_run(std::int64_t id, const std::string& variant, int batch,
                       std::size_t tensor_bytes) {
  return request({{"type", "run"}, {"id", id}, {"variant", variant}, {"batch", batch}},
                 tensor_bytes);
}

std::string encode_unload(std::int64_t id, const std::string& variant) {
  return request({{"type", "unload"}, {"id", id}, {"variant", variant}}, 0);
}

std::string encode_frame(std::string_view header, std::string_view tensor) {
  std::string bytes = prefix(header.size(), tensor.size());
  bytes += header;
  bytes += tensor;
  return bytes;
}

}  // namespace juggler::external
