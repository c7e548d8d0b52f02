#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <vector>

#include "http/asked.h"
#include "http/base64.h"
#include "http/infer.h"
#include "http/routes.h"
#include "wire/json.h"

// This file: a request of the Open Inference Protocol, JSON with tensors in it or behind it. One
// picture each: the controller forms the batches.

namespace juggler::http {
namespace {

using Value = rapidjson::Value;

constexpr rapidjson::SizeType kDimensionsMax = 8;
constexpr std::size_t kLengthBytes = 4;  // before each element of a BYTES tensor

// Reads one request; the first complaint sticks.
class InferReader {
 public:
  InferReader(const Request& request, std::string_view tensors, Asked& asked)
      : request_(request), tensors_(tensors), asked_(asked) {}

  void read(const Value& root) {
    take_headers(request_.headers, true, asked_);
    if (const Value* id = member(root, "id"); id != nullptr && !id->IsString()) {
      complain("'id' must be a string");
    } else if (id != nullptr && id->GetStringLength() > 0) {
      asked_.id = text(*id);
    }
    read_parameters(root);
    read_outputs(root);
    read_input(root);
  }
  const std::optional<Error>& error() const { return error_; }

 private:
  static std::string text(const Value& value) {
    return {value.GetString(), value.GetStringLength()};
  }

  static const Value* member(const Value& object, const char* name) {
    const auto at = object.FindMember(name);
    return at == object.MemberEnd() ? nullptr : &at->value;
  }

  void complain(std::string what, ErrorCode code = ErrorCode::InvalidArgument) {
    if (!error_.has_value()) {
      error_ = fail(code, std::move(what));
    }
  }

  // The object `parameters`; null where there is none.
  const Value* parameters_of(const Value& object) {
    const Value* parameters = member(object, "parameters");
    if (parameters != nullptr && !parameters->IsObject()) {
      complain("'parameters' must be an object");
      return nullptr;
    }
    return parameters;
  }

  void read_parameters(const Value& root) {
    const Value* parameters = parameters_of(root);
    if (parameters == nullptr) {
      return;
    }
    for (const auto& [name, value] : parameters->GetObject()) {
      read_parameter(text(name), value);
    }
  }

  void read_parameter(const std::string& name, const Value& value) {
    wire::HeaderValue given;
    if (value.IsBool()) {
      given = value.GetBool();
    } else if (value.IsInt64()) {
      given = value.GetInt64();
    } else if (value.IsNumber()) {
      given = value.GetDouble();
    } else if (value.IsString()) {
      given = text(value);
    } else {
      complain(fmt::format("parameter '{}' must be a string, a number or a boolean", name));
      return;
    }
    const auto* whole = std::get_if<std::int64_t>(&given);
    if (name == "priority") {
      const bool fits = whole != nullptr && *whole >= 0;
      require(asked_, name, fits ? priority_of_infer(*whole) : std::int64_t{-1});
    } else if (name == "timeout") {
      // Of Triton: microseconds, 0 for none.
      if (whole == nullptr || *whole < 0) {
        complain("parameter 'timeout' must be a whole number of microseconds");
      } else if (*whole > 0) {
        require(asked_, "deadline_ms", static_cast<double>(*whole) / 1000.0);
      }
    } else if (name == "binary_data_output") {
      asked_.infer->binary = value.IsBool() && value.GetBool();
    } else if (name == "min_accuracy" || name == "deadline_ms" || name == "max_energy_mj" ||
               name == "top_k" || name == "allow_synthetic" || name == "device") {
      require(asked_, name, std::move(given));
    } else {
      complain(
          fmt::format("parameter '{}' is not known; there are: min_accuracy, deadline_ms, "
                      "max_energy_mj, priority, timeout, top_k, allow_synthetic, device, "
                      "binary_data_output",
                      name.substr(0, kIdMax)));
    }
  }

