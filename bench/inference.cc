// The consumer's engine against a bare ONNX Runtime loop on the same pictures and threads, and what
// decoding and preprocessing cost beside the libraries' own decoding.
//
//   juggler-bench-inference --home var --photos var/photos [--threads N] [--seconds S] [--json
//   FILE]
//
// Both sides of each comparison run in turns of a fraction of a second, so that a machine shared
// with others disturbs both alike. Answers are compared: a fast wrong one fails.

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <string>
#include <vector>

#include <jpeglib.h>
#include <onnxruntime_cxx_api.h>
#include <png.h>

#include "bare_loop.h"
#include "inference/onnx_engine.h"
#include "inference/onnx_runtime.h"
#include "inference/preprocess.h"

namespace {

using bench::BareLoop;
using bench::cpu_seconds;
using bench::Photo;
using bench::read_photos;
using juggler::CatalogueVariant;
using Clock = std::chrono::steady_clock;

struct Options {
  std::filesystem::path home = "var";
  std::filesystem::path photos = "var/photos";
  int threads = 2;
  double seconds = 4.0;  // per comparison
  std::string variant;   // only this one
  std::filesystem::path json;
};

// Time and work of one side.
struct Side {
  double wall_s = 0.0;
  double cpu_s = 0.0;
  long pictures = 0;

  double rate() const { return static_cast<double>(pictures) / wall_s; }
  double cpu_ms() const { return cpu_s * 1000.0 / static_cast<double>(pictures); }
};

// Runs `one` on every photo, once.
void add_turn(Side& side, const std::vector<Photo>& photos,
              const std::function<void(const Photo&)>& one) {
  const auto start = Clock::now();
  const double cpu = cpu_seconds();
  for (const Photo& photo : photos) {
    one(photo);
    ++side.pictures;
  }
  side.wall_s += std::chrono::duration<double>(Clock::now() - start).count();
  side.cpu_s += cpu_seconds() - cpu;
}

struct Pair {
  Side ours;
  Side bare;
  std::vector<double> ratios;  // rate of ours over rate of bare, of each turn

