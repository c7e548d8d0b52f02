#pragma once
// Energies and labels in JSON, the same in every message. Inside src/wire only.

#include <optional>
#include <vector>

#include "core/evidence.h"
#include "core/task.h"
#include "wire/json.h"
#include "wire/json_writer.h"

namespace juggler::wire {

inline constexpr std::int64_t kMicrosMax = 1'000'000'000'000;  // 11 days
inline constexpr std::int64_t kMicrojoulesMax = 1'000'000'000'000;
// The names of an answer's labels together. The thousand of ImageNet have 9.5 KB.
inline constexpr std::size_t kLabelBytesMax = std::size_t{64} * 1024;

// energy_evidence, energy_scope, energy_uj, energy_uj_high, energy_uj_low; nothing if unknown.
void write_energy(JsonWriter& writer, const std::optional<EnergyFigure>& energy);
std::optional<EnergyFigure> read_energy(ObjectReader& reader);

// labels: [{index, label, score}]
void write_labels(JsonWriter& writer, const std::vector<Label>& labels);
std::vector<Label> read_labels(ObjectReader& reader);

}  // namespace juggler::wire
