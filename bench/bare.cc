// The bare ONNX Runtime loop as a process of its own, for bench/end_to_end.py: for every line on
// its standard input it classifies every photograph that many times, one after the other, and
// prints one line of JSON.
//
//   juggler-bench-bare --home var --photos var/photos --variant resnet50-fp32 --threads N

#include <chrono>
#include <cstdio>
#include <iostream>
#include <map>
#include <string>

#include "bare_loop.h"
#include "files/catalogue.h"

namespace {

using Clock = std::chrono::steady_clock;

// One line of the answer: what it took, and each photograph's best label.
bool run(bench::BareLoop& loop, const std::vector<bench::Photo>& photos, int passes) {
  const auto start = Clock::now();
  const double cpu = bench::cpu_seconds();
  std::map<std::string, int> best;
  for (int pass = 0; pass < passes; ++pass) {
    for (const bench::Photo& photo : photos) {
      best[photo.name] = loop.best(photo);
    }
  }
  const double wall_s = std::chrono::duration<double>(Clock::now() - start).count();
  std::printf("{\"wall_s\": %.6f, \"cpu_s\": %.6f, \"pictures\": %zu, \"best\": {", wall_s,
              bench::cpu_seconds() - cpu, photos.size() * static_cast<std::size_t>(passes));
  const char* comma = "";
  for (const auto& [name, label] : best) {
    std::printf("%s\"%s\": %d", comma, name.c_str(), label);
    comma = ", ";
  }
  std::printf("}}\n");
  return std::fflush(stdout) == 0;
}

int serve(const std::map<std::string, std::string>& options) {
  const auto catalogue = juggler::Catalogue::load(options.at("--home"));
  if (!catalogue) {
    std::fprintf(stderr, "%s\n", catalogue.error().message.c_str());
    return 1;
  }
  if (const auto runtime = juggler::load_onnx_runtime(options.at("--home")); !runtime) {
    std::fprintf(stderr, "%s\n", runtime.error().message.c_str());
    return 1;
  }
  const juggler::CatalogueVariant* variant = catalogue->find(options.at("--variant"));
  const std::vector<bench::Photo> photos = bench::read_photos(options.at("--photos"));
  if (variant == nullptr || photos.empty()) {
    std::fprintf(stderr, "no such variant, or no photographs\n");
    return 1;
  }
  bench::BareLoop loop(*variant, std::stoi(options.at("--threads")));
  for (std::string line; std::getline(std::cin, line);) {
    if (!run(loop, photos, std::stoi(line))) {
      return 1;
    }
  }
  return 0;
}

}  // namespace

int main(int count, char** arguments) {
  try {
    std::map<std::string, std::string> options{
        {"--home", "var"}, {"--photos", "var/photos"}, {"--variant", ""}, {"--threads", "2"}};
    for (int i = 1; i + 1 < count; i += 2) {
      options[arguments[i]] = arguments[i + 1];
    }
    return serve(options);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "juggler-bench-bare: %s\n", error.what());
    return 1;
  }
}
