// Fuzzes the readers of what kernels and boards say in text. Whatever they accept is within its
// bounds; nothing is read past its end.

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/check.h"
#include "telemetry/parse_board.h"
#include "telemetry/parse_numbers.h"
#include "telemetry/parse_proc.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace juggler;  // NOLINT(google-build-using-namespace): one function
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  static_cast<void>(parse_integer(text));
  static_cast<void>(parse_decimal(text, 6));
  static_cast<void>(parse_hex(text));
  if (const auto cores = parse_core_list(text)) {
    JUGGLER_CHECK(!cores->empty() && cores->size() <= 1024, "more cores than there may be");
  }
  if (const auto stat = parse_cpu_stat(text)) {
    JUGGLER_CHECK(stat->all.busy >= 0 && stat->all.busy <= stat->all.total, "busier than there is");
    JUGGLER_CHECK(stat->all.user <= stat->all.busy, "users busier than all");
  }
  if (const auto memory = parse_meminfo(text)) {
    JUGGLER_CHECK(memory->total >= Bytes{0} && memory->available >= Bytes{0}, "negative memory");
  }
  if (const auto pressure = parse_pressure(text)) {
    JUGGLER_CHECK(pressure->avg10_permille >= 0 && pressure->avg10_permille <= 1000, "a share");
  }
  JUGGLER_CHECK(parse_net_dev(text).size() <= 64, "more interfaces than there may be");
  if (const auto cores = parse_cpu_max(text)) {
    JUGGLER_CHECK(*cores > 0, "a limit of nothing");
  }
  if (const auto bytes = parse_memory_max(text)) {
    JUGGLER_CHECK(*bytes > Bytes{0}, "a limit of nothing");
  }
  static_cast<void>(parse_own_group(text, "memory"));
  static_cast<void>(parse_own_group(text, ""));
  if (const auto release = parse_l4t(text)) {
    JUGGLER_CHECK(!release->text().empty(), "a release without a text");
    static_cast<void>(jetpack_of(*release));
  }
  static_cast<void>(parse_power_mode(text));
  JUGGLER_CHECK(parse_power_modes(text).size() <= 64, "more modes than there may be");
  static_cast<void>(parse_compatible(text));
  static_cast<void>(parse_throttled(text));
  if (const auto rails = parse_pmic(text)) {
    for (const PmicRail& rail : *rails) {
      JUGGLER_CHECK(rail.microamps >= 0 && rail.microvolts >= 0, "a rail that gives power back");
    }
  }
  return 0;
}