  // The labels are all that there is: how many, and in which form.
  void read_outputs(const Value& root) {
    const Value* outputs = member(root, "outputs");
    if (outputs == nullptr) {
      return;
    }
    if (!outputs->IsArray() || outputs->Size() > 1) {
      complain(fmt::format("'outputs' must be an array of at most one: '{}'", kOutputName));
      return;
    }
    for (const Value& output : outputs->GetArray()) {
      const Value* name = output.IsObject() ? member(output, "name") : nullptr;
      if (name == nullptr || !name->IsString() || text(*name) != kOutputName) {
        complain(fmt::format("the one output is '{}'", kOutputName));
        return;
      }
      const Value* parameters = parameters_of(output);
      if (parameters == nullptr) {
        continue;
      }
      if (const Value* count = member(*parameters, "classification"); count != nullptr) {
        require(asked_, "top_k", count->IsInt64() ? count->GetInt64() : std::int64_t{-1});
      }
      if (const Value* binary = member(*parameters, "binary_data"); binary != nullptr) {
        asked_.infer->binary = binary->IsBool() && binary->GetBool();
      }
    }
  }

  void read_input(const Value& root) {
    const Value* inputs = member(root, "inputs");
    if (inputs == nullptr || !inputs->IsArray() || inputs->Size() != 1 ||
        !(*inputs)[0].IsObject()) {
      complain(
          "'inputs' must be an array of one input: one picture a request (the controller "
          "forms the batches)");
      return;
    }
    const Value& input = (*inputs)[0];
    const Value* type = member(input, "datatype");
    const std::optional<std::vector<std::int64_t>> shape = shape_of(input);
    if (type == nullptr || !type->IsString() || !shape.has_value()) {
      complain("an input needs 'name', 'datatype' and 'shape', an array of at most 8 sizes");
      return;
    }
    const std::optional<std::string> bytes = bytes_of(input);
    if (!bytes.has_value()) {
      return;
    }
    if (text(*type) == "BYTES") {
      read_picture(input, *shape, *bytes);
    } else if (text(*type) == "UINT8") {
      read_pixels(*shape, *bytes);
    } else if (text(*type) == "FP32") {
      read_floats(*shape, *bytes);
    } else {
      complain(
          "'datatype' must be BYTES (a JPEG or PNG), UINT8 (pixels) or FP32 (a preprocessed "
          "tensor)",
          ErrorCode::Unsupported);
    }
  }

  static std::optional<std::vector<std::int64_t>> shape_of(const Value& input) {
    const Value* shape = member(input, "shape");
    if (shape == nullptr || !shape->IsArray() || shape->Size() > kDimensionsMax) {
      return std::nullopt;
    }
    std::vector<std::int64_t> sizes;
    for (const Value& size : shape->GetArray()) {
      if (!size.IsInt64() || size.GetInt64() < 0) {
        return std::nullopt;
      }
      sizes.push_back(size.GetInt64());
    }
    return sizes;
  }

  // The tensor behind the JSON, or an empty text where `data` has it.
  std::optional<std::string> bytes_of(const Value& input) {
    const Value* parameters = parameters_of(input);
    const Value* size = parameters != nullptr ? member(*parameters, "binary_data_size") : nullptr;
    if (size == nullptr) {
      binary_ = false;
      if (!tensors_.empty()) {
        complain(
            fmt::format("{} bytes follow the JSON, and no 'binary_data_size' says whose they "
                        "are",
                        tensors_.size()));
        return std::nullopt;
      }
      return std::string();
    }
    binary_ = true;
    if (!size->IsUint64() || size->GetUint64() != tensors_.size() ||
        member(input, "data") != nullptr) {
      complain(
          fmt::format("'binary_data_size' must be the {} bytes that follow the JSON, without "
                      "'data' beside it",
                      tensors_.size()));
      return std::nullopt;
    }
    return std::string(tensors_);
  }

  // One element: shape [1] or [1, 1].
  void read_picture(const Value& input, const std::vector<std::int64_t>& shape,
                    const std::string& bytes) {
    const auto is_one = [](std::int64_t size) { return size == 1; };
    if (shape.empty() || !std::all_of(shape.begin(), shape.end(), is_one)) {
      complain(
          "a BYTES input has the shape [1] or [1, 1]: one picture a request (the controller "
          "forms the batches)");
      return;
    }
    std::string picture;
    if (binary_) {
      std::uint32_t length = 0;
      for (std::size_t i = 0; i < std::min(kLengthBytes, bytes.size()); ++i) {
        length |= std::uint32_t{static_cast<unsigned char>(bytes[i])} << (8 * i);
      }
      if (bytes.size() < kLengthBytes || length != bytes.size() - kLengthBytes) {
        complain("a binary BYTES element is its length, 4 bytes little-endian, and so many bytes");
        return;
      }
      picture = bytes.substr(kLengthBytes);
    } else {
      const Value* data = member(input, "data");
      // Nested as the shape says, or flat.
      while (data != nullptr && data->IsArray() && data->Size() == 1) {
        data = &(*data)[0];
      }
      std::optional<std::string> decoded;
      if (data != nullptr && data->IsString()) {
        decoded = base64_bytes({data->GetString(), data->GetStringLength()});
      }
      if (!decoded.has_value()) {
        complain(
            "'data' must be an array of one string: the JPEG or PNG in base64 (without line "
            "breaks)");
        return;
      }
      picture = std::move(*decoded);
    }
    take(std::move(picture), true);
  }

