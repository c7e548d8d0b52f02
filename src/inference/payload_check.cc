#include "inference/payload_check.h"

#include <utility>

#include "inference/image.h"

namespace juggler {
namespace {

Result<void> check_raw(const PayloadRef& payload, std::size_t size) {
  const std::int64_t width = payload.width;
  const std::int64_t height = payload.height;
  if (width < 1 || height < 1 || width > kPictureSideMax || height > kPictureSideMax ||
      width * height > kPicturePixelsMax) {
    return fail(ErrorCode::InvalidArgument,
                "raw picture of " + std::to_string(width) + " x " + std::to_string(height) +
                    " pixels: width and height must be 1 to " + std::to_string(kPictureSideMax));
  }
  if (static_cast<std::int64_t>(size) != width * height * 3) {
    return fail(ErrorCode::InvalidArgument, "raw picture of " + std::to_string(width) + " x " +
                                                std::to_string(height) + " pixels needs " +
                                                std::to_string(width * height * 3) +
                                                " bytes, has " + std::to_string(size));
  }
  return {};
}

}  // namespace

Result<void> check_payload(const EngineInput& input, const InputSpec* spec) {
  if (input.bytes == nullptr || input.bytes->empty()) {
    return fail(ErrorCode::InvalidArgument, "the payload has 0 bytes");
  }
  const std::string& bytes = *input.bytes;
  switch (input.payload.kind) {
    case PayloadKind::Jpeg:
    case PayloadKind::Png:
      if (const Result<ImageHeader> header = read_header(bytes); !header) {
        return header.error();
      }
      return {};
    case PayloadKind::RawRgb:
      return check_raw(input.payload, bytes.size());
    case PayloadKind::FloatTensor:
      if (spec != nullptr && bytes.size() != spec->floats() * sizeof(float)) {
        return fail(ErrorCode::InvalidArgument,
                    "float tensor of " + std::to_string(bytes.size()) +
                        " bytes: this variant needs 3 x " + std::to_string(spec->height) + " x " +
                        std::to_string(spec->width) + " float32, " +
                        std::to_string(spec->floats() * sizeof(float)) + " bytes");
      }
      return {};
    case PayloadKind::Opaque:
      break;
  }
  return fail(ErrorCode::Unsupported,
              "this variant takes a picture or a float tensor, not opaque bytes");
}

EngineOutput bad_payload(std::string reason) {
  EngineOutput output;
  output.status = AttemptStatus::BadPayload;
  output.reason = std::move(reason);
  return output;
}

}  // namespace juggler
