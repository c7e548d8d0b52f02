// juggler-bench-floor: chooses the role. bench/README.md says what is measured and how.

#include <cstdio>
#include <cstdlib>

#include "roles.h"

namespace juggler_bench {

Options::Options(int count, char** words) {
  for (int i = 0; i + 1 < count; i += 2) {
    const std::string name = words[i];
    if (name.rfind("--", 0) != 0) {
      fail("expected an option, not " + name);
    }
    values_[name.substr(2)] = words[i + 1];
  }
  if (count % 2 != 0) {
    fail("an option without a value");
  }
}

std::string Options::text(const std::string& name, const std::string& otherwise) const {
  const auto found = values_.find(name);
  return found == values_.end() ? otherwise : found->second;
}

std::string Options::text(const std::string& name) const {
  if (values_.find(name) == values_.end()) {
    fail("missing option --" + name);
  }
  return values_.at(name);
}

double Options::number(const std::string& name, double otherwise) const {
  const auto found = values_.find(name);
  return found == values_.end() ? otherwise : std::strtod(found->second.c_str(), nullptr);
}

}  // namespace juggler_bench

int main(int count, char** words) {
  const std::string role = count > 1 ? words[1] : "";
  if (role != "controller" && role != "consumer" && role != "client") {
    std::fputs(
        "usage: juggler-bench-floor controller --broker URL --id DEVICE [--window N]\n"
        "           [--fault silent|twice]\n"
        "       juggler-bench-floor consumer   --broker URL --id DEVICE [--prefetch N]\n"
        "           [--fault wrong|swapped]\n"
        "       juggler-bench-floor client     --broker URL [--outstanding N] [--batch N]\n"
        "           [--payload-bytes N | --payload-file FILE] [--content-type TYPE] [--model "
        "NAME]\n"
        "           [--deadline-ms N] [--check sha256|none] [--warmup-s S] [--warmup-count N]\n"
        "           [--min-s S] [--min-count N] [--stall-s S]\n",
        stderr);
    return 1;
  }
  const juggler_bench::Options options(count - 2, words + 2);
  if (role == "controller") {
    return juggler_bench::run_controller(options);
  }
  return role == "consumer" ? juggler_bench::run_consumer(options)
                            : juggler_bench::run_client(options);
}
