// PNG by libpng. The only file that knows that library and its setjmp: between setjmp and a longjmp
// lives nothing with a destructor.

#include <algorithm>
#include <csetjmp>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <string>

#include <png.h>

#include "inference/image_codecs.h"

namespace juggler {
namespace {

// Ancillary chunks (profiles, text) are skipped; what the library must hold is bounded by this.
constexpr png_alloc_size_t kChunkBytesMax = png_alloc_size_t{1} << 20U;

// Everything that a longjmp must leave intact.
struct Decoder {
  png_structp codec = nullptr;
  png_infop info = nullptr;
  const char* next = nullptr;
  std::size_t left = 0;
  char message[160] = "";
};

void give_up(png_structp codec, png_const_charp message) {
  auto& decoder = *static_cast<Decoder*>(png_get_error_ptr(codec));
  std::snprintf(decoder.message, sizeof decoder.message, "%s", message);
  png_longjmp(codec, 1);
}

void say_nothing(png_structp /*codec*/, png_const_charp /*message*/) {}

void read_bytes(png_structp codec, png_bytep target, std::size_t count) {
  auto& decoder = *static_cast<Decoder*>(png_get_io_ptr(codec));
  if (count > decoder.left) {
    png_error(codec, "truncated");
  }
  std::memcpy(target, decoder.next, count);
  decoder.next += count;
  decoder.left -= count;
}

// Whatever the file holds becomes 8-bit RGB.
void ask_for_rgb8(png_structp codec, png_infop info) {
  const png_byte colour = png_get_color_type(codec, info);
  if (colour == PNG_COLOR_TYPE_PALETTE) {
    png_set_palette_to_rgb(codec);
  }
  if ((colour & PNG_COLOR_MASK_COLOR) == 0) {
    if (png_get_bit_depth(codec, info) < 8) {
      png_set_expand_gray_1_2_4_to_8(codec);
    }
    png_set_gray_to_rgb(codec);
  }
  if (png_get_bit_depth(codec, info) == 16) {
    png_set_strip_16(codec);
  }
  png_set_strip_alpha(codec);
}

// False where it failed; the message is in the decoder.
bool decode(Decoder& decoder, Picture& picture) {
  png_structp codec = decoder.codec;
  png_infop info = decoder.info;
  if (setjmp(png_jmpbuf(codec)) != 0) {  // NOLINT(cert-err52-cpp): the library's only way
    return false;
  }
  png_set_read_fn(codec, &decoder, read_bytes);
  png_set_user_limits(codec, kPictureSideMax, kPictureSideMax);
  png_set_chunk_malloc_max(codec, kChunkBytesMax);
  png_set_chunk_cache_max(codec, 16);
  png_set_keep_unknown_chunks(codec, PNG_HANDLE_CHUNK_NEVER, nullptr, -1);
  png_read_info(codec, info);
  ask_for_rgb8(codec, info);
  const int passes = png_set_interlace_handling(codec);
  png_read_update_info(codec, info);
  const auto width = static_cast<int>(png_get_image_width(codec, info));
  const auto height = static_cast<int>(png_get_image_height(codec, info));
  if (png_get_rowbytes(codec, info) != static_cast<std::size_t>(width) * 3) {
    png_error(codec, "unexpected colour type");
  }
  picture.resize(width, height);
  for (int pass = 0; pass < passes; ++pass) {
    for (int y = 0; y < height; ++y) {
      png_read_row(codec, picture.row(y), nullptr);
    }
  }
  png_read_end(codec, nullptr);
  return true;
}

}  // namespace

Result<void> decode_png(std::string_view bytes, Picture& picture) {
  Decoder decoder;
  decoder.next = bytes.data();
  decoder.left = bytes.size();
  decoder.codec = png_create_read_struct(PNG_LIBPNG_VER_STRING, &decoder, give_up, say_nothing);
  decoder.info = decoder.codec != nullptr ? png_create_info_struct(decoder.codec) : nullptr;
  const bool decoded = decoder.info != nullptr && decode(decoder, picture);
  png_destroy_read_struct(&decoder.codec, &decoder.info, nullptr);
  if (!decoded) {
    return fail(ErrorCode::Corrupt, "PNG cannot be decoded: " + std::string(decoder.message));
  }
  return {};
}

}  // namespace juggler
