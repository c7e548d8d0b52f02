// Compares what people read with tests/golden/expected: tables of fixed outcomes, explanations,
// and the --help of every command.
//
//   golden_test --expected DIR --programs DIR [--update]

#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "golden_cases.h"

namespace juggler {
namespace {

struct PipeCloser {
  void operator()(std::FILE* pipe) const { pclose(pipe); }
};

std::string output_of(const std::string& command) {
  const std::unique_ptr<std::FILE, PipeCloser> pipe(popen((command + " 2>&1").c_str(), "r"));
  std::string text;
  std::array<char, 4096> part{};
  while (pipe != nullptr && std::fgets(part.data(), part.size(), pipe.get()) != nullptr) {
    text += part.data();
  }
  return text;
}

std::vector<GoldenCase> help_cases(const std::string& programs) {
  std::vector<GoldenCase> cases;
  for (const char* command : {"",
                              "up",
                              "submit",
                              "devices",
                              "models",
                              "policies",
                              "tasks",
                              "status",
                              "explain",
                              "dead",
                              "doctor",
                              "controller",
                              "simulate",
                              "bench",
                              "replay",
                              "evaluate",
                              "plan",
                              "profile",
                              "profile compare",
                              "profile calibrate",
                              "broker",
                              "broker mend",
                              "broker provision",
                              "dead list",
                              "dead requeue",
                              "dead show",
                              "desk",
                              "serve",
                              "token",
                              "token new",
                              "devices drain",
                              "devices enrol",
                              "devices group",
                              "devices invite",
                              "devices label",
                              "devices remove",
                              "devices rename",
                              "devices revoke",
                              "devices rotate",
                              "fleet",
                              "fleet apply",
                              "keeper",
                              "models add",
                              "models list",
                              "models remove",
                              "models rollback",
                              "models rollout",
                              "models want"}) {
    const std::string name = command;
    std::string file = name.empty() ? "help" : "help-" + name;
    std::replace(file.begin(), file.end(), ' ', '_');
    cases.push_back({file, output_of("'" + programs + "/juggler' " + name + " --help")});
  }
  for (const char* command : {"", "doctor", "join", "label-pictures"}) {
    const std::string name = command;
    cases.push_back({name.empty() ? "help-consumer" : "help-consumer-" + name,
                     output_of("'" + programs + "/juggler-consumer' " + name + " --help")});
  }
  return cases;
}

std::string read(const std::filesystem::path& file) {
  std::ifstream stream(file, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(stream), {});
}

// Checks one text, or writes it. Says where it differs first.
bool check(const GoldenCase& golden, const std::filesystem::path& folder, bool update) {
  const std::filesystem::path file = folder / (golden.name + ".txt");
  if (update) {
    std::ofstream(file, std::ios::binary) << golden.text;
    return true;
  }
  const std::string expected = read(file);
  if (expected == golden.text) {
    return true;
  }
  std::size_t at = 0;
  while (at < expected.size() && at < golden.text.size() && expected[at] == golden.text[at]) {
    ++at;
  }
  std::size_t line = 1;
  for (std::size_t i = 0; i < at; ++i) {
    line += expected[i] == '\n' ? 1U : 0U;
  }
  std::cout << file.string() << ":" << line << ": differs; now it reads:\n"
            << golden.text << "(golden_test --update writes it anew)\n";
  return false;
}

}  // namespace
}  // namespace juggler

int main(int argc, char** argv) {
  std::string expected;
  std::string programs;
  bool update = false;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument == "--update") {
      update = true;
    } else if (argument == "--expected" && i + 1 < argc) {
      expected = argv[++i];
    } else if (argument == "--programs" && i + 1 < argc) {
      programs = argv[++i];
    }
  }
  if (expected.empty() || programs.empty()) {
    std::cerr << "usage: golden_test --expected DIR --programs DIR [--update]\n";
    return 2;
  }
  std::vector<juggler::GoldenCase> cases = juggler::golden_cases();
  for (juggler::GoldenCase& help : juggler::help_cases(programs)) {
    cases.push_back(std::move(help));
  }
  int failed = 0;
  for (const juggler::GoldenCase& golden : cases) {
    failed += juggler::check(golden, expected, update) ? 0 : 1;
  }
  std::cout << cases.size() << " texts, " << failed << " differ\n";
  return failed == 0 ? 0 : 1;
}
