#include "telemetry/absence.h"

#include <cerrno>

#include "core/names.h"

namespace juggler {
namespace {

constexpr std::array<Named<Absence>, 7> kAbsences{{{Absence::None, "ok"},
                                                   {Absence::Missing, "missing"},
                                                   {Absence::Denied, "denied"},
                                                   {Absence::Masked, "masked"},
                                                   {Absence::NoData, "no-data"},
                                                   {Absence::Malformed, "malformed"},
                                                   {Absence::Failed, "failed"}}};

}  // namespace

std::string_view to_string(Absence absence) { return name_of(kAbsences, absence); }

Absence absence_of(int error_number) {
  switch (error_number) {
    case ENOENT:
    case ENOTDIR:
    case ENODEV:
    case ENXIO:
      return Absence::Missing;
    case EACCES:
    case EPERM:
      return Absence::Denied;
    case EAGAIN:   // Jetson: a thermal zone whose domain is off
    case ENODATA:  // hwmon: a channel that is disabled
      return Absence::NoData;
    default:
      return Absence::Failed;
  }
}

}  // namespace juggler
