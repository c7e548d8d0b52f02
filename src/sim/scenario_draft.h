#pragma once
// A scenario while its files are read, one after the other: a later one sets, replaces or adds to
// what an earlier one said. Only the whole is checked against itself, so each part remembers where
// it was said.

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/result.h"
#include "sim/fleet.h"
#include "sim/network_table.h"
#include "sim/scenario.h"

namespace juggler {

// A rate as a file gives it: one of them, or neither.
struct RateDraft {
  std::optional<double> hz;
  std::optional<double> load;
};

struct ClassDraft {
  DemandClass demand;
  std::optional<ArrivalShape> arrivals;  // absent: as the file's [arrivals]
  RateDraft rate;                        // absent: its share of the file's
  double share = 1.0;
  std::optional<double> deadline_services;  // deadline as a multiple of the service time
  Micros from;
  std::optional<Micros> until;
  std::string where;  // file:line
};

struct DeviceDraft {
  std::string board;
  std::string id;  // empty: the board's name
  int count = 1;
  std::string network = "lan";
  BoardChoice choice;
  double noise = 1.0;
  double slower = 1.0;
  std::optional<Milliwatts> power_max;
  std::string where;
};

// Which devices a fault that names none picks.
enum class Pick { None, Fastest, Slowest, MostEfficient };

struct FaultDraft {
  Fault fault;
  Pick pick = Pick::None;
  double devices_percent = 0.0;  // of the fleet, in the order of the pick; one at least
  std::string where;
};

struct ScenarioDraft {
  Scenario scenario;  // its plain values; devices, classes and faults are in the drafts
  RateDraft rate;
  std::string where_rate;
  std::optional<ArrivalShape> arrivals;
  std::vector<ClassDraft> classes;
  std::vector<DeviceDraft> devices;
  std::vector<FaultDraft> faults;
  std::map<std::string, Expectation> expectations;  // by key: a later one replaces
  NetworkTable networks;                            // that the files bring
};

// The scenario that the files say together. Boards, accuracies and networks are looked up under
// `home` and in the folders of data_folders().
//
// errors  where it was said, what is wrong and what is allowed
Result<Scenario> settle(const ScenarioDraft& draft, const std::filesystem::path& home);

}  // namespace juggler
