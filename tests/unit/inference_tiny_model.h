#pragma once
// A home folder with a network of three classes, small enough to be written out by hand: its scores
// are the picture's mean red, green and blue. So the engine is tested without any trained network.

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include "files/sha256.h"
#include "support/temp_folder.h"

namespace juggler::test {

inline void write_file(const std::filesystem::path& path, std::string_view content) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << content;
}

namespace protobuf {

inline std::string varint(std::uint64_t value) {
  std::string bytes;
  for (; value >= 128; value >>= 7U) {
    bytes += static_cast<char>(value | 128U);
  }
  return bytes + static_cast<char>(value);
}
inline std::string number(unsigned field, std::uint64_t value) {
  return varint(field << 3U) + varint(value);
}
inline std::string bytes(unsigned field, std::string_view content) {
  return varint(field << 3U | 2U) + varint(content.size()) + std::string(content);
}

}  // namespace protobuf

// GlobalAveragePool and Flatten: [N, 3, 8, 8] to [N, 3].
inline std::string tiny_network() {
  using protobuf::bytes;
  using protobuf::number;
  const auto side = [](std::uint64_t size) { return bytes(1, number(1, size)); };
  const auto tensor = [&](std::string_view name, const std::string& sides) {
    const std::string shape = bytes(1, bytes(2, "N")) + sides;
    return bytes(1, name) + bytes(2, bytes(1, number(1, 1) + bytes(2, shape)));
  };
  const auto node = [&](std::string_view in, std::string_view out, std::string_view operation) {
    return bytes(1, bytes(1, in) + bytes(2, out) + bytes(4, operation));
  };
  const std::string graph = node("pixels", "pooled", "GlobalAveragePool") +
                            node("pooled", "scores", "Flatten") + bytes(2, "tiny") +
                            bytes(11, tensor("pixels", side(3) + side(8) + side(8))) +
                            bytes(12, tensor("scores", side(3)));
  return number(1, 7) + bytes(7, graph) + bytes(8, number(2, 13));
}

// The catalogue of one variant, `tiny-fp32` of model `colours`.
inline std::string tiny_catalogue() {
  const std::string network = tiny_network();
  return "format = 1\n[[variant]]\nid = \"tiny-fp32\"\nmodel = \"colours\"\nnetwork = \"tiny\"\n"
         "precision = \"fp32\"\nfile = \"tiny.onnx\"\nsha256 = \"" +
         sha256_hex(network) + "\"\nsize_bytes = " + std::to_string(network.size()) +
         "\nweights = \"pretrained\"\ntop1_percent = 90.5\ntop1_kind = \"estimated\"\n"
         "top1_source = \"made for tests\"\nlabels = \"colours.txt\"\nmacs_m = 0.1\n"
         "licence = \"Apache-2.0\"\n"
         "[variant.input]\nname = \"pixels\"\nwidth = 8\nheight = 8\nresize_shorter_px = 8\n"
         "mean = [0.0, 0.0, 0.0]\nstd = [1.0, 1.0, 1.0]\n"
         "[variant.output]\nname = \"scores\"\nkind = \"logits\"\n";
}

// Writes network, labels and catalogue into `home`.
inline void make_tiny_home(const std::filesystem::path& home) {
  write_file(home / "models/tiny.onnx", tiny_network());
  write_file(home / "models/colours.txt", "red\ngreen\nblue\n");
  write_file(home / "models/catalogue.toml", tiny_catalogue());
}

// Where this checkout keeps ONNX Runtime, models and photographs.
inline std::filesystem::path checkout_home() {
  if (const char* named = std::getenv("JUGGLER_HOME"); named != nullptr && *named != '\0') {
    return named;
  }
  return std::filesystem::path(__FILE__).parent_path() / "../../var";
}

}  // namespace juggler::test
