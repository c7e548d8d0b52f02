#include "inference/machine.h"

#include <sched.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <fstream>
#include <iterator>
#include <optional>
#include <string_view>

#include "files/board_name.h"

namespace juggler {
namespace {

std::string read_text(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text;
  if (file) {
    text.assign(std::istreambuf_iterator<char>(file), {});
  }
  while (!text.empty() && (text.back() == '\0' || text.back() == '\n')) {
    text.pop_back();
  }
  return text;
}

// The number after `name` at the start of a line; /proc's tables have "MemTotal:   123 kB".
std::optional<std::int64_t> number_after(const std::string& text, std::string_view name) {
  std::size_t at = text.find(name);
  while (at != std::string::npos && at != 0 && text[at - 1] != '\n') {
    at = text.find(name, at + 1);
  }
  if (at == std::string::npos) {
    return std::nullopt;
  }
  at = text.find_first_of("0123456789", at + name.size());
  if (at == std::string::npos) {
    return std::nullopt;
  }
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data() + at, text.data() + text.size(), number);
  return error == std::errc{} ? std::optional(number) : std::nullopt;
}

std::optional<std::int64_t> number_in(const std::filesystem::path& path) {
  const std::string text = read_text(path);
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc{} ? std::optional(number) : std::nullopt;
}

// What a container may still take; version 2 first. Nothing where there is no limit.
std::optional<std::int64_t> left_in_container(const std::filesystem::path& root) {
  const std::filesystem::path group = root / "sys/fs/cgroup";
  const std::array<std::pair<std::filesystem::path, std::filesystem::path>, 2> files{
      {{group / "memory.max", group / "memory.current"},
       {group / "memory/memory.limit_in_bytes", group / "memory/memory.usage_in_bytes"}}};
  for (const auto& [limit_file, used_file] : files) {
    const std::optional<std::int64_t> limit = number_in(limit_file);
    const std::optional<std::int64_t> used = number_in(used_file);
    if (limit.has_value() && used.has_value()) {
      return std::max<std::int64_t>(*limit - *used, 0);
    }
  }
  return std::nullopt;
}

Bytes free_memory(const std::filesystem::path& root, const std::filesystem::path& own) {
  const std::optional<std::int64_t> kilobytes =
      number_after(read_text(root / "proc/meminfo"), "MemAvailable:");
  std::int64_t bytes = kilobytes.value_or(0) * 1024;
  if (const std::optional<std::int64_t> left = left_in_container(own)) {
    bytes = std::min(bytes, *left);
  }
  return {bytes};
}

std::string processor_name(const std::filesystem::path& root, const std::string& fallback) {
  const std::string text = read_text(root / "proc/cpuinfo");
  constexpr std::string_view kName = "model name";
  const std::size_t at = text.find(kName);
  const std::size_t colon = at != std::string::npos ? text.find(": ", at) : std::string::npos;
  if (colon == std::string::npos) {
    return fallback;
  }
  const std::size_t first = colon + 2;
  return text.substr(first, text.find('\n', first) - first);
}

int usable_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  return sched_getaffinity(0, sizeof set, &set) == 0 ? std::max(CPU_COUNT(&set), 1) : 1;
}

}  // namespace

Machine read_machine(const std::filesystem::path& root, const std::filesystem::path& own) {
  utsname system{};
  const std::string architecture = uname(&system) == 0 ? system.machine : "unknown";
  // Not proc/device-tree: an absolute link, which leads nowhere under another root.
  const std::string model = read_text(root / "sys/firmware/devicetree/base/model");
  Machine machine;
  machine.board = board_of_model(model, architecture);
  machine.processor = processor_name(root, model.empty() ? architecture : model);
  machine.title = model.empty() ? machine.processor : model;
  machine.cores = usable_cores();
  machine.memory = free_memory(root, own);
  return machine;
}

int decode_threads_beside() { return std::clamp(read_machine().cores / 2, 1, 4); }

Bytes resident_memory() {
  std::ifstream file("/proc/self/statm");
  std::int64_t total = 0;
  std::int64_t resident = 0;
  file >> total >> resident;
  return {resident * sysconf(_SC_PAGESIZE)};
}

}  // namespace juggler
