// JPEG by libjpeg-turbo. The only file that knows that library and its setjmp: between setjmp and a
// longjmp lives nothing with a destructor.

#include <algorithm>
#include <csetjmp>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <string>

#include <jpeglib.h>
// After jpeglib.h, which it needs.
#include <jerror.h>

#include "inference/image_codecs.h"

namespace juggler {
namespace {

// More scans than this only serve to keep a decoder busy; encoders write about ten.
constexpr int kScansMax = 100;
// Ten scans, as many as an encoder makes, of the largest picture that is taken.
constexpr std::int64_t kScannedPixelsMax = 640'000'000;

// The library's error record and ours, in that order, so that one pointer is both.
struct Failure {
  jpeg_error_mgr library;
  std::jmp_buf back;
  char message[JMSG_LENGTH_MAX];
};
static_assert(offsetof(Failure, library) == 0);

Failure& failure_of(j_common_ptr codec) { return *reinterpret_cast<Failure*>(codec->err); }

[[noreturn]] void give_up(j_common_ptr codec) {
  Failure& failure = failure_of(codec);
  failure.library.format_message(codec, failure.message);
  std::longjmp(failure.back, 1);
}

[[noreturn]] void give_up_with(j_common_ptr codec, const char* message) {
  Failure& failure = failure_of(codec);
  std::snprintf(failure.message, sizeof failure.message, "%s", message);
  std::longjmp(failure.back, 1);
}

// The library goes on after these with grey or smeared pixels; we do not.
void refuse_damage(j_common_ptr codec, int level) {
  if (level >= 0) {
    return;
  }
  switch (codec->err->msg_code) {
    case JWRN_JPEG_EOF:
    case JWRN_HIT_MARKER:
      give_up_with(codec, "truncated");
    case JWRN_HUFF_BAD_CODE:
    case JWRN_ARITH_BAD_CODE:
    case JWRN_MUST_RESYNC:
    case JWRN_NOT_SEQUENTIAL:
    case JWRN_BOGUS_PROGRESSION:
      give_up(codec);
    default:
      return;  // oddities of metadata that do not touch a pixel
  }
}

void say_nothing(j_common_ptr /*codec*/) {}

// Each scan of a progressive picture is a pass over all of its pixels, however few bytes it has.
void limit_scans(j_common_ptr codec) {
  if (codec->is_decompressor == 0) {
    return;
  }
  const auto* picture = reinterpret_cast<j_decompress_ptr>(codec);
  const std::int64_t scans = picture->input_scan_number;
  if (scans > kScansMax) {
    give_up_with(codec, "more than 100 scans");
  }
  if (scans * picture->image_width * picture->image_height > kScannedPixelsMax) {
    give_up_with(codec, "too many scans for a picture of its size");
  }
}

// The decoder and everything that a longjmp must leave intact.
struct Decoder {
  jpeg_decompress_struct codec;
  jpeg_progress_mgr progress;
  Failure failure;
};

// By how much to shrink while decoding: the shorter side keeps at least twice what is needed, since
// the blocks' own averaging is coarser than the resize that follows.
unsigned shrink_for(const jpeg_decompress_struct& codec, int shorter_px_needed) {
  const unsigned shorter = std::min(codec.image_width, codec.image_height);
  unsigned shrink = 1;
  if (shorter_px_needed > 0) {
    const unsigned kept = 2U * static_cast<unsigned>(shorter_px_needed);
    while (shrink < 8 && shorter / (shrink * 2) >= kept) {
      shrink *= 2;
    }
  }
  return shrink;
}

// One row of CMYK to RGB, in place. Adobe writes the inverse: 255 is no ink.
void cmyk_to_rgb(std::uint8_t* row, unsigned width, bool inverted) {
  for (unsigned x = 0; x < width; ++x) {
    const std::uint8_t* ink = row + std::size_t{4} * x;
    const unsigned flip = inverted ? 0U : 255U;
    const unsigned black = ink[3] ^ flip;
    const unsigned red = ink[0] ^ flip;
    const unsigned green = ink[1] ^ flip;
    const unsigned blue = ink[2] ^ flip;
    std::uint8_t* out = row + std::size_t{3} * x;
    out[0] = static_cast<std::uint8_t>((red * black + 127) / 255);
    out[1] = static_cast<std::uint8_t>((green * black + 127) / 255);
    out[2] = static_cast<std::uint8_t>((blue * black + 127) / 255);
  }
}

void read_rows(jpeg_decompress_struct& codec, Picture& picture) {
  const bool cmyk = codec.out_color_space == JCS_CMYK;
  JSAMPARRAY wide = nullptr;
  if (cmyk) {
    wide = codec.mem->alloc_sarray(reinterpret_cast<j_common_ptr>(&codec), JPOOL_IMAGE,
                                   codec.output_width * 4, 1);
  }
  const std::size_t row_bytes = std::size_t{3} * codec.output_width;
  while (codec.output_scanline < codec.output_height) {
    std::uint8_t* target = picture.row(static_cast<int>(codec.output_scanline));
    if (cmyk) {
      jpeg_read_scanlines(&codec, wide, 1);
      cmyk_to_rgb(wide[0], codec.output_width, codec.saw_Adobe_marker != 0);
      std::memcpy(target, wide[0], row_bytes);
    } else {
      JSAMPROW row = target;
      jpeg_read_scanlines(&codec, &row, 1);
    }
  }
}

// False where it failed; the message is in decoder.failure.
bool decode(Decoder& decoder, std::string_view bytes, int shorter_px_needed, Picture& picture) {
  jpeg_decompress_struct& codec = decoder.codec;
  if (setjmp(decoder.failure.back) != 0) {  // NOLINT(cert-err52-cpp): the library's only way
    return false;
  }
  jpeg_create_decompress(&codec);
  codec.mem->max_memory_to_use = static_cast<long>(kDecoderMemoryMax.count);
  codec.progress = &decoder.progress;
  decoder.progress.progress_monitor = limit_scans;
  jpeg_mem_src(&codec, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
  jpeg_read_header(&codec, TRUE);
  const bool four = codec.jpeg_color_space == JCS_CMYK || codec.jpeg_color_space == JCS_YCCK;
  codec.out_color_space = four ? JCS_CMYK : JCS_RGB;
  codec.scale_num = 1;
  codec.scale_denom = shrink_for(codec, shorter_px_needed);
  jpeg_start_decompress(&codec);
  picture.resize(static_cast<int>(codec.output_width), static_cast<int>(codec.output_height));
  read_rows(codec, picture);
  jpeg_finish_decompress(&codec);
  return true;
}

}  // namespace

Result<void> decode_jpeg(std::string_view bytes, int shorter_px_needed, Picture& picture) {
  Decoder decoder{};
  decoder.codec.err = jpeg_std_error(&decoder.failure.library);
  decoder.failure.library.error_exit = give_up;
  decoder.failure.library.emit_message = refuse_damage;
  decoder.failure.library.output_message = say_nothing;
  const bool decoded = decode(decoder, bytes, shorter_px_needed, picture);
  jpeg_destroy_decompress(&decoder.codec);
  if (!decoded) {
    return fail(ErrorCode::Corrupt,
                "JPEG cannot be decoded: " + std::string(decoder.failure.message));
  }
  return {};
}

}  // namespace juggler