  // The median over the turns.
  double ratio() const {
    std::vector<double> sorted = ratios;
    std::nth_element(sorted.begin(), sorted.begin() + static_cast<long>(sorted.size() / 2),
                     sorted.end());
    return sorted[sorted.size() / 2];
  }
};

// Alternates both, and which of them goes first.
Pair compare(const Options& options, const std::vector<Photo>& photos,
             const std::function<void(const Photo&)>& ours,
             const std::function<void(const Photo&)>& bare) {
  Pair pair;
  Side warm_up;
  add_turn(warm_up, photos, ours);
  add_turn(warm_up, photos, bare);
  const auto start = Clock::now();
  for (int turn = 0; pair.ratios.size() < 5 ||
                     Clock::now() - start < std::chrono::duration<double>(options.seconds);
       ++turn) {
    Side first;
    Side second;
    add_turn(first, photos, turn % 2 == 0 ? ours : bare);
    add_turn(second, photos, turn % 2 == 0 ? bare : ours);
    const Side& a = turn % 2 == 0 ? first : second;
    const Side& b = turn % 2 == 0 ? second : first;
    for (auto [total, part] : {std::pair(&pair.ours, &a), std::pair(&pair.bare, &b)}) {
      total->wall_s += part->wall_s;
      total->cpu_s += part->cpu_s;
      total->pictures += part->pictures;
    }
    pair.ratios.push_back(a.rate() / b.rate());
  }
  return pair;
}

// The library's own decoding, whole, into memory that it may keep.
void library_jpeg(const std::string& bytes, std::vector<std::uint8_t>& pixels) {
  jpeg_decompress_struct codec{};
  jpeg_error_mgr errors{};
  codec.err = jpeg_std_error(&errors);
  jpeg_create_decompress(&codec);
  jpeg_mem_src(&codec, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
  jpeg_read_header(&codec, TRUE);
  codec.out_color_space = JCS_RGB;
  jpeg_start_decompress(&codec);
  const std::size_t stride = std::size_t{3} * codec.output_width;
  pixels.resize(stride * codec.output_height);
  while (codec.output_scanline < codec.output_height) {
    JSAMPROW row = pixels.data() + stride * codec.output_scanline;
    jpeg_read_scanlines(&codec, &row, 1);
  }
  jpeg_finish_decompress(&codec);
  jpeg_destroy_decompress(&codec);
}

void library_png(const std::string& bytes, std::vector<std::uint8_t>& pixels) {
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  png_image_begin_read_from_memory(&image, bytes.data(), bytes.size());
  image.format = PNG_FORMAT_RGB;
  pixels.resize(PNG_IMAGE_SIZE(image));
  png_image_finish_read(&image, nullptr, pixels.data(), 0, nullptr);
}

void library_decode(const Photo& photo, std::vector<std::uint8_t>& pixels) {
  if (photo.input.payload.kind == juggler::PayloadKind::Jpeg) {
    library_jpeg(*photo.input.bytes, pixels);
  } else {
    library_png(*photo.input.bytes, pixels);
  }
}

void measure_decoding(const Options& options, const std::vector<Photo>& photos, std::string& json) {
  juggler::InputSpec spec;
  spec.width = spec.height = 224;
  spec.resize_shorter_px = 256;
  spec.mean = {0.5F, 0.5F, 0.5F};
  spec.stddev = {0.5F, 0.5F, 0.5F};
  juggler::Picture picture;
  juggler::Preprocessor preprocessor;
  std::vector<float> tensor(spec.floats());
  std::vector<std::uint8_t> pixels;
  std::printf(
      "\nDecode and preprocess, ms per picture (input 224 x 224)\n%-22s %11s %9s %9s %9s %11s\n",
      "picture", "pixels", "library", "ours", "ratio", "preprocess");
  Options brief = options;
  brief.seconds = options.seconds / 4;
  for (const Photo& photo : photos) {
    const std::vector<Photo> one(8, photo);
    const Pair decode = compare(
        brief, one,
        [&](const Photo& p) {
          if (!juggler::decode_picture(*p.input.bytes, spec.resize_shorter_px, picture)) {
            std::exit(1);
          }
        },
        [&](const Photo& p) { library_decode(p, pixels); });
    Side prepare;
    const auto start = Clock::now();
    while (Clock::now() - start < std::chrono::milliseconds(200)) {
      add_turn(prepare, one, [&](const Photo&) {
        preprocessor.run({picture.pixels().data(), picture.width(), picture.height()}, spec,
                         tensor);
      });
    }
    const std::string size = std::to_string(photo.input.payload.width) + " x " +
                             std::to_string(photo.input.payload.height);
    std::printf("%-22s %11s %9.3f %9.3f %9.2f %11.3f\n", photo.name.c_str(), size.c_str(),
                decode.bare.cpu_ms(), decode.ours.cpu_ms(),
                decode.ours.cpu_ms() / decode.bare.cpu_ms(), prepare.cpu_ms());
    char line[256];
    std::snprintf(line, sizeof line,
                  "%s{\"picture\":\"%s\",\"library_cpu_ms\":%.4f,\"decode_cpu_ms\":%.4f,"
                  "\"preprocess_cpu_ms\":%.4f}",
                  json.empty() ? "" : ",", photo.name.c_str(), decode.bare.cpu_ms(),
                  decode.ours.cpu_ms(), prepare.cpu_ms());
    json += line;
  }
}

// False where the two sides disagree on a label.
bool measure_variant(const Options& options, const CatalogueVariant& variant,
                     juggler::InferenceEngine& engine, const std::vector<Photo>& photos,
                     std::string& json) {
  const std::string& id = variant.variant.id;
  if (const auto loaded = engine.load(id); !loaded) {
    std::printf("%-28s %s\n", id.c_str(), loaded.error().message.c_str());
    return true;
  }
  BareLoop bare(variant, options.threads);
  bool same = true;
  for (const Photo& photo : photos) {
    const juggler::BatchReport report = engine.run(id, {&photo.input, 1});
    const bool right = report.outputs[0].status == juggler::AttemptStatus::Ok &&
                       report.outputs[0].labels.at(0).index == bare.best(photo);
    same = same && right;
  }
  const Pair pair = compare(
      options, photos,
      [&](const Photo& photo) {
        engine.run(id, {&photo.input, 1});
      },
      [&](const Photo& photo) { bare.best(photo); });
  engine.unload(id);
  std::printf("%-28s %9.2f %9.2f %8.3f %9.2f %9.2f %8.3f  %s\n", id.c_str(), pair.bare.rate(),
              pair.ours.rate(), pair.ratio(), pair.bare.cpu_ms(), pair.ours.cpu_ms(),
              pair.ours.cpu_ms() / pair.bare.cpu_ms(), same ? "same" : "DIFFERENT");
  std::fflush(stdout);
  char line[256];
  std::snprintf(line, sizeof line,
                "%s{\"variant\":\"%s\",\"bare_per_s\":%.3f,\"engine_per_s\":%.3f,"
                "\"ratio_median\":%.4f,\"bare_cpu_ms\":%.3f,\"engine_cpu_ms\":%.3f,\"same\":%s}",
                json.empty() ? "" : ",", id.c_str(), pair.bare.rate(), pair.ours.rate(),
                pair.ratio(), pair.bare.cpu_ms(), pair.ours.cpu_ms(), same ? "true" : "false");
  json += line;
  return same;
}

Options parse(int count, char** arguments) {
  Options options;
  for (int i = 1; i + 1 < count; i += 2) {
    const std::string name = arguments[i];
    const std::string value = arguments[i + 1];
    if (name == "--home") {
      options.home = value;
    } else if (name == "--photos") {
      options.photos = value;
    } else if (name == "--threads") {
      options.threads = std::stoi(value);
    } else if (name == "--seconds") {
      options.seconds = std::stod(value);
    } else if (name == "--variant") {
      options.variant = value;
    } else if (name == "--json") {
      options.json = value;
    }
  }
  return options;
}

int measure(const Options& options) {
  const auto catalogue = juggler::Catalogue::load(options.home);
  auto engine = catalogue
                    ? juggler::make_onnx_engine(
                          *catalogue, {options.home, options.threads, false, std::nullopt})
                    : juggler::Result<std::unique_ptr<juggler::InferenceEngine>>(catalogue.error());
  if (!engine) {
    std::fprintf(stderr, "%s\n", engine.error().message.c_str());
    return 1;
  }
  const std::vector<Photo> photos = read_photos(options.photos);
  if (photos.empty()) {
    std::fprintf(stderr, "no pictures in %s\n", options.photos.c_str());
    return 1;
  }
  std::string decoding;
  measure_decoding(options, photos, decoding);
  std::printf(
      "\nEngine against a bare ONNX Runtime loop: %zu pictures, %d threads, batch 1, decode and "
      "preprocess on both sides\n%-28s %9s %9s %8s %9s %9s %8s  %s\n",
      photos.size(), options.threads, "variant", "bare/s", "engine/s", "ratio", "bare ms",
      "engine ms", "cpu", "labels");
  bool same = true;
  std::string variants;
  for (const CatalogueVariant& variant : catalogue->variants()) {
    if (options.variant.empty() || options.variant == variant.variant.id) {
      same = measure_variant(options, variant, **engine, photos, variants) && same;
    }
  }
  std::printf(
      "ratio: pictures/s, median over turns; ms: processor time per picture, all threads\n");
  if (!options.json.empty()) {
    std::ofstream(options.json) << "{\"threads\":" << options.threads << ",\"decoding\":["
                                << decoding << "],\"variants\":[" << variants << "]}\n";
  }
  return same ? 0 : 1;
}

}  // namespace

int main(int count, char** arguments) {
  try {
    return measure(parse(count, arguments));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "juggler-bench-inference: %s\n", error.what());
    return 1;
  }
}