  // [1, height, width, 3] or without the 1.
  void read_pixels(std::vector<std::int64_t> shape, const std::string& bytes) {
    if (shape.size() == 4 && shape[0] == 1) {
      shape.erase(shape.begin());
    }
    if (!binary_ || shape.size() != 3 || shape[2] != 3) {
      complain(
          "a UINT8 input is binary ('binary_data_size') and has the shape [1, height, width, "
          "3]");
      return;
    }
    asked_.task.content_type = "application/octet-stream";
    require(asked_, "tensor", std::string("uint8-hwc"));
    require(asked_, "height", shape[0]);
    require(asked_, "width", shape[1]);
    take(bytes, false);
  }

  // [1, 3, height, width]: what the variant that the path names takes; the device knows its size.
  void read_floats(const std::vector<std::int64_t>& shape, const std::string& bytes) {
    std::int64_t floats = 1;
    for (const std::int64_t size : shape) {
      const bool fits = size > 0 && size <= static_cast<std::int64_t>(kPictureBodyMax) / floats;
      floats = fits ? floats * size : 0;
      if (floats == 0) {
        break;
      }
    }
    const bool whole = static_cast<std::size_t>(floats) * sizeof(float) == bytes.size();
    if (!binary_ || shape.size() != 4 || shape[0] != 1 || !whole) {
      complain(
          "an FP32 input is binary ('binary_data_size') and has the shape [1, 3, height, "
          "width], 4 bytes each");
      return;
    }
    asked_.task.content_type = "application/octet-stream";
    require(asked_, "tensor", std::string("float32-nchw"));
    take(bytes, false);
  }

  void take(std::string bytes, bool picture) {
    if (bytes.size() > kPictureBodyMax) {
      complain(fmt::format("the picture has {} bytes; at most {} (8 MiB) are taken", bytes.size(),
                           kPictureBodyMax),
               ErrorCode::TooLarge);
      return;
    }
    asked_.picture = picture;
    asked_.task.body = wire::make_body(std::move(bytes));
  }

  const Request& request_;
  std::string_view tensors_;
  Asked& asked_;
  bool binary_ = false;
  std::optional<Error> error_;
};

// How many bytes of the body are JSON.
Result<std::size_t> json_size(const Request& request) {
  const std::string_view given = value_of(request.headers, "inference-header-content-length");
  const std::size_t body = request.body->size();
  if (given.empty()) {
    return body;
  }
  std::size_t size = 0;
  const char* end = given.data() + given.size();
  const auto [at, failed] = std::from_chars(given.data(), end, size);
  if (failed != std::errc{} || at != end || size > body) {
    return fail(ErrorCode::InvalidArgument,
                fmt::format("the header Inference-Header-Content-Length must be 0 to {}, the size "
                            "of the body",
                            body));
  }
  return size;
}

}  // namespace

Result<Asked> read_infer(const Request& request, const std::string& model) {
  if (!value_of(request.headers, "content-encoding").empty()) {
    return fail(ErrorCode::Unsupported, "a compressed body is not read: send it as it is");
  }
  const Result<std::size_t> head = json_size(request);
  if (!head) {
    return head.error();
  }
  const std::string_view body = *request.body;
  wire::JsonDocument document;
  if (const Result<void> parsed = document.parse(body.substr(0, *head), kInferBodyMax); !parsed) {
    return fail(ErrorCode::InvalidArgument, "the body cannot be read: " + parsed.error().message);
  }
  Asked asked;
  asked.infer = InferReply{.model = model};
  InferReader reader(request, body.substr(*head), asked);
  reader.read(document.root());
  require(asked, "model", model);  // what the path says
  if (reader.error().has_value()) {
    return *reader.error();
  }
  return checked(std::move(asked));
}

}  // namespace juggler::http
